from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from autograder import submission as module
from autograder.course import load_course
from autograder.errors import UsageError
from autograder.submission import decode, find, read_file
from tests.tiny_course import ASSIGNMENT, SOLUTION, grade, make_course, write

STUB = 'def add(a, b):\n    # BEGIN SOLUTION (1)\n    raise NotImplementedError("1")\n    # END SOLUTION\n'
WORKED = "def add(a, b):\n    # BEGIN SOLUTION (1)\n    return a + b\n    # END SOLUTION\n"


@pytest.fixture
def assignment(tmp_path):
    return load_course(make_course(tmp_path / "course")).assignment("hw1")


@pytest.fixture
def two_frameworks(tmp_path):
    folder = make_course(tmp_path / "course")
    write(
        folder / "assignments" / "hw1_sums" / "assignment.yml",
        ASSIGNMENT.replace("seeds:", "frameworks: [torch, tensorflow]\nseeds:"),
    )
    return load_course(folder).assignment("hw1")


@pytest.fixture
def here(tmp_path):
    made = tmp_path / "here"
    made.mkdir()
    return made


def _refused(call):
    with pytest.raises(UsageError) as caught:
        call()
    assert caught.value.hint or "MB" in caught.value.message or "notebook" in caught.value.message
    return caught.value


# --- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "x = '感知机'\n".encode(),
        b"\xef\xbb\xbf" + "x = '感知机'\n".encode(),
        "x = '感知机'\n".encode("gbk"),
        "x = '感知机'\n".encode("gb18030"),
        "x = '感知机'\r\n".encode(),
        "x = '感知机'\r".encode("gbk"),
    ],
)
def test_encodings_of_chinese_editors(here, content):
    (here / "sums.py").write_bytes(content)
    made = read_file(here / "sums.py")
    assert made.files == {"sums.py": "x = '感知机'\n".encode()}
    assert made.source == "x = '感知机'\n"


@pytest.mark.parametrize(
    "coding", ["# -*- coding: gbk -*-", "# coding=gb2312", "#coding:GBK", "# vim: set fileencoding=gbk :"]
)
@pytest.mark.parametrize("before", ["", "#!/usr/bin/env python\n"])
def test_a_coding_line_is_blanked_and_lines_keep_their_numbers(here, coding, before):
    (here / "sums.py").write_bytes(f"{before}{coding}\nx = '感知机'\n".encode("gbk"))
    lines = read_file(here / "sums.py").source.split("\n")
    assert lines == [*before.splitlines(), "#", "x = '感知机'", ""]


def test_a_coding_line_further_down_is_only_a_comment(here):
    source = "x = 1\ny = 2\n# coding: gbk\n"
    assert read_file(write(here / "sums.py", source)).source == source


def test_bytes_that_are_no_text_are_replaced():
    assert "x = 1" in decode(b"x = 1 \xff\xff\xff")


def test_a_file_is_read_with_the_siblings_it_imports(here):
    write(here / "sums.py", "import layers\nfrom tools import f\nimport os\n")
    write(here / "layers.py", "    import deeper\n")
    write(here / "tools.py", "import sums\nimport tools\n")
    (here / "deeper.py").write_bytes("# 深\n".encode("gbk"))
    write(here / "other.py", "")
    write(here / "secret.txt", "")
    made = read_file(here / "sums.py")
    assert set(made.files) == {"sums.py", "layers.py", "tools.py", "deeper.py"}
    assert made.files["deeper.py"] == "# 深\n".encode()
    assert made.main == made.name == "sums.py"


def test_every_name_of_an_import_line_counts(here):
    write(here / "sums.py", "import os, layers as l, torch\n")
    write(here / "layers.py", "")
    made = read_file(here / "sums.py")
    assert set(made.files) == {"sums.py", "layers.py"}
    assert made.frameworks == ("torch",)


@pytest.mark.parametrize("name", ["notes.txt", "sums.pyc", "sums", "model.pt"])
def test_what_is_no_source_is_refused(here, name):
    assert "neither a .py file nor a notebook" in _refused(lambda: read_file(write(here / name, "x"))).message


@pytest.mark.parametrize("content", ["", "  \n\n\t\n"])
def test_an_empty_file(here, content):
    error = _refused(lambda: read_file(write(here / "sums.py", content), here))
    assert error.message == "sums.py is empty."
    assert "saved" in error.hint


def test_a_file_too_large_to_be_source(here, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 5 << 20)
    (here / "sums.py").write_bytes(b"#" * (5 << 20))
    assert read_file(here / "sums.py").main == "sums.py"
    (here / "sums.py").write_bytes(b"#" * ((5 << 20) + 1))
    assert "at most 5 MB" in _refused(lambda: read_file(here / "sums.py")).message


# --- hashes and frameworks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ([os.fsdecode("感知机.py".encode("gbk"))], ["感知机.py"]),
        ([os.fsdecode("作业/".encode("gbk")) + "感知机.py"], ["作业/感知机.py"]),
        (["\udcff.py", "\ud800.txt"], ["_.py", "_.txt"]),
        (["\udcff.py", "\udcfe.py", "_.py", "d/\udcff.py"], ["__.py", "___.py", "_.py", "d/_.py"]),
        (["a:b.py", "c\\d.py", "\x1b[2J.py"], ["a_b.py", "c_d.py", "_[2J.py"]),
        (["感知机 (1).py", "é.py", "notes　2.txt"], ["感知机 (1).py", "é.py", "notes　2.txt"]),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="bytes of a name are POSIX's")
def test_names_that_cannot_be_sent_become_plain_ones(given, plain):
    for main, name in zip(given, plain, strict=True):
        if "/" not in main:
            made = module._assemble(main, {one: one.encode(errors="replace") for one in given})
            assert (made.main, made.name) == (name, name)
            assert made.files[name] == main.encode(errors="replace")
            assert set(made.files) == set(plain)
            assert made.sha256
    assert module._plain_names(given) == dict(zip(given, plain, strict=True))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_file_whose_name_is_gbk_is_graded_as_any_other(tmp_path):
    course = make_course(tmp_path / "course")
    named = course / os.fsdecode("求和.py".encode("gbk"))
    named.write_text(SOLUTION, encoding="utf-8")
    result = grade("check", "hw1", str(named), "--json", cwd=course)
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout)["submission"] == "求和.py"


def test_the_hash_is_over_names_and_contents(here):
    first = read_file(write(here / "sums.py", "import a\n"))
    assert first.sha256 == read_file(here / "sums.py").sha256
    write(here / "a.py", "")
    with_sibling = read_file(here / "sums.py").sha256
    write(here / "a.py", "x")
    changed = read_file(here / "sums.py").sha256
    renamed = read_file(write(here / "other" / "b.py", "import a\n")).sha256
    assert len({first.sha256, with_sibling, changed, renamed}) == 4
    assert len(first.sha256) == 64


def test_the_hash_cannot_be_made_equal_by_moving_bytes_between_files():
    def made(**files):
        return module.Submission("a", {name: content.encode() for name, content in files.items()}, "a").sha256

    assert made(a="xy", b="z") != made(a="x", b="yz")
    assert made(a="x", b="z") != made(a="xb\0z")


def test_the_hash_does_not_depend_on_the_encoding_it_was_saved_in(here):
    (here / "a.py").write_bytes("# 感知机\r\n".encode("gbk"))
    first = read_file(here / "a.py").sha256
    (here / "a.py").write_bytes(b"\xef\xbb\xbf" + "# 感知机\n".encode())
    assert read_file(here / "a.py").sha256 == first


@pytest.mark.parametrize(
    ("source", "frameworks"),
    [
        ("import torch\n", ("torch",)),
        ("import torch.nn as nn\n", ("torch",)),
        ("from torch import nn\n", ("torch",)),
        ("import tensorflow as tf\n", ("tensorflow",)),
        ("from keras import layers\n", ("tensorflow",)),
        ("def f():\n    import torch\n", ("torch",)),
        ("import keras\nimport tensorflow\n", ("tensorflow",)),
        ("import tensorflow\nimport torch\n", ("tensorflow", "torch")),
        ("import numpy\n", ()),
        ("# import torch\n", ()),
        ("x = 'import torch'\n", ()),
        ("import torchvision\n", ()),
        ("from mytorch import torch\n", ()),
    ],
)
def test_frameworks_by_import_lines(here, source, frameworks):
    made = read_file(write(here / "sums.py", source))
    assert made.frameworks == frameworks
    assert made.framework() == (frameworks[0] if frameworks else None)


def test_a_siblings_framework_counts_and_the_main_files_comes_first(here):
    write(here / "a.py", "import tensorflow\n")
    assert read_file(write(here / "sums.py", "import a\n")).framework() == "tensorflow"
    assert read_file(write(here / "sums.py", "import a\nimport torch\n")).frameworks == ("torch", "tensorflow")


def test_a_line_is_placed_as_the_student_knows_it(here):
    made = read_file(write(here / "感知机.py", "import a\n"))
    assert made.place("感知机.py", 3) == "感知机.py:3"
    assert made.place("a.py", 7) == "a.py:7"


# --- finding --------------------------------------------------------------------------------------------------------


def test_a_named_file_relative_and_absolute(assignment, here):
    path = write(here / "any name.py", WORKED)
    assert find(assignment, path.relative_to(here), here).name == "any name.py"
    assert find(assignment, path, assignment.folder).name == "any name.py"


def test_no_such_file(assignment, here):
    error = _refused(lambda: find(assignment, here / "none.py", here))
    assert "No such file" in error.message
    assert error.hint == "The assignment asks for a file sums.py."
    write(here / "sums.py", WORKED)
    assert _refused(lambda: find(assignment, here / "sum.py", here)).hint == "Did you mean sums.py?"


def test_nothing_named_looks_here_then_in_hw1_then_in_the_assignment(assignment, here):
    def found():
        return find(assignment, None, here).source

    write(assignment.folder / "sums.py", "x = 'assignment'\n")
    assert "assignment" in found()
    write(here / "hw1_sums" / "sums.py", "x = 'slug'\n")
    assert "slug" in found()
    write(here / "hw1" / "sums.py", "x = 'id'\n")
    assert "'id'" in found()
    write(here / "sums.py", "x = 'here'\n")
    assert "here" in found()


def test_nothing_anywhere(assignment, here):
    (assignment.folder / "sums.py").unlink()
    error = _refused(lambda: find(assignment, None, here))
    assert "hw1" in error.message
    assert "sums.py" in error.message
    assert error.hint == "Name your file: grade check hw1 path/to/sums.py"


def test_of_stubs_and_a_worked_on_file_the_latter_is_meant(two_frameworks, here):
    write(here / "sums_torch.py", STUB)
    write(here / "sums_tensorflow.py", WORKED)
    assert find(two_frameworks, None, here).name == "sums_tensorflow.py"
    write(here / "sums_torch.py", STUB + "\n\n" + WORKED)  # begun
    error = _refused(lambda: find(two_frameworks, None, here))
    assert "sums_torch.py" in error.message
    assert "sums_tensorflow.py" in error.message
    assert error.hint.startswith("Name one: grade check hw1 sums_")


def test_the_courses_own_stubs_are_nothing_to_check(assignment, here):
    error = _refused(lambda: find(assignment, None, here))
    assert (error.message, error.hint) == ("You have no sums.py yet.", "Get it: grade start hw1")
    assert find(assignment, None, assignment.folder).name == "sums.py"  # who stands there means it
    stub = assignment.folder / "sums.py"
    assert find(assignment, stub, here).name == "sums.py"
    write(here / "hw1" / "sums.py", stub.read_text(encoding="utf-8"))
    assert find(assignment, None, here).name == "sums.py"


def test_which_framework_to_start_with_is_named(two_frameworks, here):
    for name in ("sums_torch.py", "sums_tensorflow.py"):
        write(two_frameworks.folder / name, STUB)
    hint = _refused(lambda: find(two_frameworks, None, here)).hint
    assert hint == "Get it: grade start hw1 --framework torch  or  grade start hw1 --framework tensorflow"
    write(two_frameworks.folder / "sums_torch.py", WORKED)
    assert find(two_frameworks, None, here).name == "sums_torch.py"


def test_untouched_stubs_only_are_several(two_frameworks, here):
    write(here / "sums_torch.py", STUB)
    assert find(two_frameworks, None, here).name == "sums_torch.py"
    write(here / "sums_tensorflow.py", STUB)
    _refused(lambda: find(two_frameworks, None, here))


# --- folders --------------------------------------------------------------------------------------------------------


def test_a_folder_with_the_expected_file(assignment, here):
    write(here / "sums.py", "import deep.inner\n")
    write(here / "deep" / "inner.py", "x = 1\n")
    (here / "weights.bin").write_bytes(b"\0\xff")
    made = find(assignment, here, here)
    assert made.main == "sums.py"
    assert made.files == {"sums.py": b"import deep.inner\n", "deep/inner.py": b"x = 1\n", "weights.bin": b"\0\xff"}


def test_a_folder_with_one_file_of_another_name(assignment, here):
    write(here / "my work" / "作业.py", SOLUTION)
    made = find(assignment, here, here)
    assert made.main == made.name == "作业.py"


def test_the_main_files_own_folder_becomes_the_root(assignment, here):
    write(here / "hw" / "sums.py", "import a\n")
    write(here / "hw" / "a.py", "")
    write(here / "elsewhere" / "b.py", "")
    assert set(find(assignment, here, here).files) == {"sums.py", "a.py"}


def test_of_several_files_the_one_that_defines_the_names(assignment, here):
    write(here / "one.py", "def add(a, b): ...\nimport two\n")
    write(here / "two.py", SOLUTION)
    write(here / "three.py", "    def add(): ...\n    slope = 1\n")
    assert find(assignment, here, here).main == "two.py"


def test_several_that_could_be_meant(assignment, here):
    for name in ("one.py", "two.py"):
        write(here / name, SOLUTION)
    error = _refused(lambda: find(assignment, here, here))
    assert "one.py, two.py" in error.message
    assert error.hint == "Name one: grade check hw1 one.py"


def test_a_folder_without_code(assignment, here):
    write(here / "README.md", "nothing")
    error_text = "expected sums.py"
    with pytest.raises(UsageError, match=error_text):
        find(assignment, here, here)


def test_rubbish_in_a_folder_is_skipped(assignment, here):
    write(here / "sums.py", WORKED)
    for name in ("__pycache__/x.pyc", ".git/config", "venv/lib/a.py", "__MACOSX/._sums.py", "._sums.py", ".DS_Store"):
        write(here / name, "rubbish")
    assert set(find(assignment, here, here).files) == {"sums.py"}


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_are_skipped(assignment, here, tmp_path):
    write(here / "sums.py", WORKED)
    write(tmp_path / "outside" / "secret.py", "secret")
    (here / "link.py").symlink_to(tmp_path / "outside" / "secret.py")
    (here / "folder").symlink_to(tmp_path / "outside")
    (here / "dangling.py").symlink_to(here / "nowhere.py")
    (here / "round").symlink_to(here)
    assert set(find(assignment, here, here).files) == {"sums.py"}


@pytest.mark.parametrize("cap", ["MAX_FILES", "MAX_TOTAL_BYTES"])
def test_a_folder_beyond_the_caps(assignment, here, monkeypatch, cap):
    for number in range(3):
        write(here / f"{number}.py", "x" * 100)
    monkeypatch.setattr(module, cap, {"MAX_FILES": 3, "MAX_TOTAL_BYTES": 300}[cap])
    _refused(lambda: find(assignment, here, here))  # several, but within
    monkeypatch.setattr(module, cap, {"MAX_FILES": 2, "MAX_TOTAL_BYTES": 299}[cap])
    with pytest.raises(UsageError, match="here has more than"):
        find(assignment, here, here)


# --- archives, and what is called .py ------------------------------------------------------------------------------


def _packed(path, **files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_an_archive_is_read_as_the_folder_in_it(assignment, here):
    files = {"my work/sums.py": "import a\n", "my work/a.py": "x = 1\n", "__MACOSX/my work/._sums.py": "\0"}
    made = find(assignment, _packed(here / "hw1.ZIP", **files), here)
    assert (made.main, made.name) == ("sums.py", "sums.py")
    assert made.files == {"sums.py": b"import a\n", "a.py": b"x = 1\n"}
    assert list(here.iterdir()) == [here / "hw1.ZIP"]


def test_an_archive_is_not_charged_for_what_is_skipped(assignment, here):
    skipped = [f"{folder}/{number}.py" for folder in ("hw/venv", "__MACOSX/hw") for number in range(module.MAX_FILES)]
    packed = _packed(here / "a.zip", **dict.fromkeys([*skipped, "hw/Icon\r"], ""), **{"hw/sums.py": WORKED})
    assert set(find(assignment, packed, here).files) == {"sums.py"}


@pytest.mark.parametrize("name", ["../sums.py", "hw/../../sums.py"])
def test_security_an_archives_name_that_leads_out_is_refused_not_skipped(assignment, here, name):
    with pytest.raises(UsageError, match="can't be unpacked"):
        find(assignment, _packed(here / "a.zip", **{"sums.py": WORKED, name: ""}), here)


def test_advice_can_be_followed(assignment, here):
    source = {"a.py": "x = 1\n", "b.py": "x = 1\n"}
    error = _refused(lambda: find(assignment, _packed(here / "two.zip", **source), here))
    assert error.hint == "Unpack it, then name one: grade check hw1 path/to/a.py"
    for name, content in source.items():
        write(here / "my work" / name, content)
        write(here / "作业" / name, content)
    name = str(Path("my work", "a.py"))
    error = _refused(lambda: find(assignment, here / "my work", here))
    assert error.hint in {f"Name one: grade check hw1 '{name}'", f'Name one: grade check hw1 "{name}"'}
    error = _refused(lambda: find(assignment, here / "作业", here))
    assert error.hint == f"Name one: grade check hw1 {Path('作业', 'a.py')}"


def test_an_archive_without_code_or_with_several(assignment, here):
    with pytest.raises(UsageError, match=r"no notebook in a\.zip; expected sums\.py"):
        find(assignment, _packed(here / "a.zip", **{"README.md": "nothing"}), here)
    error = _refused(lambda: find(assignment, _packed(here / "b.zip", **{"1.py": SOLUTION, "2.py": SOLUTION}), here))
    assert "1.py, 2.py" in error.message


def test_an_archive_beyond_the_caps(assignment, here, monkeypatch):
    packed = _packed(here / "a.zip", **{"1.py": "x" * 100, "2.py": "x" * 100})
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 199)
    with pytest.raises(UsageError, match=r"a\.zip has more than"):
        find(assignment, packed, here)


@pytest.mark.parametrize("name", ["sums.py", "sums.ipynb"])
@pytest.mark.parametrize(("content", "kind"), [(b"%PDF-1.7\n", "PDF"), (b"Rar!\x1a\x07\x00", "RAR")])
def test_what_is_no_source_whatever_it_is_called(here, name, content, kind):
    (here / name).write_bytes(content)
    assert f"its content is {kind}" in _refused(lambda: read_file(here / name)).message


def test_what_is_packed_otherwise_has_to_be_unpacked(here):
    error = _refused(lambda: read_file(write(here / "sums.tar.gz", "x")))
    assert error.hint.startswith("Unpack it")


def test_a_suffix_may_be_in_capitals(here):
    assert read_file(write(here / "SUMS.PY", "x = 1\n")).main == "SUMS.PY"


@pytest.mark.parametrize(
    "line",
    ["import data/labels first", "import " + "long" * 100, "from " + "x" * 300 + " import y", "import a..b, c d"],
)
def test_a_line_of_text_that_begins_with_import_names_no_module(tmp_path, line):
    path = tmp_path / "m.py"
    path.write_text(f'"""\n{line}\n"""\nimport os\n')
    assert set(module.imported_modules(path.read_text())) <= {"a", "c", "os"}
    assert list(read_file(path).files) == ["m.py"]


@pytest.mark.parametrize("source", ["import " + "a, " * 5000, "import a\n" * 5000, "from a import b\n" * 5000])
def test_security_no_more_imports_are_looked_at_than_a_homework_has(source):
    assert module.imported_modules(source) == ["a"] * 1000
