from __future__ import annotations

import ast
from pathlib import Path

import pytest

from autograder.course import find_course, load_course
from autograder.errors import ConfigError
from autograder.release import StubState, release_stubs, stubs
from autograder.stub import make_stub
from tests.tiny_course import ASSIGNMENT, SOLUTION, attempt, make_course, write

NAME = Path("mlp.py")

FUNCTION = '''\
def fit(x):
    """Fit."""
    # BEGIN SOLUTION (Task 2.1: fit)
    secret = 3
    return secret
    # END SOLUTION
'''


@pytest.mark.parametrize(
    ("solution", "stub"),
    [
        (
            FUNCTION,
            FUNCTION.replace("secret = 3\n    return secret", 'raise NotImplementedError("Task 2.1: fit")'),
        ),
        ("x = 1\n# BEGIN SOLUTION (imports)\nimport a\n# END SOLUTION\ny = 2\n",
         "x = 1\n# BEGIN SOLUTION (imports)\n# imports: your code goes here\n# END SOLUTION\ny = 2\n"),
        ("    # BEGIN SOLUTION\n    x\n    # END SOLUTION\n",
         '    # BEGIN SOLUTION\n    raise NotImplementedError("your code")\n    # END SOLUTION\n'),
        ("\t# BEGIN SOLUTION (a)\n\tx\n\t# END SOLUTION\n",
         '\t# BEGIN SOLUTION (a)\n\traise NotImplementedError("a")\n\t# END SOLUTION\n'),
        (r'  # BEGIN SOLUTION (a "\b" (c))  ' + "\n  x\n  # END SOLUTION  \n",
         r'  # BEGIN SOLUTION (a "\b" (c))  ' + "\n  " + r'raise NotImplementedError("a \"\\b\" (c)")'
         + "\n  # END SOLUTION  \n"),
        ("  # BEGIN SOLUTION (empty)\n  # END SOLUTION",
         '  # BEGIN SOLUTION (empty)\n  raise NotImplementedError("empty")\n  # END SOLUTION\n'),
        ("# BEGIN SOLUTION (一)\nx\n# END SOLUTION",
         "# BEGIN SOLUTION (一)\n# 一: your code goes here\n# END SOLUTION\n"),
    ],
)  # fmt: skip
def test_make_stub(solution, stub):
    assert make_stub(solution, NAME) == stub


def test_two_regions_and_everything_around_them_stays():
    made = make_stub(SOLUTION, NAME)
    assert made.count("raise NotImplementedError") == 2
    assert "return" not in made.replace("Return", "")
    kept = [line for line in SOLUTION.splitlines() if "return" not in line]
    assert [line for line in made.splitlines() if "NotImplementedError" not in line] == kept
    ast.parse(made)


def test_nothing_of_a_region_is_left():
    assert "secret" not in make_stub(FUNCTION, NAME)


def test_a_stub_of_a_stub_is_the_same_stub():
    stub = make_stub(SOLUTION, NAME)
    assert make_stub(stub, NAME) == stub


@pytest.mark.parametrize("char", ["\x0c", "\x1c", "\u2028", "\x85"])
def test_lines_end_where_python_ends_them(char):
    source = f"x = 'a{char}b'\n{FUNCTION}"
    assert make_stub(source, NAME).startswith(f"x = 'a{char}b'\n")


@pytest.mark.parametrize(
    ("solution", "line", "says"),
    [
        ("x = 1\n", None, "no `# BEGIN SOLUTION"),
        ("x = 1 # BEGIN SOLUTION\n# END SOLUTION (x)\n", None, "no `# BEGIN SOLUTION"),
        ("x\n# BEGIN SOLUTION (a)\ny\n", 2, "without `# END SOLUTION`"),
        ("# BEGIN SOLUTION (a)\n# BEGIN SOLUTION (b)\n# END SOLUTION\n", 1, "without `# END SOLUTION`"),
        ("x\ny\n# END SOLUTION\n", 3, "without `# BEGIN SOLUTION`"),
        ("# BEGIN SOLUTION\n# END SOLUTION\n# END SOLUTION\n", 3, "without `# BEGIN SOLUTION`"),
    ],
)
def test_wrong_regions_are_told_with_their_line(solution, line, says):
    with pytest.raises(ConfigError) as caught:
        make_stub(solution, NAME)
    assert (caught.value.file, caught.value.line) == (NAME, line)
    assert says in caught.value.message


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


TWO_FRAMEWORKS = ASSIGNMENT.replace("seeds:", "frameworks: [torch, tensorflow]\nseeds:")


def _states(course, *, write):
    return [(stub.path.name, stub.state) for stub in release_stubs(load_course(course).assignment("hw1"), write=write)]


def test_a_stub_in_step_is_left_alone(course):
    path = course / "assignments/hw1_sums/sums.py"
    before = path.stat().st_mtime_ns
    assert _states(course, write=False) == [("sums.py", StubState.FRESH)]
    assert _states(course, write=True) == [("sums.py", StubState.FRESH)]
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("how", ["missing", "edited"])
def test_a_stale_stub_is_told_and_written_when_asked_for(course, how):
    path = course / "assignments/hw1_sums/sums.py"
    wanted = path.read_bytes()
    path.unlink() if how == "missing" else path.write_text("edited", encoding="utf-8")
    assert _states(course, write=False) == [("sums.py", StubState.STALE)]
    assert not path.exists() or path.read_text(encoding="utf-8") == "edited"
    assert _states(course, write=True) == [("sums.py", StubState.WRITTEN)]
    assert path.read_bytes() == wanted
    assert _states(course, write=False) == [("sums.py", StubState.FRESH)]


def test_line_ends_of_a_windows_checkout_are_not_stale(course):
    path = course / "assignments/hw1_sums/sums.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert _states(course, write=False) == [("sums.py", StubState.FRESH)]


def test_a_stub_for_each_framework_and_a_missing_solution(course):
    write(course / "assignments/hw1_sums/assignment.yml", TWO_FRAMEWORKS)
    for name in ("sums_torch.py", "sums_tensorflow.py"):
        with pytest.raises(ConfigError, match=f"no solution {name}"):
            _states(course, write=True)
        write(course / "solutions/hw1_sums" / name, SOLUTION)
    assert [name for name, _ in _states(course, write=True)] == ["sums_torch.py", "sums_tensorflow.py"]


def test_a_missing_solution_writes_nothing(course):
    write(course / "assignments/hw1_sums/assignment.yml", TWO_FRAMEWORKS)
    write(course / "solutions/hw1_sums/sums_torch.py", SOLUTION)
    with pytest.raises(ConfigError):
        _states(course, write=True)
    assert not (course / "assignments/hw1_sums/sums_torch.py").exists()


def test_the_stub_says_that_it_is_not_implemented_and_the_solution_is_right(course):
    stub = make_stub(SOLUTION, NAME)
    assert attempt(course, stub, tasks=("1.1",)).checks[0].message == "not implemented yet: Task 1.1: add"
    assert attempt(course, SOLUTION, tasks=("1.1",)).score == 10


# --- this repository ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignment_id", ["hw1", "hw2", "hw3"])
def test_the_stubs_that_are_committed_are_in_step(repository, assignment_id):
    assignment = find_course(repository).assignment(assignment_id)
    made = stubs(assignment)
    assert [path.name for path in made] == list(assignment.stub_names)
    for path, wanted in made.items():
        assert path.read_text(encoding="utf-8") == wanted, f"run grade release --write {assignment_id}"
        ast.parse(wanted)
