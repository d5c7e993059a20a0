"""Lines of English, Chinese and both are broken where people break them, and fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from autograder.messages.wrapping import break_offsets, columns, wrapped
from autograder.report.flowing import Flowing


@pytest.mark.parametrize(
    ("said", "width", "lines"),
    [
        ("", 10, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("one\n  two", 20, ["one two"]),
        ("abcdefghij kl", 4, ["abcd", "efgh", "ij", "kl"]),
        ("检查作业并显示得分", 8, ["检查作业", "并显示得", "分"]),
        ("检查作业，显示得分", 8, ["检查作", "业，显示", "得分"]),  # no line begins with a comma
        ("先看（任务）再做", 6, ["先看", "（任", "务）再", "做"]),  # and none ends with an opening bracket
        ("用 PyTorch 训练模型", 12, ["用 PyTorch", "训练模型"]),
        ("默认用PyTorch训练", 9, ["默认用", "PyTorch训", "练"]),  # a word is whole, with or without spaces
        ("在 ./作业名/ 里找", 11, ["在 ./作业", "名/ 里找"]),
        ("path/to/file.py 里", 15, ["path/to/file.py", "里"]),
        ("“a b”", 3, ["“a", "b”"]),
    ],
)
def test_where_lines_are_broken(said, width, lines):
    assert wrapped(said, width) == lines


@given(st.text(alphabet="ab 感知机，。（）“”/…\t\u0301", max_size=60), st.integers(2, 20))
def test_every_line_fits_and_nothing_is_lost(said, width):
    lines = wrapped(said, width)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(said.split())


def test_no_letter_is_lost_where_a_line_is_just_as_long_as_its_column():
    said = "2026029.py 无法评分：2026029.py is not Python source: its content is Word."
    for width in range(20, 90):
        lines = Flowing(said).wrap(Console(width=100), width, overflow="ellipsis")
        assert "".join(line.plain for line in lines).replace(" ", "") == said.replace(" ", ""), width


def test_security_a_long_line_takes_time_in_proportion():
    for piece in ("，", "（", "a", "感", "/", " ", "a/", "（a"):
        break_offsets(piece * 100_000, 80)  # squared, it would take hours
