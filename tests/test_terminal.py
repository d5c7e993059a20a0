from __future__ import annotations

import io
import re

import pytest
from rich.cells import cell_len
from rich.console import Console

from autograder.messages import CATALOGUES, set_language
from autograder.report import terminal
from autograder.report.html import report_html
from autograder.report.terminal import exit_code, print_report
from autograder.results import Environment, MetricResult, Note, Status
from tests.test_results import make_check, make_report

FAILING = [status for status in Status if status not in {Status.PASSED, Status.PARTIAL, Status.SKIPPED}]


def rendered(report, *, encoding="utf-8", width=100, colours=False, verbose=False):
    """Return what is printed, as a console of this encoding would show it."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", newline="\n")
    console = Console(
        file=file, width=width, highlight=False, legacy_windows=False, no_color=not colours,
        force_terminal=colours, color_system="truecolor" if colours else None,
    )  # fmt: skip
    print_report(report, verbose=verbose, console=console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def failed(status=Status.FAILED, **changes):
    return make_check(**{"status": status, "score": 0.0, "message": "it went wrong"} | changes)


@pytest.fixture
def in_chinese():
    set_language("zh")
    yield
    set_language("en")


# --- lines ----------------------------------------------------------------------------------------------------------


AS_READ = """\
hw1  mlp.py  torch 2.5.1 on cpu · isolation: process

Task 1
✓ 10/10 shapes are right

Task 2
✗ 0/10 the fit holds
       mlp.py:3 in fit: return y
       expected shape (3,)
       came     shape (3, 1)
       try      Squeeze it.

Score 10 / 20  partly right  12.3 s
Not checked here: hidden checks, 30 points. Your instructor runs them.
"""


def test_a_report_as_it_is_read():
    wrong = failed(
        task="2", title="the fit holds", expected="shape (3,)", came="shape (3, 1)", hint="Squeeze it.",
        frames=("mlp.py:3 in fit: return y",),
    )  # fmt: skip
    report = make_report(
        make_check(title="shapes are right", score=10.0), wrong,
        submission="mlp.py", framework="torch", environment=Environment(python="3.11", torch="2.5.1"),
        score=10.0, max_points=20.0, duration_s=12.34, hidden_points_not_run=30.0,
    )  # fmt: skip
    assert "\n".join(_lines(report)) + "\n" == AS_READ


def test_notes_stand_below_the_score_each_with_its_count():
    once, often = Note(kind="stand_in", text="one\x1b[2J"), Note(kind="numeric_warning", text="many", times=3)
    assert _lines(make_report(make_check(), notes=(once, often)))[-2:] == ["Note: one [2J", "Note: many (3 times)"]


def test_notes_in_chinese(in_chinese):
    assert (
        _lines(make_report(make_check(), notes=(Note(kind="stand_in", text="一", times=2),)))[-1] == "说明：一（2 次）"
    )


def _lines(report, **options):
    return [line.rstrip() for line in rendered(report, **options).splitlines()]


def test_head_says_framework_device_and_isolation():
    plain = make_report(framework=None, environment=Environment(python="3.12.1"))
    assert "python 3.12.1 on cpu · isolation: process" in _lines(plain)[0]


@pytest.mark.parametrize(
    ("name", "memory", "said"),
    [
        ("NVIDIA H100", 85_520_809_984, "cuda: NVIDIA H100, 80 GB"),
        ("NVIDIA GeForce RTX 3060", 12_622_168_064, "cuda: NVIDIA GeForce RTX 3060, 12 GB"),
        ("NVIDIA H100", 0, "cuda: NVIDIA H100"),
        ("", 536_870_912, "cuda: 0.5 GB"),
        ("", 0, "cuda"),
    ],
)
def test_head_names_the_gpu_with_its_memory(name, memory, said):
    gpu = make_report(
        framework="torch", device="cuda", device_name=name, device_memory=memory,
        environment=Environment(torch="2.5.1"),
    )  # fmt: skip
    assert f"torch 2.5.1 on {said} · isolation" in _lines(gpu)[0]


def test_head_names_another_python_and_verbose_its_path():
    where = "/opt/lesson/bin/python"
    for framework, said in (("torch", "torch 2.5.1, python 3.10.2"), (None, "python 3.10.2")):
        report = make_report(
            framework=framework, environment=Environment(python="3.10.2", torch="2.5.1", python_path=where)
        )
        assert f"{said} on cpu" in _lines(report)[0]
        assert where not in _lines(report)[0]
        assert f"{said} ({where}) on cpu" in " ".join(_lines(report, verbose=True)[:2])


def test_why_no_gpu_is_used_stands_below_the_head():
    report = make_report(framework="torch", device_problem="the driver is too old")
    assert _lines(report)[1] == "No GPU is used: the driver is too old"


def test_a_check_that_another_task_needs_shows_no_points():
    lines = _lines(make_report(failed(title="add returns the sum", max_points=0.0)))
    assert "✗  add returns the sum  (needed by the task you asked for; not counted)" in lines


def test_one_line_a_check_with_points_and_sentence():
    lines = _lines(make_report(make_check(title="add returns the sum", score=10.0)))
    assert "✓ 10/10 add returns the sum" in lines


def test_a_failed_check_says_what_was_expected_what_came_and_what_to_try():
    lines = _lines(make_report(failed(expected="5", came="6", hint="Use +.", message="does not hold")))
    text = "\n".join(lines)
    assert re.search(r"expected +5\n.*came +6\n.*try +Use \+\.", text)
    assert "does not hold" not in text  # expected and came say it better


def test_without_an_expectation_the_message_is_shown():
    text = rendered(make_report(failed(Status.ERROR, message="ValueError: bad", frames=("mlp.py:3: raise",))))
    assert text.index("ValueError: bad") < text.index("mlp.py:3: raise")


@pytest.mark.parametrize("status", FAILING)
def test_a_failing_status_has_its_mark_and_is_named(status):
    (line,) = [line for line in _lines(make_report(failed(status), status=status)) if "y is right" in line]
    assert line.startswith("✗ 0/10")
    named = CATALOGUES["en"][f"status.{status.value}"] in line
    assert named is (status not in {Status.FAILED, Status.INTERNAL})


@pytest.mark.parametrize(
    ("status", "mark"), [(Status.PASSED, "✓"), (Status.PARTIAL, "◐"), (Status.SKIPPED, "–"), (Status.ERROR, "✗")]
)
def test_marks(status, mark):
    assert f"\n{mark}" in rendered(make_report(make_check(status=status)))


@pytest.mark.parametrize("status", list(Status))
def test_the_attempts_status_is_beside_the_score(status):
    score = 10.0 if status is Status.PASSED else 0.0
    line = next(line for line in _lines(make_report(status=status, score=score)) if line.startswith("Score"))
    assert CATALOGUES["en"][f"status.{status.value}"] in line


def test_failed_with_points_reads_partly_right():
    line = next(line for line in _lines(make_report(status=Status.FAILED, score=5.0)) if line.startswith("Score"))
    assert "partly right" in line


def test_a_passed_check_shows_neither_hint_nor_output():
    check = make_check(score=10.0, hint="Use +.", stdout_tail="hello", staff_note="note")
    text = rendered(make_report(check), verbose=True)
    assert not {"Use +.", "hello", "note"} & set(text.split())


def test_hidden_checks_are_marked_as_such_and_those_not_run_are_told():
    assert "y is right  (hidden)" in rendered(make_report(make_check(hidden=True)))
    assert "hidden" not in rendered(make_report())
    assert "Not checked here: hidden checks, 37.5 points." in rendered(make_report(hidden_points_not_run=37.5))


def test_tasks_in_the_order_of_their_checks():
    checks = [make_check(task="2", title="b"), make_check(task="1", title="a"), make_check(task="2", title="c")]
    text = rendered(make_report(*checks))
    assert re.findall(r"Task \d|[abc]$", text, re.MULTILINE) == ["Task 2", "b", "c", "Task 1", "a"]


def test_where_nothing_could_run_it_is_said_once():
    said = "Python can't read mlp.py:3: invalid syntax"
    checks = [failed(Status.ERROR, message=said, frames=("mlp.py:3", "x = = 1", "    ^"), hint="Look.")] * 5
    lines = _lines(make_report(*checks, message=said, status=Status.ERROR, score=0.0))
    assert lines.count(said) == 1
    assert "x = = 1" in lines
    assert "    ^" in lines
    assert not any("y is right" in line for line in lines)


# --- metrics --------------------------------------------------------------------------------------------------------


def _metric(**changes):
    return MetricResult(
        **{"value": 0.123456, "values": (0.123456,), "better": "lower", "full": 0.01, "zero": 0.5, "scale": "log"}
        | changes
    )


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        (_metric(), "nmse 0.123 · full marks at ≤ 0.01, none from 0.5"),
        (_metric(better="higher", full=0.9, zero=0.5), "nmse 0.123 · full marks at ≥ 0.9, none up to 0.5"),
        (_metric(full=None, zero=None), "nmse 0.123 (not graded)"),
        (_metric(values=(0.1, 0.123456, 9.0)), "nmse 0.123 (median of 0.1, 0.123, 9) · full marks at ≤ 0.01, none"),
        (_metric(value=float("inf"), values=(float("nan"),)), "nmse inf · full marks"),
        (_metric(value=1234567.0), "nmse 1.23e+06 · full marks"),
    ],
)
@pytest.mark.parametrize("status", [Status.PARTIAL, Status.PASSED])
def test_metric_lines(metric, line, status):
    assert line in rendered(make_report(make_check(status=status, metrics={"nmse": metric})))


def test_a_value_is_not_rounded_onto_the_threshold_it_missed():
    check = make_check(status=Status.PARTIAL, score=9.99, metrics={"nmse": _metric(value=0.0100004)})
    assert "nmse 0.01 ·" not in rendered(make_report(check))


# --- points ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "shown"),
    [
        (0.0, "0"), (10.0, "10"), (100, "100"), (2.5, "2.5"), (1 / 3, "0.3"), (9.94, "9.9"), (99.96, "99.960"),
        (9.999, "9.999"), (0.04, "0.040"), (0.1 + 0.2, "0.3"), (66.66666, "66.7"),
    ],
)  # fmt: skip
def test_points_are_rounded_for_showing_only(points, shown):
    assert terminal.shown_points(points) == shown


@pytest.mark.parametrize("points", [9.9996, 99.99999, 19.9999999])
def test_points_are_never_rounded_up_to_a_whole_that_was_not_reached(points):
    assert float(terminal.shown_points(points)) < round(points)


# --- encodings ------------------------------------------------------------------------------------------------------

MARKED = [make_check(title=status.value, status=status) for status in Status]


@pytest.mark.parametrize(
    ("encoding", "marks"), [("utf-8", "✓◐–✗"), ("gbk", "√◇–×"), ("ascii", "+~-x"), ("latin-1", "+~-×")]
)
def test_marks_are_those_that_the_console_can_show(encoding, marks):
    text = rendered(make_report(*MARKED), encoding=encoding)
    assert {line[0] for line in text.splitlines() if re.match(r". +\d+/\d+", line)} == set(marks)


def test_a_chinese_report_needs_no_replacement_on_a_gbk_console(in_chinese):
    metrics = {"nmse": _metric(values=(0.1, 0.2))}
    checks = [failed(status, hint="试试", expected="三", came="四", metrics=metrics) for status in Status]
    report = make_report(*MARKED, *checks, hidden_points_not_run=3.0)
    assert "?" not in rendered(report, encoding="gbk", verbose=True)


def test_an_english_report_needs_no_replacement_on_a_gbk_console():
    checks = [failed(status, hint="h", expected="e", came="c", metrics={"m": _metric()}) for status in Status]
    assert "?" not in rendered(make_report(*MARKED, *checks, hidden_points_not_run=3.0), encoding="gbk", verbose=True)


# --- what students' code says ---------------------------------------------------------------------------------------

EVIL = "a\x1b[2J\x1b]0;title\x07b\x08\x9bc\u202ed"


@pytest.mark.parametrize("field", ["message", "expected", "came", "hint", "staff_note", "stdout_tail"])
def test_control_characters_do_not_reach_the_terminal(field):
    check = failed(Status.ERROR, **{"message": "", field: EVIL})
    text = rendered(make_report(check), verbose=True, colours=False)
    assert "a" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.mark.parametrize("where", ["frames", "report message"])
def test_control_characters_do_not_reach_the_terminal_by_other_ways(where):
    check = failed(Status.ERROR, frames=(EVIL,) if where == "frames" else ())
    report = make_report(check, message=EVIL if where == "report message" else "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", rendered(report, verbose=True))


@pytest.mark.parametrize("report", [
    make_report(submission=EVIL), make_report(framework="torch", environment=Environment(torch=EVIL)),
    make_report(device_name=EVIL), make_report(environment=Environment(platform=EVIL)),
], ids=["file", "torch", "device", "platform"])  # fmt: skip
def test_control_characters_do_not_reach_the_terminal_from_the_head(report):
    assert "\x1b" not in rendered(report, verbose=True)


def test_what_students_write_is_no_markup():
    text = rendered(make_report(failed(Status.ERROR, message="[red]x[/red] [link=http://a]b", stdout_tail="[bold]")))
    assert "[red]x[/red] [link=http://a]b" in text
    assert "[bold]" in text


def test_the_end_of_the_output_is_shown_and_all_of_it_with_verbose():
    check = failed(stdout_tail="".join(f"step {number}\n" for number in range(50)))
    short, long = rendered(make_report(check)), rendered(make_report(check), verbose=True)
    assert "your output (last 8 lines):" in short
    assert "step 41" not in short
    assert "step 42" in short
    assert "step 49" in short
    assert "step 0" in long


def test_a_long_line_of_output_takes_one_line_and_all_of_it_with_verbose():
    check = failed(stdout_tail=f"{'0.5, ' * 100}end\n第二行{'二' * 100}完\n")
    short, long = rendered(make_report(check), width=60), rendered(make_report(check), width=60, verbose=True)
    assert sum("0.5, 0.5" in line for line in short.splitlines()) == 1
    assert "…" in short
    assert "第二行" in short
    assert "end" not in short
    assert "完" not in short
    assert long.replace("\n", "").count("0.5") == 100
    assert "完" in long
    assert all(cell_len(line) <= 60 for line in (short + long).splitlines())


def test_what_went_wrong_as_before_is_told_with_its_hint_once():
    def one(number, message="slow", **changes):
        return failed(id=f"test_x::test_{number}", message=message, hint="Be quick.", frames=("a.py:1: x",), **changes)

    report = make_report(one(1), make_check(id="passed"), one(2, task="2"), one(3, "other"), one(4))
    for said, times in (("slow", 3), ("other", 1), ("Be quick.", 3), ("a.py:1", 3)):
        assert rendered(report).count(said) == report_html(report).count(said) == times
    assert rendered(report, verbose=True).count("Be quick.") == 4


def test_verbose_shows_staff_notes_and_the_environment():
    report = make_report(
        failed(staff_note="torch/nn/linear.py:7"), environment=Environment(python="3.11.7", numpy="2.1", threads=2)
    )
    assert "linear.py" not in rendered(report)
    text = " ".join(rendered(report, verbose=True).split())
    assert "torch/nn/linear.py:7" in text
    assert "Python 3.11.7, numpy 2.1" in text
    assert "2 threads, seeds 0, 1, checks 111111111111, submission 000000000000" in text


def test_long_words_are_folded_and_nothing_is_lost():
    word = "x" * 500
    text = rendered(make_report(failed(expected=word, came="y" * 300)), width=60)
    assert text.count("x") >= 500
    assert max(map(len, text.splitlines())) <= 60


def test_colour_only_where_asked_for():
    assert "\x1b[" in rendered(make_report(), colours=True)
    assert "\x1b" not in rendered(make_report())


def test_the_report_in_chinese(in_chinese):
    text = rendered(make_report(failed(expected="三", came="四", hint="数一数"), hidden_points_not_run=3.0))
    for word in ("任务 1", "应为", "实际", "试试", "得分 5 / 10", "隐藏检查，共 3 分"):
        assert word in text


# --- exit codes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["passed"], 0),
        (["passed", "passed"], 0),
        (["passed", "partial"], 1),
        (["failed"], 1),
        (["error"], 1),
        (["skipped"], 1),
        (["timeout", "passed"], 1),
        (["passed", "internal"], 3),
        (["failed", "internal"], 3),
    ],
)
def test_exit_code_by_design_8(statuses, code):
    assert exit_code(make_report(*(make_check(status=status) for status in statuses))) == code


# --- lines that fit -------------------------------------------------------------------------------------------------


def test_chinese_fills_its_lines():
    lines = _lines(
        make_report(failed(hint="每一轮都打印损失和准确率，损失几乎不降就试试 Adam，或者调大学习率")), width=40
    )
    start = next(number for number, line in enumerate(lines) if "每一轮" in line)
    assert [cell_len(line) > 36 for line in lines[start : start + 2]] == [True, True]
    assert all(cell_len(line) <= 40 for line in lines)


def test_what_is_piped_has_no_spaces_at_the_ends_of_lines(capsys):
    print_report(make_report(make_check(score=10.0), failed(hint="Squeeze it.")))
    piped = capsys.readouterr().out
    assert "Squeeze it." in piped
    assert [line for line in piped.split("\n") if line != line.rstrip()] == []
    assert piped.endswith("\n")
