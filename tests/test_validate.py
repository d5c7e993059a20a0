from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from autograder.course import load_course
from autograder.errors import ConfigError
from autograder.judge.attempt import run_attempt
from autograder.messages import set_language
from autograder.report.validation import print_validation, progress_bar
from autograder.results import Outcome, Status, Validation
from autograder.submission import read_file
from autograder.validate import MIN_WRONG, Expect, Job, _judge, options_of, outcome_of, plan, validate
from tests.test_results import make_check, make_report
from tests.tiny_course import ASSIGNMENT, PUBLIC, SOLUTION, WRONG, expectation, make_course, write, wrong_answer

SOLUTION_FILE, STUB_FILE = "solutions/hw1_sums/sums.py", "assignments/hw1_sums/sums.py"
SHORT = SOLUTION.replace("for x in xs)\n    # END", "for x in xs) + 1\n    # END")


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path, wrong=True)


def load(course):
    return load_course(course).assignment("hw1")


def jobs(course, kind):
    return [job for job in plan(load(course))[0] if job.kind == kind]


def run_job(job):
    """Make an attempt in this process."""
    return outcome_of(job, lambda: run_attempt(job.assignment, read_file(job.file), options_of(job)), time.monotonic())


def problems_of(course, kind, name=None):
    (job,) = [job for job in jobs(course, kind) if name in {None, job.file.parent.name}]
    return list(run_job(job).problems)


def seen(course):
    return {(outcome.title, problem) for outcome in plan(load(course))[1] for problem in outcome.problems}


# --- the whole ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_an_assignment_that_is_proved(course, warm):
    told = []
    validation = validate([load(course)], workers=2, warm=warm, tell=lambda *what: told.append(what))
    assert [(outcome.title, outcome.problems) for outcome in validation.outcomes if outcome.problems] == []
    assert validation.problems == 0
    assert [outcome.title for outcome in validation.outcomes] == [
        "solution sums.py", "stub sums.py", *(f"wrong/{name}" for name in sorted(WRONG)),
    ]  # fmt: skip
    assert [(done, total) for done, total, _ in told] == [(number, 10) for number in range(1, 11)]
    assert validation.outcomes[0].score == validation.outcomes[0].max_points == 40


def test_problems_are_told_in_the_language_in_force_from_all_processes(course):
    write(course / SOLUTION_FILE, SHORT)
    for name in WRONG:
        (course / f"solutions/hw1_sums/wrong/{name}/expect.yml").unlink()
    set_language("zh")
    try:
        validation = validate([load(course)], workers=1, tell=lambda *_: None)
    finally:
        set_language("en")
    problems = [problem for outcome in validation.outcomes for problem in outcome.problems]
    assert len(problems) == validation.problems == 2
    assert "还没有典型错误" in problems[0]
    assert problems[1].startswith("得 27.5 分，满分 40")


# --- solutions and stubs --------------------------------------------------------------------------------------------


def test_a_solution_that_falls_short_is_told_with_its_checks(course):
    write(course / SOLUTION_FILE, SHORT)
    (problem,) = problems_of(course, "solution")
    assert problem.startswith("scores 27.5 of 40: ")
    assert "test_sums_public::test_slope partial" in problem
    assert "test_sums_hidden::test_slope_negative what the check expects does not hold -2" in problem


def test_a_metric_that_was_not_measured_because_its_check_failed_is_no_second_problem(course):
    write(course / SOLUTION_FILE, SOLUTION.replace("return a + b", "return a - b"))
    assert len(problems_of(course, "solution")) == 1


def test_a_solution_is_run_with_all_seeds_and_the_hidden_checks(course):
    write(course / SOLUTION_FILE, SOLUTION.replace("return sum(", "return (9 if seed > 0 else 0) + sum("))
    (problem,) = problems_of(course, "solution")
    assert problem.startswith("scores 30 of 40")


def test_a_metric_that_no_check_records(course):
    write(
        course / "assignments/hw1_sums/assignment.yml",
        ASSIGNMENT.replace("metrics:\n", "metrics:\n  unused: {better: lower, full: 1, zero: 2}\n"),
    )
    assert problems_of(course, "solution") == ["no check records the metric unused"]


def test_an_untouched_stub_that_scores(course):
    write(course / STUB_FILE, SOLUTION)
    problems = problems_of(course, "stub")
    assert problems[0] == "the untouched stub scores 40"
    assert ("sums.py", "sums.py is not what its solution gives; run grade release --write") in seen(course)


def test_a_stub_that_fails_by_anything_else_than_being_a_stub(course):
    stub = (course / STUB_FILE).read_text(encoding="utf-8")
    write(course / STUB_FILE, stub.replace("NotImplementedError", "ValueError", 1))
    problems = problems_of(course, "stub")
    assert len(problems) == 2
    assert all("says “ValueError: Task 1.1: add”" in problem for problem in problems)


def test_a_solution_without_regions_or_missing(course):
    write(course / SOLUTION_FILE, "x = 1\n")
    with pytest.raises(ConfigError, match="no `# BEGIN SOLUTION"):
        plan(load(course))
    (course / SOLUTION_FILE).unlink()
    with pytest.raises(ConfigError, match=r"no solution sums\.py"):
        plan(load(course))


def test_a_mistake_in_the_checks_becomes_a_problem_of_each_attempt(course):
    write(course / "assignments/hw1_sums/tests/test_sums_public.py", PUBLIC.replace("points(10", "points(11", 1))
    for kind in ("solution", "stub"):
        (problem,) = problems_of(course, kind)
        assert "its public points are 10" in problem


def test_a_broken_check_is_one_problem_of_an_attempt(course):
    """It scores nothing and does not say that it is not implemented, and neither is news."""
    write(
        course / "assignments/hw1_sums/tests/test_sums_public.py", PUBLIC.replace("    came", "    1 / 0\n    came", 1)
    )
    (of_solution,), (of_stub,) = (problems_of(course, kind) for kind in ("solution", "stub"))
    assert of_solution.count("ZeroDivisionError") == 1
    assert of_solution == of_stub


# --- wrong answers --------------------------------------------------------------------------------------------------


def expect(course, name, **changes):
    lines = [line for line in expectation(name).splitlines() if line.split(":")[0] not in changes]
    lines += [f"{key}: {value}" for key, value in changes.items() if value is not None]
    write(course / f"solutions/hw1_sums/wrong/{name}/expect.yml", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        ("minus", {}, None),
        ("minus", {"fails": "[test_slope_negative]", "may_fail": "[test_add, test_slope, test_add_negative]"},
         "test_slope_negative should fail, but came out as passed"),
        ("minus", {"may_fail": "[test_slope]"},
         "test_add_negative came out as failed, and expect.yml does not list it"),
        ("minus", {"score": "[20, 40]"}, "scores 10, outside 20 to 40"),
        ("minus", {"score": "[0, 9]"}, "scores 10, outside 0 to 9"),
        ("minus", {"fails": "[test_ad, test_add]"}, "there is no check 'test_ad'"),
        ("minus", {"fails": "[test_add_negative]", "run": "fails", "may_fail": None, "score": "[0, 30]"}, None),
        ("minus", {"fails": "[test_add_negative]", "run": "fails", "may_fail": None, "score": "[0, 20]"},
         "could score up to 30, above 20"),
        ("minus", {"fails": "[test_ad]", "run": "fails", "may_fail": None}, "No check of hw1 was run."),
        ("one_off", {"fails": "[test_slope]"}, None),
    ],
)  # fmt: skip
def test_what_a_wrong_answer_must_come_to(course, name, changes, problem):
    expect(course, name, **changes)
    problems = problems_of(course, "wrong", name)
    assert problems == ([] if problem is None else [problem])


def test_a_wrong_answer_that_is_right(course):
    write(course / "solutions/hw1_sums/wrong/minus/sums.py", SOLUTION)
    assert problems_of(course, "wrong", "minus") == [
        "test_add should fail, but came out as passed",
        "scores 40, outside 0 to 30",
    ]


def test_only_the_deciding_checks_are_run_where_that_is_enough(course):
    expect(course, "minus", run="fails", may_fail=None)
    (job,) = [job for job in jobs(course, "wrong") if job.file.parent.name == "minus"]
    assert run_job(job).max_points == 10


def test_fewer_wrong_answers_than_there_should_be(course):
    (course / "solutions/hw1_sums/wrong/minus/expect.yml").unlink()
    assert ("wrong/", f"only 7 wrong answers; at least {MIN_WRONG} are wanted") in seen(course)


@pytest.mark.parametrize("files", [[], ["sums.py", "other.py"], ["sums.py", "sums.ipynb"]])
def test_a_wrong_answer_is_exactly_one_file(course, files):
    folder = course / "solutions/hw1_sums/wrong/minus"
    (folder / "sums.py").unlink()
    for name in files:
        write(folder / name, wrong_answer("minus"))
    assert ("minus", "expected exactly one .py file or notebook beside expect.yml") in seen(course)
    assert "minus" not in {job.file.parent.name for job in jobs(course, "wrong")}


def test_a_wrong_answer_that_cannot_be_read_is_a_problem_and_not_the_end(course):
    write(course / "solutions/hw1_sums/wrong/minus/sums.py", "")
    assert problems_of(course, "wrong", "minus") == [
        f"{course / 'solutions/hw1_sums/wrong/minus/sums.py'} is empty."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"score": "[30, 0]"}, "score", "expected two numbers, low then high"),
        ({"score": "[-1, 0]"}, "score", "expected two numbers, low then high"),
        ({"score": "30"}, "score", "came 30"),
        ({"score": None}, "score", "missing"),
        ({"fails": "test_add"}, "fails", "came 'test_add'"),
        ({"fail": "[test_add]"}, "fail", "no such key"),
        ({"run": "some"}, "run", "came 'some'"),
        ({"fails": "[]", "run": "fails"}, "", "`run: all` is expected"),
        ({"framework": "pytorch"}, "framework", "came 'pytorch'"),
    ],
)
def test_errors_in_expect_yml(course, changes, key, says):
    expect(course, "minus", **changes)
    with pytest.raises(ConfigError) as caught:
        plan(load(course))
    assert caught.value.key == key
    assert says in caught.value.message
    assert caught.value.file.name == "expect.yml"


# --- judging reports ------------------------------------------------------------------------------------------------

EXPECT = Expect(why={"en": "x"}, fails=("test_y",), score=(0, 30), run="all")


def judged(course, status, score=0.0, name="test_y", expect=EXPECT):
    job = Job(load(course), "wrong", course / SOLUTION_FILE, expect)
    checks = [
        make_check(id="t::test_y", status="failed", score=0),
        make_check(id="t::test_z", status="passed", score=9),
    ]
    index = 0 if name == "test_y" else 1
    checks[index] = make_check(id=f"t::{name}", status=status, score=score)
    return list(_judge(job, make_report(*checks, score=sum(check.score for check in checks), max_points=20)))


@pytest.mark.parametrize("status", [status for status in Status if status not in {Status.PASSED, Status.INTERNAL}])
def test_whatever_says_that_the_answer_is_wrong_counts_as_failing(course, status):
    assert judged(course, status) == []
    assert judged(course, status, name="test_z") == [f"test_z came out as {status}, and expect.yml does not list it"]


def test_a_mistake_that_no_check_can_see_may_cost_points_where_it_says_so(course):
    advice = EXPECT.model_copy(update={"fails": (), "may_fail": ("test_y",), "score": (9, 20)})
    for status in (Status.PASSED, Status.PARTIAL):
        assert judged(course, status, score=2, expect=advice) == []
    assert judged(course, Status.FAILED, name="test_z", expect=advice) == [
        "test_z came out as failed, and expect.yml does not list it",
        "scores 0, outside 9 to 20",
    ]


def test_our_own_error_is_no_proof_that_the_answer_is_wrong(course):
    assert judged(course, Status.INTERNAL) == ["t::test_y: ", "test_y should fail, but came out as internal"]


def test_our_own_error_is_a_problem_wherever_it_is(course):
    assert judged(course, Status.INTERNAL, name="test_z") == ["t::test_z: "]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"score": "[0, 41]"}, "expected two numbers, low then high, within the assignment's points"),
        ({"may_fail": "[test_slope, test_add_negative, no_such]"}, "there is no check 'no_such'"),
    ],
)
def test_an_expectation_that_cannot_be_meant(course, changes, problem):
    expect(course, "minus", **changes)
    assert problems_of(course, "wrong", "minus") == [problem]


# --- the table ------------------------------------------------------------------------------------------------------


def _table(validation):
    console = Console(file=io.StringIO(), width=120, highlight=False)
    print_validation(validation, console)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_the_table_and_its_summary():
    lines = _table(
        Validation(
            duration_s=61.7,
            outcomes=(
                Outcome(assignment="hw1", title="solution a.py", score=40.0, max_points=40.0, duration_s=1.26),
                Outcome(
                    assignment="hw1", title="wrong/b", score=10.5, max_points=40.0, duration_s=2.0,
                    problems=("too [bold]high", "too low"),
                ),
                Outcome(assignment="hw1", title="wrong/"),
            ),
        )
    )  # fmt: skip
    assert lines == [
        "assignment what score s verdict",
        "hw1 solution a.py 40/40 1.3 as expected",
        "hw1 wrong/b 10.5/40 2.0 too [bold]high",
        "too low",
        "hw1 wrong/ 0.0 as expected",
        "Attempts: 3 · problems: 2 · 62 s",
    ]


def test_a_problem_of_several_attempts_is_told_once_with_how_many_have_it():
    def one(title, *problems, assignment="hw1"):
        return Outcome(assignment=assignment, title=title, problems=problems)

    outcomes = (one("a", "broken", "short"), one("b", "broken"), one("c"), one("d", "broken", assignment="hw2"))
    validation = Validation(duration_s=1, outcomes=outcomes)
    assert _table(validation)[1:] == [
        "hw1 a 0.0 broken (in 2 attempts)",
        "short",
        "hw1 b 0.0 as above",
        "hw1 c 0.0 as expected",
        "hw2 d 0.0 broken",
        "Attempts: 4 · problems: 3 · 1 s",
    ]


def test_a_long_line_of_chinese_is_not_cut_off():
    problem = "检查本身出错，是我们的问题（NotImplementedError: 要手工翻译）" * 3
    lines = _table(Validation(duration_s=1, outcomes=(Outcome(assignment="hw1", title="a", problems=(problem,)),)))
    assert "…" not in "".join(lines)
    assert "".join(lines).replace(" ", "").count("要手工翻译") == 3


def test_on_a_terminal_the_bar_shows_how_many_are_done(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(enabled=True) as tell:
        tell(3, 20, "hw1 [wrong]/minus")
    assert "3/20" in terminal.getvalue()
    assert "hw1 [wrong]/minus" in terminal.getvalue()


def test_on_a_pipe_there_is_no_bar(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with progress_bar(enabled=True) as tell:
        tell(1, 2, "hw1 solution")
    assert pipe.getvalue() == ""
