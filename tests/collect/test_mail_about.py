from __future__ import annotations

import pytest

from autograder.collect.mail_about import Known, hinted_in, named_in

KNOWN = (
    Known("hw1", ("Perceptron", "感知机"), ("perceptron",)),
    Known("hw2", ("Multi-layer perceptron", "多层感知机"), ("mlp", "mlp_torch")),
    Known("hw12"),
    Known("final-project", ("Final project", "期末项目")),
)
LABS = (Known("hw1"), Known("lab1"), Known("project2"))


@pytest.mark.parametrize(
    ("said", "known", "ids"),
    [
        ("hw2", KNOWN, {"hw2"}),
        ("HW2_2026017_张三", KNOWN, {"hw2"}),
        ("2026017张三hw2.zip", KNOWN, {"hw2"}),
        ("hw 02", KNOWN, {"hw2"}),
        ("hw-2", KNOWN, {"hw2"}),
        ("Homework 2", KNOWN, {"hw2"}),
        ("homework #2", KNOWN, {"hw2"}),
        ("Assignment No. 2", KNOWN, {"hw2"}),
        ("作业2", KNOWN, {"hw2"}),
        ("作业二", KNOWN, {"hw2"}),
        ("作业（二）", KNOWN, {"hw2"}),
        ("作业：２", KNOWN, {"hw2"}),
        ("第二次作业", KNOWN, {"hw2"}),
        ("第2次课后作业", KNOWN, {"hw2"}),
        ("深度学习第十二次作业", KNOWN, {"hw12"}),
        ("实验二", KNOWN, {"hw2"}),
        ("作业2.1", KNOWN, {"hw2"}),
        ("hw12", KNOWN, {"hw12"}),
        ("Re: final-project", KNOWN, {"final-project"}),
        ("作业1和作业2", KNOWN, {"hw1", "hw2"}),
        ("作业2026017", KNOWN, set()),
        ("交作业 张三", KNOWN, set()),
        ("shw2", KNOWN, set()),
        ("hw123", KNOWN, set()),
        ("2026017", KNOWN, set()),
        ("作业1", LABS, {"hw1"}),
        ("实验一", LABS, {"lab1"}),
        ("lab 1", LABS, {"lab1"}),
        ("练习1", LABS, {"hw1", "lab1"}),
        ("大作业2", LABS, {"project2"}),
    ],
)
def test_the_assignments_that_a_text_names(said, known, ids):
    assert named_in(said, known).ids == ids


@pytest.mark.parametrize(
    ("said", "others"), [("作业9", ("作业9",)), ("第九次作业", ("第九次作业",)), ("hw2", ()), ("交作业", ())]
)
def test_an_assignment_that_the_course_does_not_have(said, others):
    assert named_in(said, KNOWN).others == others


@pytest.mark.parametrize(
    ("texts", "files", "ids"),
    [
        (("多层感知机 张三",), (), {"hw2"}),
        (("multi-layer PERCEPTRON",), (), {"hw1", "hw2"}),
        (("张三",), ("mlp.py",), {"hw2"}),
        (("张三",), ("MLP_torch.ipynb",), {"hw2"}),
        (("张三",), ("perceptron.py", "mlp.py"), {"hw1", "hw2"}),
        (("感知机",), (), set()),  # too short: part of the other's
        (("张三",), ("main.py",), set()),
    ],
)
def test_titles_and_files_are_hints(texts, files, ids):
    assert hinted_in(texts, files, KNOWN) == ids
