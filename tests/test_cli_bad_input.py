"""One clear message for each thing that can be wrong with a command, and the exit codes of DESIGN §8."""

from __future__ import annotations

import json
import os
import sys

import pytest

from autograder.course import find_course
from tests.tiny_course import ASSIGNMENT, COURSE, SOLUTION, grade, make_course, write

NO_TORCH = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else find(name, package)
"""


@pytest.fixture
def course(tmp_path):
    folder = make_course(tmp_path / "course")
    write(folder / "sums.py", SOLUTION)
    return folder


def listing(folder):
    return {
        path.relative_to(folder): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts  # compiled checks are kept, as Python does
    }


def refused(course, *arguments, cwd=None, code=2):
    """Run a command that must be refused; return its message and hint as people see them, checked against --json."""
    before = listing(course)
    result = grade(*arguments, cwd=cwd or course)
    assert (result.returncode, result.stdout) == (code, b"")
    said = result.stderr.decode()
    assert said.startswith("Error: ")
    assert "Traceback (most recent" not in said
    assert listing(course) == before
    return said


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chek", "hw1"], "There is no command 'chek'.\n  Did you mean check?"),
        (["frobnicate"], "There is no command 'frobnicate'.\n  See grade --help."),
        (["check"], "Missing argument"),
        (["check", "hw1", "sums.py", "more.py"], "unexpected extra argument: more.py"),
        (["check", "hw1", "--hiden"], "There is no option --hiden. Did you mean --hidden?"),
        (["check", "hw1", "--bogus"], "There is no option --bogus.\n"),
        (["check", "hw1", "--device", "gpu"], "is not one of"),
        (["check", "hw1", "--lang", "fr"], "is not one of"),
        (["check", "hw1", "--task"], "requires an argument"),
        (["check", "hw1", "--full=3"], "does not take a value"),
        (["validate", "hw1", "--jobs", "x"], "'x' is not a whole number"),
        (["data", "import", "fashion-mnist", "none.zip"], "No such file or folder: none.zip"),
        (["data", "--lang", "en"], "Missing command"),
        (["validate"], "Name one assignment, or give --all."),
        (["validate", "hw1", "--all"], "Name one assignment, or give --all."),
        (["validate", "hw1", "--jobs", "0"], "0 is not in the range"),
        (["release"], "Give one of --write, --check and --out."),
        (["release", "--write", "--check"], "Give one of --write, --check and --out."),
        (["release", "--write", "--force"], "--force has something to do only with --out"),
        (["release", "--check", "--force"], "--force has something to do only with --out"),
        (["new", "hw5"], "Missing option"),
        (["new", "HW5", "--title", "x"], "letters and digits, beginning with a letter; came 'HW5'"),
        (["new", "hw1", "--title", "x"], "assignments/hw1_sums exists already."),
    ],
)
def test_wrong_commands(course, arguments, says):
    assert says in refused(course, *arguments).replace(os.sep, "/")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["check", "hw11"], "There is no assignment 'hw11' in this course.", "Did you mean hw1? There are: hw1."),
        (["check", "hw9"], "There is no assignment 'hw9' in this course.", "There are: hw1."),
        (
            ["check", "homework1"],
            "There is no assignment 'homework1' in this course.",
            "Did you mean hw1? There are: hw1.",
        ),
        (["check", "quiz"], "There is no assignment 'quiz' in this course.", "There are: hw1."),
        (["validate", "hw11"], "There is no assignment 'hw11' in this course.", "Did you mean hw1? There are: hw1."),
        (["check", "hw1", "none.py"], "No such file or folder: none.py", "Did you mean sums.py?"),
        (["check", "hw1", "course.yml"], "course.yml is neither a .py file nor a notebook.", "Hand in Python source"),
        (["check", "hw1", "sums.py", "--task", "9"], "There is no task '9' in hw1.", "Its tasks are: 1.1, 2."),
        (
            ["check", "hw1", "--device", "mps"],
            "sums.py imports neither torch nor tensorflow: there is nothing that could compute on mps.",
            "Leave --device",
        ),
    ],
)
def test_things_that_are_not_there(course, arguments, message, hint):
    said = refused(course, *arguments)
    assert said.startswith(f"Error: {message}\n  {hint}")
    result = grade(*arguments, *([] if arguments[0] == "validate" else ["--json"]), cwd=course)
    if arguments[0] == "check":
        error = json.loads(result.stdout)["error"]
        assert (result.returncode, result.stderr) == (2, b"")
        assert (error["message"], error["exit_code"]) == (message, 2)
        assert error["hint"].startswith(hint)


@pytest.mark.parametrize(
    "arguments", [["check", "--json"], ["check", "hw1", "--json", "--nothing"], ["validate", "--json"]]
)
def test_json_is_one_document_for_wrong_commands_too(course, arguments):
    result = grade(*arguments, cwd=course)
    assert (result.returncode, result.stderr) == (2, b"")
    assert json.loads(result.stdout)["error"]["exit_code"] == 2


# --- the submission -------------------------------------------------------------------------------------------------


def test_an_empty_file(course):
    write(course / "sums.py", "\n \n")
    assert refused(course, "check", "hw1", "sums.py").startswith("Error: sums.py is empty.\n  Was it saved?")


def test_a_damaged_notebook(course):
    write(course / "a.ipynb", "{")
    assert "a.ipynb is not a readable notebook" in refused(course, "check", "hw1", "a.ipynb")


def test_several_files_that_could_be_meant(course):
    write(course / "sums.ipynb", "{}")
    assert refused(course, "check", "hw1").startswith("Error: Several files could be meant: sums.py, sums.ipynb.")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_security_names_of_files_cannot_repaint_the_terminal(course):
    for name in ("a\x1b[2Jsums.py", "b\rsums.py"):
        write(course / "two" / name, SOLUTION)
    said = refused(course, "check", "hw1", "two")
    assert "a [2Jsums.py, b sums.py" in said
    assert not {"\x1b", "\r"} & set(said)
    assert said.count("\n") == 2


def test_a_folder_without_code(course):
    write(course / "empty" / "README.md", "x")
    assert "There is no .py file and no notebook in empty" in refused(course, "check", "hw1", "empty")


def test_a_framework_that_is_not_installed_comes_with_the_exact_pip_line(course, tmp_path):
    write(tmp_path / "path" / "sitecustomize.py", NO_TORCH)
    write(course / "sums.py", f"import torch\n{SOLUTION}")
    result = grade(
        "check", "hw1", "sums.py", cwd=course, PYTHONPATH=os.pathsep.join([str(tmp_path / "path"), *sys.path])
    )
    assert result.returncode == 2
    said = result.stderr.decode()
    assert said.startswith("Error: sums.py imports torch, which is not installed for this Python.\n  Install it: ")
    assert f"{sys.executable} -m pip install torch" in said


def test_hidden_checks_that_are_not_there(course):
    (course / "assignments/hw1_sums/hidden/test_sums_hidden.py").unlink()
    said = refused(course, "check", "hw1", "sums.py", "--hidden")
    assert said.startswith("Error: There are no hidden checks for hw1 here.\n  They are in the instructors' checkout")


WRONG = [
    ("def add(a, b:\n    return a\n", ["Python can't read sums.py:1", "def add(a, b:", "^", "try"]),
    ("print 'x'\n", ["Python can't read sums.py:1", "This is Python 2"]),
    (SOLUTION.replace("def add", "def sum_up"), ["sums.py defines no add", "Define add at the left margin"]),
    (SOLUTION.replace("def add", "def Add"), ["sums.py defines no add", "Found Add; the handout asks for add."]),
    (SOLUTION.replace("return a + b", "import os; os._exit(0)"), ["your code ended its own process (exit status 0)"]),
    (SOLUTION.replace("return a + b", "while True: pass"), ["out of time", "your code did not come back within 1 s"]),
    (SOLUTION.replace("return a + b", "print('x' * 3_000_000); import time; time.sleep(60)"),
     ["too much output", "your code printed more than 1 MB"]),
    (SOLUTION.replace("return a + b", "return a + c"), ["NameError: name 'c' is not defined", "sums.py:7 in add"]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "words"), WRONG)
def test_what_is_wrong_with_an_answer_is_a_report_and_exit_code_1(course, source, words):
    call_s = 1 if "out of time" in words else 30  # what ends by another limit, or by itself, has all the time for it
    write(course / "course.yml", COURSE.replace("call_s: 30", f"call_s: {call_s}, output_mb: 1"))
    write(course / "sums.py", source)
    result = grade("check", "hw1", "sums.py", "--task", "1.1", cwd=course)
    said = result.stdout.decode()
    assert (result.returncode, result.stderr) == (1, b"")
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert str(course) not in said
    assert said.count("Score 0 / 10") == 1


# --- the course -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["check", "hw1"], ["validate", "--all"], ["release", "--check"],
                                       ["new", "hw5", "--title", "x"]])  # fmt: skip
def test_no_course_yml_above_this_folder(course, tmp_path, arguments):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    said = refused(course, *arguments, cwd=elsewhere)
    assert said.startswith(
        f"Error: No course.yml in {elsewhere} or any folder above it.\n  Go to the folder of your course"
    )


def test_a_course_below_this_folder_is_named(course, tmp_path):
    said = refused(course, "check", "hw1", cwd=tmp_path)
    assert said.endswith("\n  There is one in: course. Go there (cd), and try again.\n")


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (
            "course.yml",
            COURSE.replace("limits:", "limit:"),
            "course.yml:3: limit: there is no such key\n  Did you mean limits?",
        ),
        ("course.yml", "id: [", "course.yml:2: not YAML"),
        ("course.yml", "", "course.yml:1: expected keys and values"),
        ("assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("points: 40", "points: 41"), "add up to 40 points"),
        ("assignments/hw1_sums/assignment.yml", ASSIGNMENT.replace("full: 0.5", "full: 5"), "wrong way round"),
        ("assignments/hw1_sums/tests/test_sums_public.py", "import nowhere\n", "No module named 'nowhere'"),
        ("assignments/hw1_sums/tests/test_sums_public.py", "def test_x(): pass\n", "a check needs the points marker"),
    ],
)
def test_a_mistake_in_the_courses_files(course, file, content, says):
    write(course / file, content)
    assert says in refused(course, "check", "hw1", "sums.py")


@pytest.mark.parametrize("command", ["check", "start", "run"])
def test_where_an_assignment_is_missing_those_there_are_are_listed(course, command):
    title = find_course(course).assignment("hw1").spec.title.en
    assert refused(course, command).endswith(f"\n  The assignments of this course:\n    hw1  {title}\n")


def test_where_an_assignment_is_missing_and_no_course_is_here_that_is_said(tmp_path):
    said = refused(tmp_path, "check")
    assert said.startswith("Error: Missing argument HW.\n  Usage: grade check [OPTIONS] HW [FILE]\n  ")
    assert "No course.yml in " in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["check"], "缺少参数：作业。\n  用法：grade check [选项] 作业 [文件]\n  这门课的作业：\n    hw1  "),
        (["check", "hw1", "sums.py", "more.py"], "多出了参数：more.py"),
        (["check", "hw1", "--hiden"], "没有选项 --hiden。是不是想写 --hidden？"),
        (["check", "hw1", "--device", "gpu"], "--device 不能是 'gpu'，可以是：'auto', 'cpu', 'cuda', 'mps'。"),
        (["check", "hw1", "--task"], "选项 --task 后面要写一个值。"),
        (["check", "hw1", "--full=3"], "选项 --full 后面不能写值。"),
        (["validate", "hw1", "--jobs", "0"], "--jobs 的值 0 不在范围内：x>=1。"),
        (["validate", "hw1", "--jobs", "x"], "--jobs 的值 'x' 不是整数。"),
        (["new", "hw5"], "缺少选项 --title。"),
        (["data", "import", "fashion-mnist", "none.zip"], "没有这个文件或文件夹：none.zip"),
        (["data", "--lang", "zh"], "缺少命令。\n  用法：grade data [选项] 命令 …"),
    ],
)
def test_wrong_commands_in_chinese(course, arguments, says):
    result = grade(*arguments, cwd=course, GRADE_LANG="zh")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.decode().startswith(f"错误：{says}")


@pytest.mark.parametrize("command", [["check", "hw1", "sums.py", "--lang", "zh"], ["validate", "hw9", "--lang", "zh"]])
def test_messages_in_chinese(course, command):
    write(course / "sums.py", "")
    result = grade(*command, cwd=course)
    assert result.returncode == 2
    assert result.stderr.decode().startswith("错误：")


# --- author's commands ----------------------------------------------------------------------------------------------


def test_release_says_what_is_stale_and_writes_it(course):
    def run(*arguments):
        result = grade("release", *arguments, cwd=course)
        return result.returncode, result.stdout.decode().strip()

    stub = course / "assignments/hw1_sums/sums.py"
    wanted = stub.read_bytes()
    assert run("--check") == (0, "hw1_sums/sums.py: in step with its solution")
    write(stub, "edited")
    assert run("hw1", "--check") == (1, "hw1_sums/sums.py: stale; run grade release --write")
    assert run("hw1", "--write") == (0, "hw1_sums/sums.py: written")
    assert stub.read_bytes() == wanted


def test_release_on_a_broken_solution_writes_nothing(course):
    write(course / "solutions/hw1_sums/sums.py", "x = 1\n# BEGIN SOLUTION (a)\n")
    said = refused(course, "release", "--write")
    assert "solutions/hw1_sums/sums.py:2: a `# BEGIN SOLUTION` without `# END SOLUTION`" in said.replace(os.sep, "/")


def test_new_lists_what_it_made_and_what_to_do_next(course):
    result = grade("new", "hw5", "--title", "Rows: and more", "--framework", "torch", cwd=course)
    lines = result.stdout.decode().replace(os.sep, "/").splitlines()
    assert result.returncode == 0
    assert "  assignments/hw5_rows_and_more/assignment.yml" in lines
    assert "  solutions/hw5_rows_and_more/rows_and_more_torch.py" in lines
    assert lines[-1].startswith("Made hw5. Fill in the blanks")
    assert all((course / line.strip()).is_file() for line in lines[:-1])


def test_validate_shows_a_table_and_exits_with_1_where_anything_is_wrong(course):
    result = grade("validate", "hw1", "--jobs", "2", cwd=course)
    said = " ".join(result.stdout.decode().split())
    assert (result.returncode, result.stderr) == (1, b"")
    assert "hw1 wrong/ 0.0 no wrong answers; at least 8 are wanted" in said
    assert "hw1 solution sums.py 40/40" in said
    assert "Attempts: 3 · problems: 1" in said


def test_validate_json_is_one_document(course):
    result = grade("validate", "--all", "--json", cwd=course)
    document = json.loads(result.stdout)
    assert (result.returncode, result.stderr) == (1, b"")
    assert [len(outcome["problems"]) for outcome in document["outcomes"]] == [1, 0, 0]
