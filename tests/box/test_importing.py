"""The submission becomes a module: files stay in their folder, names of files change nothing."""

from __future__ import annotations

import os
import types
from typing import TYPE_CHECKING

import pytest

from autograder.box import importing
from autograder.box.protocol import Unsendable

if TYPE_CHECKING:
    from tests.box.conftest import Opener


# --- files ----------------------------------------------------------------------------------------------------------


def test_files_are_written_with_their_folders(tmp_path):
    importing.write_files({"a.py": b"1", "data/深/x.bin": b"\0"}, tmp_path)
    assert (tmp_path / "a.py").read_bytes() == b"1"
    assert (tmp_path / "data" / "深" / "x.bin").read_bytes() == b"\0"


NOT_BELOW = ["../a.py", "/tmp/a.py", "data/../../a.py", "..", "a/..", "..\\..\\a.py", "C:\\a.py", "C:a.py", "a\0.py"]


@pytest.mark.parametrize("name", NOT_BELOW)
def test_security_no_file_is_written_outside_the_folder(tmp_path, name):
    folder = tmp_path / "box"
    folder.mkdir()
    with pytest.raises(ValueError, match="not below the folder"):
        importing.write_files({name: b"x"}, folder)
    assert [path.name for path in tmp_path.rglob("*")] == ["box"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["model 12:30.pt", "a\\b.pt"])
def test_a_folder_with_a_name_that_not_every_system_takes_is_the_students_failure(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(Unsendable, match="a colon or a backslash"):
        importing.read_folder(tmp_path)


def test_the_names_are_what_the_module_defines():
    module = types.ModuleType("submission")
    vars(module).update({"fit": 1, "_own": 2, "np": types, "__author__": "x", 3: 4})
    assert importing.defined_names(module) == ["fit", "_own"]


def test_of_very_many_names_some_are_told():
    module = types.ModuleType("submission")
    vars(module).update({f"name{number}": 1 for number in range(2000)})
    assert len(importing.defined_names(module)) == 500


# --- names of files -------------------------------------------------------------------------------------------------

ANSWER = "def answer(): return 42"


@pytest.mark.parametrize(
    "main",
    [
        "感知机.py",
        "my answer (1).py",
        "1st.py",
        "class.py",
        "submission.py",
        "worker.py",
        "autograder.py",
        "numpy.py",
        "hw1.final.py",
        "__main__.py",
    ],
)
def test_a_file_of_any_name_can_be_graded(open_box: Opener, main):
    assert open_box(ANSWER, main=main).call("answer") == 42


def test_files_called_like_libraries_do_not_take_their_places(open_box: Opener):
    student = open_box(
        """
        import json, random
        import numpy
        def answer(): return [random.__file__ == __file__, json.loads("[1]"), numpy.zeros(1).tolist()]
        """,
        files={"json.py": "raise RuntimeError", "numpy.py": "raise RuntimeError"},
        main="random.py",
    )
    assert student.call("answer") == [False, [1], [0.0]]


def test_a_sibling_that_imports_the_main_file_gets_the_same_module(open_box: Opener):
    student = open_box(
        """
        import helper
        class Model: pass
        def answer(): return helper.is_model(Model())
        """,
        files={"helper.py": "def is_model(x):\n    import answer\n    return isinstance(x, answer.Model)"},
    )
    assert student.call("answer") is True


def test_the_submission_comes_last_on_the_path(open_box: Opener):
    student = open_box("import os, sys\ndef answer(): return sys.path[-1] == os.getcwd() and '' not in sys.path")
    assert student.call("answer") is True


NOTEBOOK = """
    get_ipython().run_line_magic("matplotlib", "inline")
    display("shown", 1)
    def answer(): return 42
"""


def test_a_notebooks_code_has_what_every_notebook_has(open_box: Opener):
    student = open_box(NOTEBOOK, notebook=True)
    assert student.call("answer") == 42
    assert student.client.take_output() == "'shown'\n1\n"  # as IPython shows them


def test_other_code_has_nothing_that_it_did_not_import(open_box: Opener):
    assert open_box(NOTEBOOK).load_failure().text == "name 'get_ipython' is not defined"


# --- imports that fail ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "kind", "line"),
    [
        ("x = (1,\n", "SyntaxError", 1),
        ("def f():\n    return 1\n\nimport nothing_like_it", "ModuleNotFoundError", 4),
        ("x = 1\ny = x / 0", "ZeroDivisionError", 2),
        ("import sys\nsys.exit(3)", "SystemExit", 2),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", 1),
        ("raise NotImplementedError('Task 1.1')", "NotImplementedError", 1),
    ],
)
def test_an_import_that_fails_is_told_with_its_place_each_time_it_is_asked(open_box: Opener, source, kind, line):
    student = open_box(source)
    raised = student.load_failure()
    assert raised.type_name == kind
    assert (raised.frames[0].file, raised.frames[0].line, raised.frames[0].student) == ("answer.py", line, True)
    assert student.load_failure() == raised
    assert student.raised_by("answer") == raised


def test_a_null_byte_in_the_source_is_told(open_box: Opener):
    assert open_box("x = 1\0").load_failure().type_name in {"SyntaxError", "ValueError"}


def test_an_error_in_a_sibling_is_told_where_it_is(open_box: Opener):
    raised = open_box("import helper", files={"helper.py": "x = 1\n1 / 0\n"}).load_failure()
    assert [(frame.file, frame.line) for frame in raised.frames if frame.student] == [
        ("answer.py", 1),
        ("helper.py", 2),
    ]


def test_what_the_import_printed_belongs_to_who_waits_for_it(open_box: Opener):
    student = open_box("print('hello from the import')\n1 / 0")
    assert student.client.take_output() == ""
    student.load_failure()
    assert student.client.take_output() == "hello from the import\n"
