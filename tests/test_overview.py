"""`grade list`: due dates in words, scores so far, and a table that is right in any console."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from rich.console import Console

from autograder.course import load_course
from autograder.history import Scope, record
from autograder.messages import set_language
from autograder.overview import overview
from autograder.report.overview import from_now, print_overview
from tests.test_results import make_report
from tests.tiny_course import ASSIGNMENT, COURSE, SOLUTION, grade, make_course, write

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)  # 20:00 in Shanghai


@pytest.fixture
def course(tmp_path):
    folder = make_course(tmp_path)
    entries = "[{id: hw1, due: 2026-12-06T23:59}, {id: hw2, due: 2026-11-29T23:59}, {id: hw3}]"
    write(folder / "course.yml", COURSE.replace("[{id: hw1}]", entries) + "timezone: Asia/Shanghai\n")
    long = "title: {en: A much longer title about gradients that go downhill, zh: 一个关于梯度下降的很长很长的标题}"
    text = ASSIGNMENT.replace("id: hw1", "id: hw2").replace("title: {en: Sums, zh: 求和}", long)
    write(folder / "assignments/hw2_more/assignment.yml", text)
    write(folder / "assignments/hw9_extra/assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw9"))
    return folder


@pytest.fixture
def in_chinese():
    set_language("zh")
    yield
    set_language("en")


def rendered(course, *, width=100, encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace", newline="\n")
    console = Console(file=file, width=width, highlight=False, legacy_windows=False, no_color=True)
    print_overview(overview(load_course(course)), now=NOW, console=console)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


# --- when -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delta", "said"),
    [
        (timedelta(days=3), "in 3 days"),
        (timedelta(days=1), "in 1 day"),
        (timedelta(hours=27), "in 1 day"),
        (timedelta(hours=28), "in 2 days"),  # it is the day after tomorrow
        (timedelta(hours=23, minutes=59), "in 23 hours"),
        (timedelta(hours=1), "in 1 hour"),
        (timedelta(minutes=59), "in 59 minutes"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(seconds=5), "in 1 minute"),
        (timedelta(seconds=-90), "1 minute ago"),
        (timedelta(hours=-5), "5 hours ago"),
        (timedelta(days=-2), "2 days ago"),
        (timedelta(days=-400), "400 days ago"),
    ],
)
def test_how_far_off_a_date_is(delta, said):
    assert from_now((NOW + delta).astimezone(SHANGHAI), NOW) == said


def test_in_chinese_words(in_chinese):
    assert from_now(NOW + timedelta(days=3), NOW) == "还有 3 天"
    assert from_now(NOW - timedelta(hours=2), NOW) == "已过 2 小时"


def test_clocks_that_change_in_between_are_counted():
    berlin = ZoneInfo("Europe/Berlin")
    due = datetime(2026, 10, 25, 12, tzinfo=berlin)  # clocks went back at 3:00
    assert from_now(due, datetime(2026, 10, 24, 22, tzinfo=UTC)) == "in 13 hours"
    assert from_now(due, datetime(2026, 10, 25, 1, tzinfo=berlin)) == "in 12 hours"


def test_the_day_of_25_hours_is_one_day_long():
    berlin = ZoneInfo("Europe/Berlin")
    due, now = datetime(2026, 10, 25, 23, 59, tzinfo=berlin), datetime(2026, 10, 25, 0, 5, tzinfo=berlin)
    assert from_now(due, now) == "in 1 day"
    assert from_now(now, due) == "1 day ago"


# --- what -----------------------------------------------------------------------------------------------------------

TABLE = """\
Tiny course
hw   title                                                  due               points  best  latest
hw1  Sums                                                   2026-12-06 23:59      40   9/10    3/10
                                                            in 5 days
hw2  A much longer title about gradients that go downhill   2026-11-29 23:59      40      –       –
                                                            2 days ago
hw3  (not here yet)                                         –                      –      –       –
hw9  Sums                                                   –                     40      –       –
Times are those of Asia/Shanghai.
Scores are your own runs of the public checks; hidden checks come on top.
"""


def squeezed(said):
    return [line.split() for line in said.splitlines()]


def test_the_table(course):
    for score in (1.0, 9.0, 3.0):
        record(course, make_report(score=score), Scope.PUBLIC)
    record(course, make_report(score=10.0), Scope.HIDDEN)
    assert squeezed(rendered(course)) == squeezed(TABLE)


def test_scores_that_were_not_reached_are_not_rounded_up(course):
    record(course, make_report(score=9.996), Scope.PUBLIC)
    assert "9.996/10" in rendered(course)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_columns_stand_below_each_other_also_in_chinese(course, in_chinese, width):
    record(course, make_report(), Scope.PUBLIC)
    lines = rendered(course, width=width).splitlines()
    assert max(map(cell_len, lines)) <= width
    head, first = lines[1], next(line for line in lines if "求和" in line)
    for title, cell in (("标题", "求和"), ("截止", "2026-12-06 23:59")):
        assert cell_len(head[: head.index(title)]) == cell_len(first[: first.index(cell)])
    assert "2026-12-06 23:59" in first  # a date is never broken
    assert first.split()[-2:] == ["5/10", "5/10"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_gbk_console_shows_every_character(course, language):
    record(course, make_report(), Scope.PUBLIC)
    result = grade("list", "--lang", language, cwd=course, PYTHONIOENCODING="gbk")
    assert result.returncode == 0
    assert "?" not in result.stdout.decode("gbk")


def test_chinese_on_an_ascii_console_does_not_fail(course):
    result = grade("list", "--lang", "zh", cwd=course, PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"2026-12-06 23:59" in result.stdout


def test_a_title_is_no_markup(course):
    path = course / "assignments/hw1_sums/assignment.yml"
    write(path, ASSIGNMENT.replace("en: Sums", 'en: "[red]Sums[/]"'))
    assert "[red]Sums[/]" in rendered(course)


def test_a_course_without_assignments(tmp_path):
    write(tmp_path / "course.yml", "id: empty\ntitle: {en: Nothing yet}\n")
    assert rendered(tmp_path) == "Nothing yet\nThis course has no assignments.\n"


# --- the command ----------------------------------------------------------------------------------------------------


def test_json_for_programs(course):
    write(course / "sums.py", SOLUTION)
    grade("check", "hw1", "sums.py", cwd=course)
    result = grade("list", "--json", cwd=course / "assignments")
    assert (result.returncode, result.stderr) == (0, b"")
    document = json.loads(result.stdout)
    assert (document["course"], document["timezone"]) == ("tiny", "Asia/Shanghai")
    first, second, third, _ = document["assignments"]
    assert (first["title"], first["due"]) == ({"en": "Sums", "zh": "求和"}, "2026-12-06T23:59:00+08:00")
    assert (first["points"], first["attempts"]) == (40, 1)
    assert (first["best"]["score"], first["best"]["max_points"], first["latest"]["status"]) == (20, 20, "passed")
    assert (second["best"], third["title"], third["points"]) == (None, None, None)


def test_outside_a_course(tmp_path):
    result = grade("list", cwd=tmp_path)
    assert result.returncode == 2
    assert b"No course.yml" in result.stderr
