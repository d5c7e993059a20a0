from __future__ import annotations

import csv
import io
import json

import openpyxl
import pytest

from autograder import roster
from autograder.messages import speaking
from autograder.report.export import write
from autograder.report.grades import in_words
from autograder.results import Status

ROW = {
    "id": "2026001", "name": "李华", "email": "li@example.edu", "section": "一班", "score": 7.5, "days_late": 1,
    "late_penalty": 0.75, "final": 6.75, "max_points": 10.0, "status": "partial", "problem": "", "by_hand": "ill",
    "task 1.1": 7.5,
}  # fmt: skip
CHINESE = [
    "学号", "姓名", "邮箱", "班级", "得分", "迟交天数", "迟交扣分", "最终得分", "满分", "状态", "无法评分的原因",
    "人工改分的理由", "任务 1.1",
]  # fmt: skip
ENDED = ["missing", "too late", "unreadable", "not graded yet", *(set(Status) - {Status.INTERNAL})]


@pytest.mark.parametrize("status", sorted(ENDED, key=str))
def test_english_columns_and_statuses_are_those_that_programs_know(status):
    row = ROW | {"status": str(status)}
    assert in_words(row) == row
    assert in_words({"pseudonym": "amber-fox-1"}) == {"pseudonym": "amber-fox-1"}


def test_chinese_columns_and_statuses():
    with speaking("zh"):
        shown = in_words(ROW)
    assert list(shown) == CHINESE
    assert [shown[name] for name in ("学号", "状态", "任务 1.1")] == ["2026001", "部分正确", 7.5]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_export_in_either_language_is_a_roster(tmp_path, language, kind):
    path = tmp_path / f"grades.{kind}"
    with speaking(language):
        write([ROW], kind, path)
    assert roster.read(path) == (
        roster.Person("2026001", "李华", "li@example.edu", "一班", (("email", "li@example.edu"),)),
    )


def test_json_is_for_programs(tmp_path):
    path = tmp_path / "grades.json"
    with speaking("zh"):
        write([ROW], "json", path)
    assert json.loads(path.read_bytes()) == [ROW]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "name", ["=1+1", " \t=1+1", "\n@A1", "+1", "-1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20A1"]
)
def test_security_a_name_is_no_formula_in_any_language(tmp_path, kind, name):
    assert written(tmp_path / f"grades.{kind}", name).startswith("'")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("code", [0x00, 0x07, 0x1B, 0x9B, 0x202E, 0xD800])
def test_security_a_name_that_no_file_can_hold_costs_nobody_the_export(tmp_path, kind, code):
    assert written(tmp_path / f"grades.{kind}", f"a{chr(code)}b") == "a b"


def written(path, name):
    """Write a row, and return the name as a spreadsheet reads it."""
    write([{"name": name}], path.suffix[1:], path)
    if path.suffix == ".csv":
        return next(reversed(list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))))[0]
    return openpyxl.load_workbook(path).worksheets[0]["A2"].value
