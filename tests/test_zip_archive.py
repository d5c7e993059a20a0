"""An archive handed in: what is in it comes out within the caps, and nowhere else."""

from __future__ import annotations

import stat
import zipfile

import pytest

from autograder.errors import UsageError
from autograder.zip_archive import Caps, TooLarge, read_zip


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "hw1.zip"


def _write(path, *entries, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as made:
        for entry, content in entries:
            made.writestr(entry, content)


def _read(path):
    return read_zip(path, caps=Caps(10, 1000, 2000))


def _refused(path):
    with pytest.raises(UsageError) as caught:
        _read(path)
    assert caught.value.hint
    return caught.value.message


def test_files_come_with_their_folders(archive):
    _write(archive, ("hw/", ""), ("hw/a.py", b"x = 1\n"), ("hw/data/b.bin", b"\0"))
    assert _read(archive) == {"hw/a.py": b"x = 1\n", "hw/data/b.bin": b"\0"}


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_chinese_names_as_windows_and_others_write_them(archive, encoding):
    written = "感知机.py".encode(encoding)
    _write(archive, ("x" * len(written), b"y = 1\n"))
    archive.write_bytes(archive.read_bytes().replace(b"x" * len(written), written))
    assert list(_read(archive)) == ["感知机.py"]


def test_names_with_backslashes_are_paths(archive):
    _write(archive, ("hw.a.py", b"1"))
    archive.write_bytes(archive.read_bytes().replace(b"hw.a.py", b"hw\\a.py"))
    assert list(_read(archive)) == ["hw/a.py"]


@pytest.mark.parametrize(
    "name",
    [
        "../a.py",
        "a/../../b.py",
        "/etc/a.py",
        "C:/a.py",
        "..",
        "a/" * 40 + "b.py",
        "a" * 250,
        "\x1b[2Ja.py",
        "a\rb.py",
        "\x9b2J.py",
    ],
)
def test_security_no_name_leads_out_or_nowhere(archive, name):
    _write(archive, (name, b"1"))
    assert "can't be unpacked" in _refused(archive)


def test_what_is_skipped_is_neither_read_nor_counted(archive):
    rubbish = [(f"venv/{number}.py", b"0" * 1500) for number in range(20)]
    _write(archive, *rubbish, ("venv/" + "a/" * 40 + "b.py", b"1"), ("a.py", b"1"))
    caps = Caps(1, 1000, 1000)
    assert read_zip(archive, caps=caps, skipped=lambda parts: parts[0] == "venv") == {"a.py": b"1"}


def test_security_a_file_is_no_folder(archive):
    _write(archive, ("a", b"1"), ("a/b.py", b"2"))
    assert "'a/b.py'" in _refused(archive)


def test_security_links_and_devices_are_left_out(archive):
    link, pipe = zipfile.ZipInfo("link.py"), zipfile.ZipInfo("pipe")
    link.external_attr, pipe.external_attr = (stat.S_IFLNK | 0o777) << 16, (stat.S_IFIFO | 0o666) << 16
    _write(archive, (link, b"/etc/passwd"), (pipe, b""), ("a.py", b"1"))
    assert _read(archive) == {"a.py": b"1"}


@pytest.mark.parametrize(
    "entries",
    [
        [(f"{number}.py", b"") for number in range(11)],
        [("a.py", b"0" * 1001)],
        [("bomb.py", b"0" * 50_000_000)],
        [(f"{number}.py", b"0" * 900) for number in range(3)],
    ],
    ids=["many files", "a large file", "a bomb", "many bytes"],
)
def test_security_an_archive_ends_at_the_caps(archive, entries):
    _write(archive, *entries)
    with pytest.raises(TooLarge):
        _read(archive)


@pytest.mark.parametrize("huge", [b"", b"PK\6\7" + bytes(16)], ids=["a long list", "a second record"])
def test_security_a_list_of_entries_that_fills_the_memory_is_not_read(archive, monkeypatch, huge):
    _write(archive, ("a.py", b"x = 1\n"))
    content = archive.read_bytes()
    end = content.rindex(b"PK\5\6")
    length = content[end + 12 : end + 16] if huge else (5 << 20).to_bytes(4, "little")
    archive.write_bytes(content[:end] + huge + content[end : end + 12] + length + content[end + 16 :])
    monkeypatch.setattr(zipfile, "ZipFile", None)  # it would have read the list by then
    with pytest.raises(TooLarge):
        _read(archive)


def test_security_the_size_that_an_archive_claims_is_not_believed(archive):
    _write(archive, ("a.py", b"0" * 100_000))
    claimed, forged = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    archive.write_bytes(archive.read_bytes().replace(claimed, forged))
    assert "can't be unpacked" in _refused(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_security_methods_that_ask_for_much_memory_are_refused(archive, method):
    _write(archive, ("a.py", b"x = 1\n"), method=method)
    assert "NotImplementedError" in _refused(archive)


def test_an_encrypted_archive(archive):
    _write(archive, ("a.py", b"x = 1\n"))
    content = bytearray(archive.read_bytes())
    for header, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + at] |= 1
    archive.write_bytes(content)
    assert "has a password" in _refused(archive)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all"])
def test_what_is_no_archive(archive, content):
    archive.write_bytes(content)
    assert "BadZipFile" in _refused(archive)


def test_a_damaged_archive(archive):
    _write(archive, ("a.py", b"x = 1\n" * 100))
    content = archive.read_bytes()
    archive.write_bytes(content[:38] + b"\xff" * 4 + content[42:])
    assert "can't be unpacked" in _refused(archive)
