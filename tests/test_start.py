"""`grade start`: the folder that a student works in, and that nothing of theirs is ever overwritten."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import start as starting
from autograder.box.interpreter import Interpreter
from autograder.course import load_course
from autograder.errors import ConfigError, UsageError
from autograder.messages.commands import quoted
from autograder.start import describe, start
from autograder.stub import make_stub
from tests.tiny_course import ASSIGNMENT, PUBLIC, SOLUTION, environment, grade, make_course, write

TWO_FRAMEWORKS = ASSIGNMENT.replace("seeds:", "frameworks: [torch, tensorflow]\nseeds:")
FILES = ["sums.py", "README.md", "README.zh.md", "tests/test_sums_public.py", "tests/conftest.py"]


@pytest.fixture
def course(tmp_path):
    folder = make_course(tmp_path / "course")
    for name in ("README.md", "README.zh.md"):
        write(folder / "assignments/hw1_sums" / name, f"{name}, first edition\n")
    return folder


@pytest.fixture
def two(course):
    """The course, its assignment to be done in either framework."""
    write(course / "assignments/hw1_sums/assignment.yml", TWO_FRAMEWORKS)
    for framework in ("torch", "tensorflow"):
        stub = make_stub(f"import {framework}\n{SOLUTION}", framework)
        write(course / f"assignments/hw1_sums/sums_{framework}.py", stub)
    return course


def begin(course, *, cwd=None, framework=None, to=None):
    return start(load_course(course.resolve()), "hw1", framework=framework, to=to, cwd=cwd or course)


def states(started):
    return {file.path.relative_to(started.folder).as_posix(): file.state.value for file in started.files}


@pytest.fixture
def installed(monkeypatch):
    """Say which frameworks are installed."""

    def only(*names):
        found = importlib.util.find_spec
        monkeypatch.setattr(
            "importlib.util.find_spec",
            lambda name: (object() if name in names else None) if name in {"torch", "tensorflow"} else found(name),
        )

    return only


# --- what is made ---------------------------------------------------------------------------------------------------


def test_stub_handout_and_public_checks(course):
    started = begin(course)
    assert started.folder == course / "hw1"
    assert states(started) == dict.fromkeys(FILES, "made")
    assert (course / "hw1/sums.py").read_text(encoding="utf-8") == make_stub(SOLUTION, "sums.py")
    assert (course / "hw1/tests/test_sums_public.py").read_text(encoding="utf-8") == PUBLIC
    assert (course / "hw1/README.zh.md").read_text(encoding="utf-8") == "README.zh.md, first edition\n"


def test_nothing_hidden_is_copied(course):
    begin(course)
    made = [path for path in (course / "hw1").rglob("*") if path.is_file()]
    assert len(made) == len(FILES)
    assert not [path for path in made if "negative" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_stub_of_a_framework_gets_the_entrys_name(two, framework):
    begin(two, framework=framework)
    assert (two / "hw1/sums.py").read_text(encoding="utf-8").startswith(f"import {framework}\n")


def test_the_line_ends_are_those_of_posix(course):
    path = course / "assignments/hw1_sums/README.md"
    path.write_bytes(b"one\r\ntwo\r\n")
    begin(course)
    assert (course / "hw1/README.md").read_bytes() == b"one\ntwo\n"


def test_as_a_student_types_it(course):
    result = grade("start", "hw1", cwd=course)
    assert (result.returncode, result.stderr) == (0, b"")
    lines = result.stdout.decode().splitlines()
    assert lines[0].split() == ["made", str(Path("hw1", "sums.py"))]
    assert lines[-1] == f"next: edit {Path('hw1', 'sums.py')}, then: grade check hw1"
    checked = grade("check", "hw1", cwd=course)
    assert b"not implemented yet" in checked.stdout
    inside = grade("check", "hw1", cwd=course / "hw1")
    assert b"not implemented yet" in inside.stdout
    write(course / "hw1/sums.py", SOLUTION)
    assert grade("check", "hw1", cwd=course).returncode == 0
    assert grade("check", "hw1", cwd=course / "hw1").returncode == 0
    assert grade("check", "hw1", "hw1", cwd=course).returncode == 0  # the whole folder, handed in


def test_beside_a_file_that_was_begun_the_notebook_is_named(course):
    notebook = Path("hw1", "hw1.ipynb")
    started = starting.Started("hw1", course / "hw1", course / notebook, ())
    assert starting.describe(started, course)[-1].endswith("then: grade check hw1")
    write(course / "hw1/sums.py", SOLUTION)
    assert starting.describe(started, course)[-1].endswith(f"then: grade check hw1 {notebook}")


def test_where_there_is_no_notebook_to_begin_with_it_is_said_what_there_is(course):
    none = grade("start", "hw1", "--notebook", cwd=course)
    assert none.returncode == 2
    assert none.stderr.decode().splitlines() == [
        "Error: hw1 has no notebook here.", "  Leave out --notebook to work in sums.py."
    ]  # fmt: skip
    assert not (course / "hw1").exists()
    released = write(course / "hw1.ipynb", "{}")  # as nbgrader does
    here = grade("start", "hw1", "--notebook", cwd=course).stderr.decode()
    assert f"The notebook to work in is here already: {released}" in here


def test_what_is_packed_is_named_and_an_untouched_file_is_said(course):
    begin(course)
    command = ("pack", "hw1", "--id", "1")
    first, second = grade(*command, cwd=course).stdout.decode().splitlines()
    assert first == "Written: 1_hw1.zip (sums.py). This is what you hand in."
    assert second.startswith("But nothing in it is yours yet")
    stub = course / "hw1/sums.py"
    stub.write_bytes(stub.read_bytes().replace(b"\n", b"\r\n"))  # an editor on Windows
    assert "nothing in it is yours" in grade(*command, cwd=course).stdout.decode()
    write(stub, SOLUTION)
    assert "nothing in it is yours" not in grade(*command, cwd=course).stdout.decode()


def test_in_chinese(course):
    result = grade("start", "hw1", "--lang", "zh", cwd=course)
    assert "新建" in result.stdout.decode()
    assert "grade check hw1" in result.stdout.decode().splitlines()[-1]


def test_the_framework_of_the_python_that_boxes_run_with_counts(two, installed, monkeypatch, tmp_path):
    installed("torch")
    python = write(tmp_path / "python3", "never run: what it answers is given")
    found = Interpreter(str(python), "3.12.4", "/p", "/u", "x", packages={"numpy": "2.3", "tensorflow": "2.21"})
    monkeypatch.setattr(starting, "ask", {python: found}.__getitem__)
    monkeypatch.setenv("GRADE_PYTHON", str(python))
    begin(two)
    assert (two / "hw1/sums.py").read_text(encoding="utf-8").startswith("import tensorflow\n")


# --- nothing of the student's is lost -------------------------------------------------------------------------------


def test_work_is_kept_and_said(course):
    begin(course)
    mine = write(course / "hw1/sums.py", "my work\n")
    started = begin(course)
    assert states(started) == dict.fromkeys(FILES, "same") | {"sums.py": "kept"}
    assert mine.read_text(encoding="utf-8") == "my work\n"
    assert "kept" in describe(started, course)[0]


def test_a_file_that_was_there_before_is_kept(course):
    write(course / "hw1/sums.py", "my work\n")
    write(course / "hw1/README.md", "my notes\n")
    assert states(begin(course)) == dict.fromkeys(FILES, "made") | {"sums.py": "kept", "README.md": "kept"}
    assert states(begin(course)) == dict.fromkeys(FILES, "same") | {"sums.py": "kept", "README.md": "kept"}


def test_a_corrected_handout_arrives_where_it_was_not_changed(course):
    begin(course)
    write(course / "hw1/README.zh.md", "my notes\n")
    for name in ("README.md", "README.zh.md"):
        write(course / "assignments/hw1_sums" / name, "second edition\n")
    found = states(begin(course))
    assert (found["README.md"], found["README.zh.md"]) == ("refreshed", "kept")
    assert (course / "hw1/README.md").read_text(encoding="utf-8") == "second edition\n"
    assert (course / "hw1/README.zh.md").read_text(encoding="utf-8") == "my notes\n"
    write(course / "assignments/hw1_sums/README.md", "third edition\n")
    assert states(begin(course))["README.md"] == "refreshed"


def test_a_new_stub_arrives_only_before_the_work_began(course):
    begin(course)
    stub = course / "assignments/hw1_sums/sums.py"
    write(stub, stub.read_text(encoding="utf-8") + "\n# new\n")
    assert states(begin(course))["sums.py"] == "refreshed"
    write(course / "hw1/sums.py", SOLUTION)
    write(stub, stub.read_text(encoding="utf-8") + "\n# newer\n")
    assert states(begin(course))["sums.py"] == "kept"
    assert (course / "hw1/sums.py").read_text(encoding="utf-8") == SOLUTION


def test_work_that_was_taken_back_is_ours_again(course):
    begin(course)
    stub = (course / "hw1/sums.py").read_text(encoding="utf-8")
    write(course / "hw1/sums.py", "my work\n")
    begin(course)
    write(course / "hw1/sums.py", stub)
    assert states(begin(course))["sums.py"] == "same"


def test_an_editor_that_changes_line_ends_changes_nothing(course):
    begin(course)
    path = course / "hw1/README.md"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert states(begin(course))["README.md"] == "same"
    write(course / "assignments/hw1_sums/README.md", "second edition\n")
    assert states(begin(course))["README.md"] == "refreshed"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", "注释".encode("gbk")])
def test_a_file_in_another_encoding_is_kept(course, content):
    begin(course)
    (course / "hw1/sums.py").write_bytes(content)
    assert states(begin(course))["sums.py"] == "kept"
    assert (course / "hw1/sums.py").read_bytes() == content


def test_a_link_and_a_folder_are_kept(course, tmp_path):
    elsewhere = write(tmp_path / "elsewhere.py", "mine\n")
    (course / "hw1").mkdir()
    (course / "hw1/sums.py").symlink_to(elsewhere)
    (course / "hw1/README.md").mkdir()
    found = states(begin(course))
    assert (found["sums.py"], found["README.md"]) == ("kept", "kept")
    assert elsewhere.read_text(encoding="utf-8") == "mine\n"


def test_a_link_to_nowhere_is_not_written_through(course, tmp_path):
    (course / "hw1").mkdir()
    (course / "hw1/sums.py").symlink_to(tmp_path / "nowhere.py")
    assert states(begin(course))["sums.py"] == "kept"
    assert not (tmp_path / "nowhere.py").exists()


@pytest.mark.parametrize("manifest", ["", "{", '{"folders": 3}', '{"folders": {"hw1": {}}}'])
def test_without_a_readable_manifest_everything_that_differs_is_kept(course, manifest):
    begin(course)
    write(course / ".grade/started.json", manifest)
    write(course / "assignments/hw1_sums/README.md", "second edition\n")
    assert states(begin(course)) == dict.fromkeys(FILES, "same") | {"README.md": "kept"}


def test_a_manifest_that_cannot_be_written_costs_nothing(course):
    write(course / ".grade", "in the way")
    assert states(begin(course)) == dict.fromkeys(FILES, "made")


# --- where ----------------------------------------------------------------------------------------------------------


def test_another_folder(course):
    result = grade("start", "hw1", "--to", "my work/第一次", cwd=course)
    assert result.returncode == 0
    command = result.stdout.decode().splitlines()[-1].split("then: ")[1]
    assert command == f"grade check hw1 {quoted(Path('my work', '第一次', 'sums.py'))}"
    assert b"not implemented" in grade("check", "hw1", "my work/第一次/sums.py", cwd=course).stdout


def test_from_a_folder_inside_the_course_it_is_made_there(course):
    (course / "mine").mkdir()
    started = begin(course, cwd=course / "mine")
    assert started.folder == course / "mine/hw1"


def test_inside_the_folder_that_was_started_it_is_renewed(course):
    begin(course)
    started = begin(course, cwd=course / "hw1")
    assert started.folder == course / "hw1"
    assert states(started) == dict.fromkeys(FILES, "same")
    assert describe(started, course / "hw1")[-1].endswith("edit sums.py, then: grade check hw1")


def test_a_folder_outside_the_course(course, tmp_path):
    started = begin(course, to=tmp_path / "outside")
    assert states(started) == dict.fromkeys(FILES, "made")
    assert states(begin(course, to=tmp_path / "outside")) == dict.fromkeys(FILES, "same")


@pytest.mark.parametrize("to", ["assignments", "assignments/hw1_sums", "solutions/hw1_sums", "hw1/../assignments/x"])
def test_the_courses_own_folders_are_refused(course, to):
    before = sorted(course.rglob("*"))
    with pytest.raises(UsageError, match="belongs to the course"):
        begin(course, to=course / to)
    assert sorted(course.rglob("*")) == before


@pytest.mark.parametrize("to", ["file", "file/below"])
def test_a_file_in_the_way_is_said(course, to):
    write(course / "file", "mine")
    with pytest.raises(UsageError, match="a file is in the way"):
        begin(course, to=course / to)


def test_a_file_where_the_copies_belong_is_said(course):
    write(course / "hw1/tests", "mine")
    with pytest.raises(UsageError, match="Can't write in hw1"):
        begin(course)


def test_the_folder_of_another_assignment_is_refused(course):
    write(course / "assignments/hw2_more/assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw2"))
    write(course / "assignments/hw2_more/sums.py", make_stub(SOLUTION, "sums.py"))
    begin(course)
    with pytest.raises(UsageError, match="is that of hw1"):
        start(load_course(course.resolve()), "hw2", framework=None, to=course / "hw1", cwd=course)


def test_a_missing_stub_is_the_authors_error(course):
    (course / "assignments/hw1_sums/sums.py").unlink()
    with pytest.raises(ConfigError, match=r"stub sums\.py is missing"):
        begin(course)
    assert not (course / "hw1").exists()


# --- which framework ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framework", ["torch", "tensorflow"])
def test_the_one_that_is_installed_is_taken(two, installed, framework):
    installed(framework)
    said = starting.describe(begin(two), two)
    assert f"\nfor {framework}, which is the one that is installed here; --framework names another" in said
    assert (two / "hw1/sums.py").read_text(encoding="utf-8").startswith(f"import {framework}\n")
    assert not any("installed here" in line for line in starting.describe(begin(two), two))


@pytest.mark.parametrize("there", [(), ("torch", "tensorflow")])
def test_otherwise_both_are_named(two, installed, there):
    installed(*there)
    with pytest.raises(UsageError) as caught:
        begin(two)
    assert caught.value.message == "hw1 can be done with torch or tensorflow: say which."
    assert "grade start hw1 --framework torch" in caught.value.hint
    assert "grade start hw1 --framework tensorflow" in caught.value.hint
    assert not (two / "hw1").exists()


def test_the_choice_is_remembered(two, installed):
    installed("torch", "tensorflow")
    begin(two, framework="tensorflow")
    assert set(states(begin(two)).values()) == {"same"}
    assert json.loads((two / ".grade/started.json").read_text())["folders"]["hw1"]["framework"] == "tensorflow"


def test_the_choice_can_be_changed_before_the_work_began(two):
    begin(two, framework="tensorflow")
    assert states(begin(two, framework="torch"))["sums.py"] == "refreshed"
    write(two / "hw1/sums.py", "my work\n")
    assert states(begin(two, framework="tensorflow"))["sums.py"] == "kept"


def test_a_file_begun_with_another_framework_stays_and_how_to_get_the_other_is_told(two):
    begin(two, framework="torch")
    write(two / "hw1/sums.py", f"import torch\n{SOLUTION}")
    started = begin(two, framework="tensorflow")
    said = "\n".join(describe(started, two))
    assert f"{Path('hw1', 'sums.py')} was begun with torch. To begin with tensorflow: " in said
    assert "grade start hw1 --framework tensorflow --to hw1_tensorflow" in said
    assert "begun" not in "\n".join(describe(begin(two), two))  # torch it is, without being named again
    assert json.loads((two / ".grade/started.json").read_text())["folders"]["hw1"]["framework"] == "torch"


def test_a_framework_that_is_not_asked_for(two):
    with pytest.raises(UsageError, match="can't be done with jax; it takes torch or tensorflow"):
        begin(two, framework="jax")


def test_a_framework_where_none_is_used(course):
    with pytest.raises(UsageError, match="hw1 uses no framework"):
        begin(course, framework="torch")


# --- plain pytest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cwd", [".", "hw1"])
def test_plain_pytest_passes_the_copies_over(course, cwd):
    """Two files of one name would be "import file mismatch", and the copies' fixtures would find no assignment."""
    begin(course)
    write(course / "hw1/sums.py", SOLUTION)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "autograder.judge.plugin", "-p", "no:cacheprovider", "-q",
         "--submission", str(course / "hw1/sums.py")],
        cwd=course / cwd, env=environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"), capture_output=True, timeout=120,
        check=False,
    )  # fmt: skip
    said = result.stdout.decode()
    if cwd == ".":
        assert "4 passed" in said, said
    else:
        assert result.returncode == 5, said  # no tests
        assert "error" not in said.lower()
