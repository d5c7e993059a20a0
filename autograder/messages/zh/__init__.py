"""The Chinese texts, a file for each part of the program.

One word for one thing, here as in the handouts, the notebooks and README.zh.md; `tests/test_chinese_terms.py` holds
them to it:

    assignment  作业          task  任务 (not 小题, 题)       check  检查          submission  提交 (what was handed in)
    cell  单元格              code cell  代码单元格           hidden  隐藏         handout  题目, 作业说明
    score  得分               points  分值                    stub  骨架           solution  参考答案

题目 is the handout's text ("what the handout asks for"), never one of its tasks; 单元 alone is a unit of a network.
"""

from __future__ import annotations

from importlib import import_module

from autograder.messages.parts import PARTS

MESSAGES: dict[str, str] = {}
for _part in PARTS:
    MESSAGES |= import_module(f"{__name__}.{_part}").MESSAGES
