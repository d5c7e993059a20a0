"""What nobody should hand in, and somebody will: refused or cleaned, said in one line, and the rest goes on."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import stat
import struct
import tarfile
import unicodedata
import zipfile
from zoneinfo import ZoneInfo

import pytest

from autograder.collect import reading
from autograder.collect.folder import FolderSource, open_source
from autograder.collect.found import Refused
from autograder.collect.unpack import unpack
from autograder.errors import UsageError
from tests.collect.archives import (
    ENCRYPTED_7Z,
    ENCRYPTED_NAMES_7Z,
    LINKED_7Z,
    encrypted_rar,
    overlapping,
    rared,
    sevened,
    tarred,
    zipped,
    zipped_as,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
CODE = b"x = 1\n"


def files_in(source):
    """What a source finds, by name; of what is refused, the problem."""
    return {one.name: one.problem if isinstance(one, Refused) else one.files for one in source}


def cleaned(name, content):
    """The files in an archive, and what was said about it."""
    notes = []
    return unpack({name: content}, name, notes.append), notes


# --- names ------------------------------------------------------------------------------------------------------------

UNSAFE = (
    "../evil.py",
    "a/../../evil.py",
    "/etc/evil.py",
    "..\\evil.py",
    "C:\\evil.py",
    "mlp.py:hidden",
    "a" * 10_000,
    "\x1b]0;owned\x07.py",
    "a\nb.py",
    " . /mlp.py",
    "a/" * 40 + "b.py",
)
MAKERS = {
    "zip": lambda name: zipped({name: CODE}),
    "tar": lambda name: tarred({name: CODE}, "w"),
    "tar.xz": lambda name: tarred({name: CODE}, "w:xz"),
    "7z": lambda name: sevened({name: CODE}),
    "rar": lambda name: rared({name: CODE}),
}


@pytest.mark.parametrize("kind", ["zip", "tar", "rar"])
@pytest.mark.parametrize("name", UNSAFE, ids=[*map(repr, (name[:12] for name in UNSAFE))])
def test_security_no_name_leads_out_of_an_archive(tmp_path, name, kind):
    (tmp_path / f"2026001.{kind}").write_bytes(MAKERS[kind](name))
    (tmp_path / "2026017.py").write_bytes(CODE)
    found = files_in(FolderSource(tmp_path))
    assert found["2026017.py"] == {"2026017.py": CODE}
    problem = found[f"2026001.{kind}"]
    assert isinstance(problem, str)
    assert problem.isprintable()
    assert len(problem) < 400


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil.py"])
def test_security_no_name_leads_out_of_a_7z(name):
    with pytest.raises(UsageError, match="leads out"):
        cleaned("2026001.7z", MAKERS["7z"](name))


@pytest.mark.parametrize("kind", MAKERS)
def test_names_are_those_that_were_meant(kind):
    made = MAKERS[kind](unicodedata.normalize("NFD", "hw 1. /é张三.py"))
    assert cleaned(f"2026001.{kind}", made)[0] == {"hw 1/é张三.py": CODE}


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8"])
def test_chinese_names_without_a_word_about_their_encoding(encoding):
    raw = "张三/感知机𠮷.py".encode(encoding if encoding != "gbk" else "gb18030")
    assert list(cleaned("a.zip", zipped_as(raw))[0]) == ["张三/感知机𠮷.py"]
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", encoding=encoding if encoding != "gbk" else "gb18030") as archive:
        archive.addfile(tarfile.TarInfo("感知机.py"))
    assert list(cleaned("a.tar", made.getvalue())[0]) == ["感知机.py"]


def test_names_that_windows_reserves_stay_what_the_code_imports_them_by():
    assert list(cleaned("a.zip", zipped({"aux.py": CODE, "mlp.py": b"import aux\n"}))[0]) == ["aux.py", "mlp.py"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_of_two_of_one_name_the_last_is_taken_and_that_is_said(kind):
    if kind == "zip":
        content = zipped([("mlp.py", b"old\n"), ("mlp.py", CODE)])
    else:
        first, second = tarred({"mlp.py": b"old\n"}, "w"), tarred({"mlp.py": CODE}, "w")
        content = first[:1024] + second
    files, notes = cleaned(f"a.{kind}", content)
    assert files == {"mlp.py": CODE}
    assert notes == [f"a.{kind} has mlp.py twice; the last one is taken"]


def test_names_that_differ_in_capitals_only_are_two_files():
    assert len(cleaned("a.zip", zipped({"Mlp.py": b"1", "mlp.py": b"2"}))[0]) == 2


def test_what_systems_leave_behind_is_passed_over():
    rubbish = ["__MACOSX/._mlp.py", ".DS_Store", "hw/Thumbs.db", "hw/.DS_Store", "__pycache__/mlp.pyc"]
    files = dict.fromkeys(rubbish, b"\0") | {"hw/mlp.py": CODE}
    for kind, maker in (("zip", zipped), ("tar", lambda files: tarred(files, "w")), ("7z", sevened), ("rar", rared)):
        assert list(cleaned(f"a.{kind}", maker(files))[0]) == ["hw/mlp.py"]


def test_a_folder_with_names_that_are_no_text(tmp_path):
    import os

    path = os.fsencode(tmp_path) + "/2026001_感知机.py".encode("gb18030")
    with open(path, "wb") as file:  # noqa: PTH123 - a name that is no text
        file.write(CODE)
    assert files_in(FolderSource(tmp_path)) == {"2026001_感知机.py": {"2026001_感知机.py": CODE}}


# --- what is no plain file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE], ids="slcbf"
)
def test_security_links_and_devices_in_a_tar_are_left_out(kind):
    links, plain = tarred({"passwd": b""}, "w", kind), tarred({"mlp.py": CODE}, "w")
    files, notes = cleaned("a.tar", links[:512] + plain)
    assert files == {"mlp.py": CODE}
    assert notes == ["a.tar has links or devices, which are left out: 1"]


def test_security_links_in_a_zip_a_7z_and_a_rar_are_left_out():
    link = zipfile.ZipInfo("passwd", (2026, 1, 1, 0, 0, 0))
    link.external_attr, link.create_system = (stat.S_IFLNK | 0o777) << 16, 3
    assert cleaned("a.zip", zipped([(link, b"/etc/passwd"), ("mlp.py", CODE)]))[0] == {"mlp.py": CODE}
    assert cleaned("a.7z", LINKED_7Z) == ({"mlp.py": CODE}, ["a.7z has links or devices, which are left out: 1"])
    with pytest.raises(UsageError, match="nothing in"):
        cleaned("a.rar", rared({"passwd": b""}, link_to="/etc/passwd"))


# --- bombs ------------------------------------------------------------------------------------------------------------

ZEROS = bytes(21 << 20)


def _nested(depth, content):
    for _ in range(depth):
        content = zipped({"a.zip": content}, zipfile.ZIP_DEFLATED)
    return content


def _wide():
    """Ten archives of 15 MB each in one of 150 KB: every single one is small enough."""
    inner = zipped({"zeros.bin": bytes(15 << 20)}, zipfile.ZIP_DEFLATED)
    return zipped({f"{number}.zip": inner for number in range(10)}, zipfile.ZIP_DEFLATED)


def _holes():
    """A .tar of 1 KB whose one file has a terabyte, all of it a hole."""
    entry = tarfile.TarInfo("a.bin")
    entry.type, entry.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = struct.pack(">B3xQ", 0x80, 1 << 40)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(1024)


BOMBS = {
    "one file": ("a.zip", lambda: zipped({"a.bin": ZEROS}, zipfile.ZIP_DEFLATED)),
    "overlapping": ("a.zip", lambda: overlapping(400, bytes(1 << 20))),
    "wide": ("a.zip", _wide),
    "100,000 entries": ("a.zip", lambda: overlapping(100_000, b"")),
    "too many": ("a.tar", lambda: tarred({f"{number}.py": b"" for number in range(501)}, "w")),
    "gzip": ("a.tar.gz", lambda: gzip.compress(bytes(130 << 20), 1)),
    "bzip2": ("a.tar.bz2", lambda: tarred({"a.bin": ZEROS}, "w:bz2")),
    "xz": ("a.tar.xz", lambda: tarred({"a.bin": ZEROS}, "w:xz")),
    "holes": ("a.tar", _holes),
    "7z": ("a.7z", lambda: sevened({"a.bin": ZEROS})),
    "7z, many": ("a.7z", lambda: sevened({f"{number}.bin": bytes(15 << 20) for number in range(8)})),
    "rar, many": ("a.rar", lambda: rared({f"{number}.py": b"" for number in range(501)})),
    "many archives": ("a.zip", lambda: zipped({f"{number}.tar": tarred({"a.py": CODE}, "w") for number in range(60)})),
}


@pytest.mark.parametrize(("name", "maker"), BOMBS.values(), ids=[*BOMBS])
def test_security_a_bomb_is_refused_within_the_bounds(name, maker):
    content = maker()
    with pytest.raises(UsageError, match=r"has more than|can't be unpacked"):
        cleaned(name, content)


def test_security_what_an_archive_in_an_archive_holds_is_counted_with_all_the_others(monkeypatch):
    """The bound is one: without it ten archives in one had it ten times over."""
    read = []
    original = reading.Caps

    def counted(path, content, *, caps, **how):
        read.append(caps.total_bytes)
        return original_read(path, content, caps=caps, **how)

    from autograder.collect import unpack as unpacking

    original_read = unpacking.read_zip
    monkeypatch.setattr(unpacking, "read_zip", counted)
    with pytest.raises(UsageError):
        cleaned("a.zip", _wide())
    assert read == sorted(read, reverse=True)
    assert read[-1] < original(500, 20 << 20, 100 << 20).total_bytes / 4


def test_archives_nest_three_deep_and_no_deeper():
    assert cleaned("a.zip", _nested(2, zipped({"mlp.py": CODE})))[0] == {"mlp.py": CODE}
    with pytest.raises(UsageError, match="archive in an archive"):
        cleaned("a.zip", _nested(3, zipped({"mlp.py": CODE})))


def test_security_an_xz_that_asks_for_much_memory_is_refused():
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    content = lzma.compress(tarred({"mlp.py": CODE}, "w"), filters=filters)
    with pytest.raises(UsageError, match="damaged"):
        cleaned("a.tar.xz", content)
    assert lzma.decompress(content)  # without the bound it is read


# --- what can't be read -----------------------------------------------------------------------------------------------

HALF = {kind: maker("mlp.py")[: len(maker("mlp.py")) // 2] for kind, maker in MAKERS.items()}
UNREADABLE = {
    "encrypted 7z": ("a.7z", ENCRYPTED_7Z, "has a password"),
    "encrypted names": ("a.7z", ENCRYPTED_NAMES_7Z, "has a password"),
    "encrypted rar": ("a.rar", encrypted_rar(), "has a password"),
    "half a zip": ("a.zip", HALF["zip"], "can't be unpacked"),
    "half a 7z": ("a.7z", HALF["7z"], "damaged"),
    "half a rar": ("a.rar", HALF["rar"], "damaged"),
    "half a tar.xz": ("a.tar.xz", HALF["tar.xz"], "damaged"),
    "half a tar.gz": ("a.tar.gz", tarred({"mlp.py": CODE})[:60], "damaged"),
    "first volume of a rar": ("a.part1.rar", rared({"mlp.py": CODE}, volume=True), "part of an archive"),
    "later volume of a rar": ("a.part02.rar", rared({"mlp.py": CODE}, volume=True), "part of an archive"),
    "volume of a 7z": ("a.7z.001", sevened({"mlp.py": CODE})[:50], "part of an archive"),
    "volume of a zip": ("a.z01", b"PK", "part of an archive"),
    "older rar": ("a.rar", b"Rar!\x1a\7\0" + bytes(100), "damaged"),
    "no archive": ("a.rar", b"no archive at all", "damaged"),
    "7z of nothing": ("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(30), "nothing in|damaged"),
}


@pytest.mark.parametrize(("name", "content", "said"), UNREADABLE.values(), ids=[*UNREADABLE])
def test_what_can_t_be_read_says_why(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "2026017.py").write_bytes(CODE)
    found = files_in(FolderSource(tmp_path))
    assert found.pop("2026017.py") == {"2026017.py": CODE}
    with pytest.raises(UsageError, match=said):
        raise UsageError(found.pop(name))


def test_a_local_header_that_says_otherwise_than_the_list_is_refused():
    content = zipped({"mlp.py": CODE})
    first = content.index(b"mlp.py")
    forged = content[:first] + b"evil.p" + content[first + 6 :]
    with pytest.raises(UsageError, match="can't be unpacked"):
        cleaned("a.zip", forged)


@pytest.mark.parametrize("kind", ["zip", "7z", "rar", "tar.xz"])
@pytest.mark.parametrize("called", ["zip", "rar", "7z", "tar.gz"])
def test_an_archive_is_what_its_bytes_say_and_not_its_name(kind, called):
    files, notes = cleaned(f"a.{called}", MAKERS[kind]("mlp.py"))
    assert files == {"mlp.py": CODE}
    is_same = kind == called or (kind.startswith("tar") and called.startswith("tar"))
    assert notes == ([] if is_same else [f"a.{called} is a .{kind} by its content, and is opened as that"])


def test_of_two_archives_in_one_file_the_first_bytes_decide():
    rar, zip_ = rared({"rar.py": CODE}), zipped({"zip.py": CODE})
    assert list(cleaned("a.zip", rar + zip_)[0]) == ["rar.py"]
    assert list(cleaned("a.rar", zip_ + rar)[0]) == ["zip.py"]


@pytest.mark.parametrize("seed", range(30))
def test_security_no_damage_is_more_than_an_error(seed):
    import random

    chance = random.Random(seed)
    for kind in ("zip", "tar", "tar.xz"):
        content = bytearray(MAKERS[kind]("hw/mlp.py"))
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        with contextlib.suppress(UsageError):
            cleaned(f"a.{kind}", bytes(content))


# --- a whole class's archive ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("class.zip", zipped),
        ("class.tar", lambda files: tarred(files, "w")),
        ("class.tgz", tarred),
        ("class.tar.xz", lambda files: tarred(files, "w:xz")),
        ("class.7z", sevened),
        ("class.rar", rared),
    ],
)
def test_a_whole_class_may_come_in_any_archive(tmp_path, name, maker):
    files = {"2026001.py": CODE, "2026017/mlp.py": b"y = 2\n", "2026018/big.bin": ZEROS, "../evil.py": CODE}
    (tmp_path / name).write_bytes(maker(files))
    found = files_in(open_source(tmp_path / name, SHANGHAI))
    assert found.pop("2026001.py") == {"2026001.py": CODE}
    assert found.pop("2026017") == {"mlp.py": b"y = 2\n"}
    assert "more than 500 files or 100 MB" in found.pop("2026018")
    assert "leads out" in found.pop("../evil.py")
    assert found == {}


def test_when_files_in_a_class_s_archive_were_changed(tmp_path):
    (tmp_path / "class.7z").write_bytes(sevened({"2026001.py": CODE}))
    (found,) = open_source(tmp_path / "class.7z", SHANGHAI)
    assert found.received.timestamp() == 1_780_000_000


@pytest.mark.parametrize("content", [b"", b"7z\xbc\xaf\x27\x1c", ENCRYPTED_7Z])
def test_a_class_s_archive_that_can_t_be_read_is_an_error(tmp_path, content):
    (tmp_path / "class.7z").write_bytes(content)
    with pytest.raises(UsageError, match=r"class\.7z"):
        list(open_source(tmp_path / "class.7z", SHANGHAI))


def test_security_a_file_in_the_place_of_a_folder_is_refused():
    """No disk holds both: an attempt ended with an error of ours, in the student's name."""
    both = {"a": CODE, "a/b.py": CODE}
    for files in (
        {"all.tar": tarred(both)},
        {"all.zip": zipped(both)},
        {"x.tar": tarred({"b.py": CODE}), "x.tar.d": CODE},
    ):
        with pytest.raises(UsageError, match="can't be unpacked"):
            unpack(files, "2026017")
    assert len(unpack({"all.tar": tarred({"a": CODE, "b/c.py": CODE})}, "2026017")) == 2


def test_security_entries_that_are_passed_over_are_counted_over_all_archives(monkeypatch):
    """Half a megabyte of a hundred thousand empty files takes seconds; of such archives there may be fifty."""
    monkeypatch.setattr("autograder.collect.unpack.MOST_ENTRIES", 30)
    one = tarred({f"__pycache__/{number}": b"" for number in range(20)} | {"mlp.py": CODE})
    assert unpack({"a.tar": one}, "2026017") == {"mlp.py": CODE}
    with pytest.raises(UsageError, match="more than"):
        unpack({"a.tar": one, "b.tar": one}, "2026017")
