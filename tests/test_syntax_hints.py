from __future__ import annotations

import pytest

from autograder.box.protocol import Frame, Raised
from autograder.judge import syntax_hints
from autograder.judge.hints import hint_for
from autograder.messages import text


def _unreadable(source):
    """Return what the box tells of a file that this Python can't read."""
    with pytest.raises(SyntaxError) as caught:
        compile(source, "a.py", "exec")
    error = caught.value
    place = Frame(file="a.py", line=error.lineno or 0, function="", source=(error.text or "").rstrip(), student=True)
    name = type(error).__name__
    return Raised(id=1, type_name=name, mro=[name, "SyntaxError"], text=error.msg, frames=[place], syntax=True)


# What students hand in, and the key of the hint; every row of the table, by what this Python really says.
HANDED_IN = [
    ("def f(x):\n<<<<<<< HEAD\n    return 1\n=======\n    return 2\n>>>>>>> main\n", "conflict"),
    ("x = 1\n<<<<<<< HEAD\nx = 2\n", "conflict"),
    ("x = 1\n=======\nx = 2\n", "conflict"),
    ("```python\nx = 1\n```\n", "fence"),
    ("x = 1\n```\n", "fence"),
    ("<!DOCTYPE html>\n<html></html>\n", "web_page"),
    ("<?xml version='1.0'?>\n", "web_page"),
    (">>> x = 1\n", "prompts"),
    ("for i in range(3):\n...     print(i)\n", "prompts"),
    ("In [3]: import numpy as np\n", "prompts"),
    ("!pip install numpy\n", "notebook_line"),
    ("    !ls\n", "notebook_line"),
    ("%matplotlib inline\n", "notebook_line"),
    ("%%time\nx = 1\n", "notebook_line"),
    ("pip install numpy\n", "notebook_line"),
    ("$ python a.py\n", "notebook_line"),
    ("python a.py\n", "notebook_line"),
    ("  1  import numpy as np\n  2  x = 1\n", "line_numbers"),
    ("1. import numpy as np\n", "line_numbers"),
    ("  1 | x = 1\n", "line_numbers"),
    ("print 'x'\n", "python2_print"),
    ("print u'中', 1\n", "python2_print"),
    ("f = lambda (a, b): a\n", "tuple_lambda"),
    ("if (x > 0) {\n    return 1;\n}\n", "braces"),
    ("Def f(x):\n    return 1\n", "small_letters"),
    ("While True:\n    x = 1\n", "small_letters"),
    ("This is my homework. I trained it for 20 rounds.\n", "prose"),
    ("Sure! Here's the completed code for your perceptron:\n", "prose"),
    ("Here is the finished homework\n", "prose"),
    ("运行结果如下：\n", "prose"),
    ("权重为 0.1 和 0.2\n", "prose"),
    ("Epoch 1/20, loss = 0.25\n", "prose"),
    ("if x = 0:\n    pass\n", "equals"),
    ("if x.a = 0:\n    pass\n", "equals"),
    ("def f(x)\n    return 1\n", "colon"),
    ("for i in range(3)\n    pass\n", "colon"),
    ("x = float(1\ny = 2\n", "close_bracket"),
    ("x = (1, 2]\n", "bracket_pairs"),
    ("x = 1)\n", "bracket_pairs"),
    ('"""Homework 1\n\nx = 1\n', "close_text"),
    ("print('done)\n", "close_quote"),
    ("x = [1, 2 3]\n", "comma"),
    ("x = open('C:\\Users\\li')\n", "backslash"),
    ("return 1\n", "indent_into"),
    ("break\n", "indent_into"),
    ("for i in range(3):\nprint(i)\n", "indent_block"),
    ("if 1:\n\tx = 1\n        y = 2\n", "indentation"),
    ("x = 1\n  y = 2\n", "indentation"),
    ("if 1:\n    x = 1\n  y = 2\n", "indentation"),
    ("x = = 1\n", "syntax"),
    ("def f(x)::\n    pass\n", "syntax"),
    ("x = 1\u00a0+ 1\n", "invisible_character"),
    ("\u200bx = 1\n", "invisible_character"),
]


@pytest.mark.parametrize(("source", "key"), HANDED_IN)
def test_what_keeps_python_from_reading_a_file(source, key):
    assert hint_for(_unreadable(source)) == text(f"hint.{key}")


# What was written, and what the hint says to write.
WRITTEN = [
    ("raise ValueError, 'bad'\n", 'raise ValueError("…")'),
    ("exec 'x = 1'\n", 'exec("…")'),
    ("x = `3`\n", "repr(x)"),
    ("if 1 <> 2:\n    pass\n", "!="),
    ("x = 0777\n", "0o777"),
    ("if x > 0:\n    pass\nelse if x < 0:\n    pass\n", "elif"),
    ("if x > 0 && x < 3:\n    pass\n", "and"),
    ("if x > 0 || x < 3:\n    pass\n", "or"),
    ("if !x:\n    pass\n", "not x"),
    ("i++\n", "i += 1"),
    ("function f(x):\n    return 1\n", "def"),
    ("define f(x):\n    return 1\n", "def"),
    ("// the step function\n", "#"),
]


@pytest.mark.parametrize(("source", "right"), WRITTEN)
def test_other_languages_and_python_2_are_told_what_to_write(source, right):
    assert hint_for(_unreadable(source)).startswith((f"Write `{right}` instead of", "This is Python 2"))


@pytest.mark.parametrize(
    ("char", "right"),
    [("，", ","), ("：", ":"), ("（", "("), ("）", ")"), ("“", '"'), ("’", "'"), ("、", ","), ("。", "."), ("＝", "="),
     ("–", "-"), ("×", "*"), ("≤", "<="), ("²", "**2"), ("１", "1")],
)  # fmt: skip
def test_a_character_that_only_looks_right_comes_with_the_right_one(char, right):
    raised = _raised(f"invalid character '{char}' (U+{ord(char):04X})", f"x = 1 {char} 2")
    assert hint_for(raised) == text("hint.odd_character_instead", wrong=char, right=right)


@pytest.mark.parametrize(
    ("source", "meant"),
    [("improt numpy as np\n", "import"), ("def f(x):\n    retrun x\n", "return"), ("calss A:\n    x = 1\n", "class")],
)
def test_a_slip_in_a_word_of_pythons(source, meant):
    assert hint_for(_unreadable(source)) == text("hint.did_you_mean", name=meant)


def test_an_except_of_python_2():
    """Python 3.14 reads `except A, B:` again, as two types: not compiled here."""
    hint = hint_for(_raised("multiple exception types must be parenthesized", "except Exception, e:"))
    assert hint == text("hint.write_instead", wrong="except Exception, e", right="except Exception as e")


def test_a_character_that_looks_like_nothing_known():
    assert hint_for(_raised("invalid character '☃' (U+2603)", "x = ☃")) == text("hint.odd_character")


def test_a_file_that_is_no_text():
    assert hint_for(_raised("source code string cannot contain null bytes", "")) == text("hint.null_bytes")


def test_the_line_is_of_no_meaning_where_the_students_code_made_the_source():
    """`eval("1 +")`: the frame is the line that calls eval, and not what can't be read."""
    raised = _raised("invalid syntax", ">>> 1", syntax=False)
    assert hint_for(raised) == text("hint.syntax")


def test_every_row_of_the_table_is_tried_here():
    tried = {f"hint.{key}" for _, key in HANDED_IN} | {"hint.write_instead", "hint.null_bytes"}
    assert {row.key for row in syntax_hints._ROWS} <= tried
    rights = {row.right for row in syntax_hints._ROWS if row.right}
    assert rights == {right for _, right in WRITTEN} | {"except Exception as e"}


@pytest.mark.parametrize("length", [10_000, 100_000])
@pytest.mark.parametrize("begins", ["", "1 ", "Word", "if ", "中", "else "])
def test_a_line_made_to_be_long_is_looked_at_quickly(begins, length):
    line = begins + "a" * 50 + " a" * (length // 2) + "("
    assert hint_for(_raised("invalid syntax", line[:300]))


def _raised(said, line, *, syntax=True):
    place = Frame(file="a.py", line=1, function="", source=line, student=True)
    return Raised(id=1, type_name="SyntaxError", mro=["SyntaxError"], text=said, frames=[place], syntax=syntax)
