"""One Chinese word for one thing, wherever a student or an instructor reads it: autograder/messages/zh says which."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WRITTEN = {".ipynb", ".j2", ".md", ".py", ".in", ".yml"}
GLOSSARY = ROOT / "autograder" / "messages" / "zh" / "__init__.py"
# What a term is written as elsewhere, and what it is called here.
OTHER_WORDS = {
    r"小题|[每各那这道]道?题(?!目)|[全各每]部?个?题目": "任务",
    r"代码单元(?!格)|代码格|单元格子": "代码单元格",
}


def _said():
    """Every text with Chinese in it that we write."""
    folders = [ROOT / name for name in ("autograder", "assignments", "solutions", "docs")]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix in WRITTEN]
    for path in [ROOT / "README.zh.md", ROOT / "course.yml", *files]:
        if path != GLOSSARY:
            yield from ((path, number, line) for number, line in enumerate(_lines(path), start=1) if not line.isascii())


def _lines(path):
    return path.read_text(encoding="utf-8").splitlines()


SAID = list(_said())


@pytest.mark.parametrize("other", OTHER_WORDS)
def test_one_thing_has_one_name(other):
    found = [(path.relative_to(ROOT).as_posix(), number, line) for path, number, line in SAID if re.search(other, line)]
    assert found == [], f"say {OTHER_WORDS[other]}"


def test_the_terms_are_those_in_use():
    used = "\n".join(line for _, _, line in SAID)
    assert all(used.count(term) > 20 for term in ("任务", "单元格"))
    assert "代码单元格" in used


@pytest.mark.parametrize(
    "said", ["小题 {task}", "每道题的得分", "检查全部题目", "{file} 第 {cell} 个代码单元第 {line} 行"]
)
def test_other_words_are_found(said):
    assert any(re.search(other, said) for other in OTHER_WORDS)


@pytest.mark.parametrize("said", ["题目要求的是 {asked}", "每层 64 个单元，ReLU", "主题", "每一行的标题", "隐藏单元。"])
def test_words_that_mean_something_else_stay(said):
    assert not any(re.search(other, said) for other in OTHER_WORDS)
