"""Datasets: found, verified, read, fetched from a server on this machine, imported. The real ones where they are."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import tempfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from autograder import datasets
from autograder.datasets import fetching, reading
from autograder.datasets.registry import DATASETS, NAMES, Dataset, IdxFile
from autograder.errors import UsageError
from autograder.messages import CATALOGUES
from autograder.report import downloads as report
from tests.tiny_course import grade


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    sizes = (12, 12, 5, 5)
    return [
        rng.integers(0, 256, (n, 28, 28), np.uint8) if part % 2 == 0 else rng.integers(0, 10, n, np.uint8)
        for part, n in enumerate(sizes)
    ]


@pytest.fixture
def contents(arrays):
    return dict(zip(NAMES, map(idx, arrays), strict=True))


@pytest.fixture
def known(contents, monkeypatch):
    """A small dataset that is known by its hashes, as the real ones are."""
    files = tuple(
        IdxFile(name, len(raw), len(gzip.compress(raw)), hashlib.sha256(raw).hexdigest())
        for name, raw in contents.items()
    )
    made = Dataset("tiny", "Tiny/raw", "MIT", (), files)
    monkeypatch.setitem(DATASETS, "tiny", made)
    return made


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADE_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "SYSTEM_FOLDERS", (tmp_path / "system",))
    return tmp_path / "cache"


def write(folder: Path, contents: dict[str, bytes], *, zipped: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in contents.items():
        (folder / (f"{name}.gz" if zipped else name)).write_bytes(gzip.compress(raw) if zipped else raw)
    return folder


# --- found and read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("where", ["cache/Tiny/raw", "cache/tiny/Tiny/raw", "system/tiny"])
def test_a_dataset_is_found_where_people_and_packages_put_it(tmp_path, known, contents, where, zipped):
    folder = write(tmp_path / where, contents, zipped=zipped)
    assert datasets.find(known) == folder
    split = datasets.load(known)
    assert np.array_equal(split.train.images, reading.parse_idx(contents[NAMES[0]]))
    assert np.array_equal(split.test.labels, reading.parse_idx(contents[NAMES[3]]))
    assert split.train.labels.dtype == np.int64


def test_its_arrays_can_not_be_written_to(tmp_path, known, contents):
    write(tmp_path / "cache/Tiny/raw", contents)
    for array in (array for part in datasets.load(known) for array in part):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_users_cache_folder_is_used_without_the_environment(monkeypatch):
    monkeypatch.delenv("GRADE_DATA_DIR")
    assert datasets.cache_folder().name == "autograder"


def test_a_dataset_that_is_not_here_says_how_to_get_it(known):
    with pytest.raises(UsageError, match="The dataset tiny is not on this machine") as caught:
        datasets.load(known)
    assert "grade data fetch tiny" in caught.value.hint


def test_a_part_of_a_dataset_is_not_found(tmp_path, known, contents):
    write(tmp_path / "cache/Tiny/raw", dict(list(contents.items())[:3]))
    assert datasets.find(known) is None


def test_security_another_file_of_the_same_length_is_refused(tmp_path, known, contents):
    changed = bytearray(contents[NAMES[1]])
    changed[-1] ^= 1
    write(tmp_path / "cache/Tiny/raw", contents | {NAMES[1]: bytes(changed)})
    with pytest.raises(UsageError, match=r"train-labels.*does not hold"):
        datasets.load(known)


def test_security_a_gzip_bomb_is_not_unpacked(tmp_path, known, contents, monkeypatch):
    write(tmp_path / "cache/Tiny/raw", contents | {NAMES[0]: bytes(50_000_000)})
    read = []
    original = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: read.append(size) or original(self, size))
    with pytest.raises(UsageError, match="does not hold"):
        datasets.load(known)
    assert read == [known.files[0].size_bytes + 1]


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda raw: b"<html>" + raw, lambda raw: b""])
def test_a_damaged_file_is_named(tmp_path, known, contents, damage):
    folder = write(tmp_path / "cache/Tiny/raw", contents)
    path = folder / f"{NAMES[2]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match="t10k-images"):
        datasets.load(known)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"\0\0\x08", b"\0\0\x08\x00", b"\0\0\x0d\x01\0\0\0\0", b"\0\0\x08\x04" + bytes(16),
     b"\0\0\x08\x01\0\0\0\x05abcd", b"\0\0\x08\x01\0\0\0\x03abcd", b"\0\0\x08\x03" + b"\xff" * 12],
)  # fmt: skip
def test_what_is_no_idx_file_is_refused(content):
    with pytest.raises(UsageError, match="idx"):
        reading.parse_idx(content)


def test_images_and_labels_must_belong_together(tmp_path, contents):
    folder = write(tmp_path / "part", contents | {NAMES[1]: idx(np.zeros(11))})
    with pytest.raises(UsageError, match="belong together"):
        datasets.load_folder(folder)


# --- fetched --------------------------------------------------------------------------------------------------------


class Ear(fetching.FetchListener):
    def __init__(self):
        self.asked, self.failed, self.moved = [], [], 0

    def bar(self, file):
        self.asked.append(file.name)
        return self

    def mirror_failed(self, mirror, problem):
        self.failed.append((mirror, problem))

    total = 0

    def update(self, amount):
        self.moved += amount

    def reset(self):
        self.moved = 0

    def close(self):
        pass


@pytest.fixture
def server(tmp_path):
    """A server on this machine: /good/ has everything, /html/ answers every name with a page, /gone/ has nothing."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            if self.path.startswith("/html/"):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"<html>Please log in to this network.</html>")
            else:
                super().do_GET()

        def log_message(self, *_):
            pass

    def make(*args):
        return Handler(*args, directory=tmp_path / "served")

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def with_mirrors(dataset: Dataset, *mirrors: str) -> Dataset:
    return Dataset(dataset.name, dataset.folder, dataset.licence, mirrors, dataset.files)


def test_a_dataset_is_fetched_and_found(tmp_path, known, contents, server, cache):
    write(tmp_path / "served/good", contents)
    ear = Ear()
    folder = datasets.fetch(with_mirrors(known, f"{server}/good/"), ear)
    assert folder == datasets.find(known) == cache / "Tiny/raw"
    assert datasets.load(known).train.images.shape == (12, 28, 28)
    assert ear.asked == list(NAMES)
    assert not ear.failed
    assert ear.moved > 0
    assert [path.name for path in (cache / "Tiny").iterdir()] == ["raw"]


def test_a_mirror_that_has_other_bytes_is_told_and_the_next_one_asked(tmp_path, known, contents, server):
    write(tmp_path / "served/good", contents)
    (tmp_path / "served/old").mkdir()
    write(tmp_path / "served/old", dict.fromkeys(contents, b"another version"))
    ear = Ear()
    mirrors = (f"{server}/html/", f"{server}/gone/", "http://127.0.0.1:1/", f"{server}/old/", f"{server}/good/")
    datasets.fetch(with_mirrors(known, *mirrors), ear)
    assert datasets.load(known)
    assert [mirror for mirror, _ in ear.failed[:4]] == list(mirrors[:4])
    damaged, missing, unreachable, wrong = (problem for _, problem in ear.failed[:4])
    assert "damaged" in damaged
    assert "404" in missing
    assert unreachable == "it can't be reached"
    assert "does not hold" in wrong


def test_where_no_mirror_gives_a_file_nothing_is_left(tmp_path, known, contents, server, cache):
    contents.pop(NAMES[3])
    write(tmp_path / "served/part", contents)
    with pytest.raises(UsageError, match="No mirror of tiny gave the file t10k-labels") as caught:
        datasets.fetch(with_mirrors(known, f"{server}/part/"), Ear())
    assert "grade data import tiny" in caught.value.hint
    assert datasets.find(known) is None
    assert not list((cache / "Tiny").iterdir())


def test_a_cache_folder_that_can_not_be_made_is_told(tmp_path, known, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GRADE_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="can't be written") as caught:
        datasets.fetch(known, Ear())
    assert "GRADE_DATA_DIR" in caught.value.hint


# --- imported -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [True, False])
def test_a_dataset_is_imported_from_a_folder_at_any_depth(tmp_path, known, contents, zipped):
    write(tmp_path / "from/somebody/raw", contents, zipped=zipped)
    datasets.import_files(known, tmp_path / "from")
    assert datasets.load(known).test.images.shape == (5, 28, 28)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_dataset_is_imported_from_a_zip(tmp_path, known, contents, zipped):
    folder = write(tmp_path / "from", contents, zipped=zipped)
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"../data/{path.name}")
    datasets.import_files(known, tmp_path / "tiny.zip")
    assert datasets.load(known).test.images.shape == (5, 28, 28)


def test_an_import_that_lacks_a_file_changes_nothing(tmp_path, known, contents, cache):
    write(cache / "Tiny/raw", contents)
    contents.pop(NAMES[0])
    write(tmp_path / "from", contents)
    with pytest.raises(UsageError, match="train-images"):
        datasets.import_files(known, tmp_path / "from")
    assert datasets.load(known)


def test_security_an_import_of_other_bytes_changes_nothing(tmp_path, known, contents, cache):
    write(cache / "Tiny/raw", contents)
    write(tmp_path / "from", contents | {NAMES[3]: b"other"})
    with pytest.raises(UsageError, match="does not hold"):
        datasets.import_files(known, tmp_path / "from")
    assert datasets.load(known)


def test_security_a_zip_bomb_is_not_unpacked(tmp_path, known, contents):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in contents:
            archive.writestr(name, bytes(50_000_000))
    with pytest.raises(UsageError, match="train-images"):
        datasets.import_files(known, tmp_path / "bomb.zip")


@pytest.mark.parametrize("zipped", [True, False])
def test_an_import_takes_the_place_of_a_damaged_dataset_in_its_other_form(tmp_path, known, contents, cache, zipped):
    write(cache / "Tiny/raw", dict.fromkeys(contents, b"damaged"), zipped=not zipped)
    datasets.import_files(known, write(tmp_path / "from", contents, zipped=zipped))
    assert datasets.load(known).test.images.shape == (5, 28, 28)
    assert len(list((cache / "Tiny/raw").iterdir())) == len(contents)


@pytest.mark.parametrize("damage", ["compressed bytes", "directory", "end of a stream", "encrypted"])
def test_a_damaged_zip_is_told(tmp_path, known, contents, damage):
    path = tmp_path / "tiny.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in contents.items():
            archive.writestr(name, raw)
    made = bytearray(path.read_bytes())
    first = 30 + len(NAMES[0])  # where the first entry's bytes begin
    match damage:
        case "compressed bytes":
            made[first : first + 8] = b"\xff" * 8
        case "directory":
            made[made.index(b"PK\x01\x02")] = 0
        case "end of a stream":
            made[first : first + 2] = b"\x03\x00"
        case "encrypted":
            for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
                made[made.index(header) + at] |= 1
    path.write_bytes(made)
    with pytest.raises(UsageError, match=r"tiny\.zip is damaged"):
        datasets.import_files(known, path)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_what_can_not_be_copied_is_told(tmp_path, known, contents, monkeypatch, kind):
    def fail(*_):
        raise PermissionError(13, "Permission denied")

    source = write(tmp_path / "from", contents)
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as archive:
            for path in source.iterdir():
                archive.write(path, path.name)
        source = tmp_path / "tiny.zip"
    monkeypatch.setattr(*((fetching.shutil, "copyfile") if kind == "folder" else (Path, "write_bytes")), fail)
    with pytest.raises(UsageError, match=r"can't be copied to .*Permission denied"):
        datasets.import_files(known, source)


def test_a_folder_of_a_dataset_that_can_not_be_made_is_told(tmp_path, known, contents, cache):
    (cache / "Tiny").mkdir(parents=True)
    (cache / "Tiny/raw").write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="can't be written") as caught:
        datasets.import_files(known, write(tmp_path / "from", contents))
    assert "GRADE_DATA_DIR" in caught.value.hint


def test_what_is_neither_folder_nor_zip_is_refused(tmp_path, known):
    (tmp_path / "a.tar").write_bytes(b"tar")
    with pytest.raises(UsageError, match=r"neither a folder nor a \.zip"):
        datasets.import_files(known, tmp_path / "a.tar")


# --- the command ----------------------------------------------------------------------------------------------------


def out(result):
    return result.stdout.decode(), result.stderr.decode()


@pytest.mark.parametrize("command", ["list", "fetch", "import", "path"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_command_has_its_help(tmp_path, command, language):
    said, _ = out(grade("data", command, "-h", "--lang", language, cwd=tmp_path))
    assert "".join(CATALOGUES[language][f"cli.data.{command}.help"].split())[:60] in "".join(said.split())


@pytest.fixture
def short_path():
    """A folder whose name fits into a column."""
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        yield Path(folder)


def test_list_tells_what_is_here_and_what_to_do_about_the_rest(short_path):
    tmp_path = short_path
    write(tmp_path / "MNIST/raw", dict.fromkeys(NAMES, b""))
    said, _ = out(grade("data", "list", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path)))
    fashion, mnist = said.splitlines()[1:]  # Fashion-MNIST may be here, as a package of Debian's; MNIST is none
    assert "30.9 MB" in fashion
    assert str(tmp_path / "MNIST/raw") in mnist
    absent, _ = out(grade("data", "list", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path / "none")))
    assert "grade data fetch mnist" in absent.splitlines()[2]
    states = json.loads(grade("data", "list", "--json", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path)).stdout)
    assert states[1] == {
        "name": "mnist",
        "folder": str(tmp_path / "MNIST/raw"),
        "download_bytes": 11_594_722,
        "licence": "CC BY-SA 3.0 (LeCun, Cortes, Burges)",
    }


def test_path_is_one_line_for_programs(tmp_path):
    write(tmp_path / "MNIST/raw", dict.fromkeys(NAMES, b""))
    said = out(grade("data", "path", "mnist", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path)))
    assert said == (f"{tmp_path / 'MNIST/raw'}\n", "")
    result = grade("data", "path", "mnist", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path / "none"))
    assert result.returncode == 2
    assert "grade data fetch mnist" in result.stderr.decode()


def test_fetch_does_nothing_where_the_dataset_is(tmp_path):
    write(tmp_path / "MNIST/raw", dict.fromkeys(NAMES, b""))
    said, _ = out(grade("data", "fetch", "mnist", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path)))
    assert said == f"mnist is here already: {tmp_path / 'MNIST/raw'}\n"


def test_an_unknown_dataset_and_an_unknown_command(tmp_path):
    for arguments in (["path", "mnst"], ["fetch", "mnst"], ["import", "mnst", "."]):
        _, said = out(grade("data", *arguments, cwd=tmp_path))
        assert "There are: fashion-mnist, mnist." in said
    _, said = out(grade("data", "fech", "mnist", cwd=tmp_path))
    assert "Did you mean fetch?" in said


def test_an_import_that_is_not_the_dataset_names_the_file(tmp_path, contents):
    write(tmp_path / "from", contents)
    _, said = out(
        grade("data", "import", "mnist", tmp_path / "from", cwd=tmp_path, GRADE_DATA_DIR=str(tmp_path / "to"))
    )
    assert "train-images-idx3-ubyte.gz does not hold what this dataset's file holds" in said


def test_bars_and_lines_while_a_dataset_is_fetched(tmp_path, known, contents, server, monkeypatch):
    write(tmp_path / "served/good", contents)
    for terminal in (True, False):
        shown = io.StringIO()
        console = Console(file=shown, force_terminal=terminal, width=100)
        monkeypatch.setattr(report, "Console", lambda console=console, **_: console)
        with report.downloads() as listener:
            datasets.fetch(with_mirrors(known, f"{server}/gone/", f"{server}/good/"), listener)
        assert "train-images-idx3-ubyte.gz" in shown.getvalue()
        assert "/gone/ did not give it: 404" in shown.getvalue()
        size = known.files[1].gz_bytes
        assert (f"{size}/{size} bytes" in shown.getvalue()) == terminal


# --- the real ones --------------------------------------------------------------------------------------------------

# The test runs of CI have the course's datasets beside the checkout.
SHARED = Path(os.environ.get("GRADE_DATA_DIR", "")).resolve()


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_the_registry_agrees_with_the_official_files(name, monkeypatch):
    monkeypatch.setenv("GRADE_DATA_DIR", str(SHARED))
    dataset = DATASETS[name]
    folder = datasets.find(dataset)
    facts = json.loads((SHARED / "registry.json").read_text())[name]
    assert list(dataset.mirrors) == facts["mirrors"]
    for file in dataset.files:
        path = folder / f"{file.name}.gz"
        official = facts["files"][path.name]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == official["sha256"]
        assert file.gz_bytes == official["bytes"]
        assert len(reading.verified(folder, file)) == file.size_bytes


@pytest.mark.real_data
def test_the_whole_of_fashion_mnist_goes_through_the_loader_that_downloads(tmp_path, server):
    dataset = DATASETS["fashion-mnist"]
    (tmp_path / "served").symlink_to(SHARED / "fashion-mnist/FashionMNIST/raw")
    datasets.fetch(with_mirrors(dataset, f"{server}/"), Ear())
    split = datasets.load(dataset)
    assert split.train.images.shape == (60_000, 28, 28)
    assert np.bincount(split.train.labels).tolist() == [6000] * 10
    assert np.bincount(split.test.labels).tolist() == [1000] * 10
