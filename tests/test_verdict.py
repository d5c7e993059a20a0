from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from autograder.box.causes import BoxDied, Cause
from autograder.box.client import StudentRaised
from autograder.box.init import Room
from autograder.box.protocol import Frame, Raised
from autograder.judge import CheckFailed, expect
from autograder.judge.limit_words import Allowed
from autograder.judge.time_limits import ReferenceTimes
from autograder.judge.verdict import PASSED, verdict_of
from autograder.limits import Limits, Needs
from autograder.messages import set_language
from autograder.results import Status
from autograder.submission import CellStart, Submission

FILE = Submission("mlp.py", {"mlp.py": b""}, "mlp.py")
NOTEBOOK = Submission("mlp.py", {"mlp.py": b""}, "作业.ipynb", (CellStart(1, 1), CellStart(5, 2)))


def raised(type_name, text="", *bases, frames=(), refused=(), room=None, **more):
    mro = [type_name, *bases, "Exception", "BaseException", "object"]
    return StudentRaised(
        Raised(id=1, type_name=type_name, mro=mro, text=text, frames=list(frames), **more), refused, room
    )


def frame(line, source="", function="fit", file="mlp.py", *, student=True):
    return Frame(file=file, line=line, function=function, source=source, student=student)


def died(status, kind, detail=""):
    return BoxDied(Cause(status, kind, detail))


def verdict(error, submission=FILE, hint="look closer"):
    return verdict_of(error, submission, hint)


REFERENCE = ReferenceTimes(
    training_s=1.5, attempt_s=9, needs=Needs(memory_mb=310, cpu_s=12.5, disk_mb=2, files=7, output_mb=0.1)
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (died(Status.MEMORY, "memory", "600"),
         "your code used more than 600 MB of memory (limits.memory_mb); the reference solution needs 310 MB"),
        (died(Status.TIMEOUT, "cpu", "9"),
         "your code used up its 9 s of processor time (limits.box_cpu_s); the reference solution needs 12.5 s"),
        (died(Status.OUTPUT, "output", "4"),
         "your code printed more than 4 MB (limits.output_mb); the reference solution needs 0.1 MB"),
        (died(Status.TIMEOUT, "training", "60"),
         "the training did not end within 60 s (limits.training_s); the reference solution takes 1.5 s here"),
        (raised("OSError", "", errnos=[28], room=Room(1024 << 20, 9)),
         "your code filled its folder for files: 1024 of 1024 MB (limits.disk_mb); the reference solution needs 2 MB"),
        (raised("OSError", "", errnos=[28], room=Room(0, 8192)),
         "your code made too many files and folders: 8192 of 8192 (limits.files); the reference solution needs 7"),
        (raised("RuntimeError", "PytorchStreamWriter failed writing file", room=Room(1024 << 20, 9)),
         "your code filled its folder for files: 1024 of 1024 MB (limits.disk_mb); the reference solution needs 2 MB"),
        (raised("MemoryError"),
         "your code ran out of memory: it may use 4096 MB (limits.memory_mb); the reference solution needs 310 MB"),
        (raised("RuntimeError", "CUDA out of memory"), "your code ran out of memory"),  # of the GPU's
        (raised("OSError", "No space left on device", errnos=[28]), "OSError: No space left on device"),
        (raised("ZeroDivisionError", "", room=Room(1024 << 20, 9)), "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_limit_is_told_with_its_value_its_key_and_what_the_reference_needs(error, said):
    assert verdict_of(error, FILE, "", allowed=Allowed(Limits(), REFERENCE)).message == said


@pytest.fixture
def in_chinese():
    set_language("zh")
    yield
    set_language("en")


# What is raised, the status, and what the student reads in both languages.
TABLE = [
    (CheckFailed("3", "4"), Status.FAILED, "what the check expects does not hold", "检查所要求的不成立"),
    (AssertionError("assert 3 == 4"), Status.FAILED, "assert 3 == 4", "assert 3 == 4"),
    (AssertionError(), Status.FAILED, "what the check expects does not hold", "检查所要求的不成立"),
    (
        raised("NotImplementedError", "Task 2.1: fit", "RuntimeError"), Status.FAILED,
        "not implemented yet: Task 2.1: fit", "尚未实现：任务 2.1 的 fit",
    ),
    (raised("NotImplementedError", "", "RuntimeError"), Status.FAILED, "not implemented yet", "尚未实现"),
    (raised("Mine", "later", "NotImplementedError"), Status.FAILED, "not implemented yet: later", "尚未实现：later"),
    (
        raised("AttributeError", "", missing="predict", names=[]), Status.FAILED,
        "mlp.py defines no predict", "mlp.py 里没有定义 predict",
    ),
    (raised("AttributeError", "'A' object has no attribute 'w'"), Status.ERROR, "AttributeError: 'A' object has",
     "AttributeError: 'A' object has"),
    (raised("ValueError", "bad"), Status.ERROR, "ValueError: bad", "ValueError: bad"),
    (raised("ValueError"), Status.ERROR, "ValueError", "ValueError"),
    (raised("KeyboardInterrupt"), Status.ERROR, "KeyboardInterrupt", "KeyboardInterrupt"),
    (raised("AssertionError", "mine"), Status.ERROR, "AssertionError: mine", "AssertionError: mine"),
    (raised("MemoryError"), Status.MEMORY, "your code ran out of memory", "你的代码耗尽了内存"),
    (raised("_ArrayMemoryError", "Unable to allocate", "MemoryError"), Status.MEMORY, "your code ran out of memory",
     "你的代码耗尽了内存"),
    (raised("RuntimeError", "DefaultCPUAllocator: can't allocate memory"), Status.MEMORY,
     "your code ran out of memory", "你的代码耗尽了内存"),
    (
        raised("PermissionError", "[Errno 1]", "OSError", errnos=[1], refused=("vfork", "clone")), Status.FORBIDDEN,
        "your code tried to start another process (fork)", "你的代码想启动另一个进程（fork）",
    ),
    (raised("URLError", "no", "OSError", errnos=[0, 97], refused=("socket",)), Status.FORBIDDEN,
     "your code tried to open a network connection (socket)", "你的代码想连接网络（socket）"),
    (raised("PermissionError", "", "OSError", errnos=[1], refused=("execve",)), Status.FORBIDDEN,
     "your code tried to start another program (execve)", "你的代码想启动另一个程序（execve）"),
    (raised("OSError", "", errnos=[1], refused=("ptrace",)), Status.FORBIDDEN,
     "your code tried to look into another process (ptrace)", "你的代码想查看别的进程（ptrace）"),
    (raised("OSError", "", errnos=[1], refused=("mount",)), Status.FORBIDDEN,
     "your code tried to change something of the system (mount)", "你的代码想改动系统（mount）"),
    # A library that tries a call by the way, and an exception of something else; an exception that only says so.
    (raised("ZeroDivisionError", "division by zero", refused=("clone",)), Status.ERROR, "ZeroDivisionError",
     "ZeroDivisionError"),
    (raised("PermissionError", "[Errno 1]", "OSError", errnos=[1]), Status.ERROR, "PermissionError: [Errno 1]",
     "PermissionError: [Errno 1]"),
    (raised("FileNotFoundError", "x.npz", "OSError", errnos=[2], refused=("vfork",)), Status.ERROR,
     "FileNotFoundError: x.npz", "FileNotFoundError: x.npz"),
    (died(Status.FORBIDDEN, "call"), Status.FORBIDDEN, "your code made a system call of a kind that grading forbids",
     "你的代码做了评分不允许的系统调用"),
    (raised("SystemExit", "0"), Status.CRASHED, "your code ended the program (sys.exit or exit)",
     "你的代码结束了程序（sys.exit 或 exit）"),
    (raised("TypeError", "a set", unsendable=True), Status.FAILED,
     "your function returned something that can't be graded: a set", "你的函数返回了无法评分的东西：a set"),
    (raised("SyntaxError", "invalid syntax", frames=[frame(3, "x = = 1", "")], column=5, syntax=True), Status.ERROR,
     "Python can't read mlp.py:3: invalid syntax", "Python 读不懂 mlp.py:3：invalid syntax"),
    (died(Status.TIMEOUT, "wall", "60"), Status.TIMEOUT, "your code did not come back within 60 s",
     "你的代码在 60 秒内没有返回"),
    (died(Status.TIMEOUT, "import_wall", "60"), Status.TIMEOUT, "importing your file took longer than 60 s",
     "导入你的文件超过了 60 秒"),
    (died(Status.TIMEOUT, "attempt", "900"), Status.TIMEOUT, "the time for the whole attempt (900 s) was used up",
     "整次评分的时间（900 秒）已用完"),
    (died(Status.TIMEOUT, "cpu", "9"), Status.TIMEOUT, "your code used up its 9 s of processor time (limits.box_cpu_s)",
     "你的代码用完了 9 秒处理器时间（limits.box_cpu_s）"),
    (BoxDied(Cause(Status.OUTPUT, "disk", "64", "64")), Status.OUTPUT,
     "your code filled its folder for files: 64 of 64 MB (limits.disk_mb)",
     "你的代码写满了存放文件的文件夹：用了 64 MB，上限 64 MB（limits.disk_mb）"),
    (died(Status.MEMORY, "memory", "4096"), Status.MEMORY, "your code used more than 4096 MB of memory",
     "你的代码占用内存超过 4096 MB"),
    (died(Status.OUTPUT, "output", "256"), Status.OUTPUT, "your code printed more than 256 MB",
     "你的代码打印了超过 256 MB"),
    (died(Status.CRASHED, "exit", "3"), Status.CRASHED, "your code ended its own process (exit status 3)",
     "你的代码结束了自己的进程（退出码 3）"),
    (died(Status.CRASHED, "signal", "SIGSEGV"), Status.CRASHED, "your code crashed its process (SIGSEGV)",
     "你的代码使进程崩溃（SIGSEGV）"),
    (died(Status.CRASHED, "signal", "SIGKILL"), Status.CRASHED, "the process of your code was killed from outside",
     "运行你代码的进程被外部终止"),
    (died(Status.CRASHED, "protocol", "garbage"), Status.CRASHED, "your code wrote to the grader's own connection",
     "你的代码写入或关闭了评分程序自己的连接"),
    (died(Status.INTERNAL, "closed"), Status.INTERNAL, "not graded yet: the check itself failed",
     "尚未评分：检查本身出错"),
    (TypeError("check"), Status.INTERNAL, "not graded yet: the check itself failed, which is our fault (TypeError",
     "尚未评分：检查本身出错，是我们的问题（TypeError"),
    (ZeroDivisionError("x"), Status.INTERNAL, "not graded yet: the check itself failed", "尚未评分"),
    (pytest.fail.Exception("by pytest.fail"), Status.INTERNAL, "not graded yet: the check itself failed", "尚未评分"),
    (NotImplementedError("an oracle"), Status.INTERNAL, "not graded yet: the check itself failed", "尚未评分"),
    (MemoryError(), Status.INTERNAL, "not graded yet: the check itself failed", "尚未评分"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "status", "english", "chinese"), TABLE)
def test_whose_fault_in_words(error, status, english, chinese):
    made = verdict(error)
    assert made.status is status
    assert made.message.startswith(english)
    set_language("zh")
    try:
        assert verdict(error).message.startswith(chinese)
    finally:
        set_language("en")


def test_nothing_raised_is_a_pass():
    assert verdict(None) is PASSED
    assert PASSED.status is Status.PASSED
    assert PASSED.message == PASSED.staff_note == ""


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (CheckFailed("3", "4"), "look closer"),
        (CheckFailed("3", "4", "count again"), "count again"),
        (AssertionError("no"), "look closer"),
        (raised("ValueError", "bad"), ""),
        (raised("NameError", "name 'xrange' is not defined"), "This name is Python 2's"),
        (died(Status.TIMEOUT, "wall", "60"), "Look for a loop that never ends"),
        (died(Status.MEMORY, "memory", "1"), "Train in batches"),
        (died(Status.OUTPUT, "output", "1"), "Print once in a while"),
        (died(Status.CRASHED, "exit", "0"), "Take the exit out"),
        (raised("SystemExit"), "Take the exit out"),
        (died(Status.CRASHED, "signal", "SIGSEGV"), "This comes from compiled code"),
        (died(Status.TIMEOUT, "import_wall", "60"), "Put training into functions"),
        (TypeError("ours"), ""),
    ],
)
def test_one_concrete_hint(error, hint):
    made = verdict(error)
    assert made.hint.startswith(hint)
    assert bool(made.hint) is bool(hint)


def test_an_expectation_hands_on_what_was_expected_and_came():
    with pytest.raises(CheckFailed) as caught:
        expect(ok=False, expected="three", came="four")
    made = verdict(caught.value)
    assert (made.expected, made.came, made.frames) == ("three", "four", ())


def test_a_plain_assert_is_told_without_pytests_introspection():
    said = "no good\nassert 3 == 4\n  +  where 3 = f(1)\n"
    assert verdict(AssertionError(said)).message == "no good · assert 3 == 4"


def test_numpys_assertion_is_one_line():
    with pytest.raises(AssertionError) as caught:
        np.testing.assert_allclose([1.0, 2.0], [1.0, 3.0])
    message = verdict(caught.value).message
    assert message.startswith("Not equal to tolerance")
    assert "\n" not in message


def test_long_texts_are_cut():
    assert len(verdict(raised("ValueError", "x" * 100_000)).message) < 500
    assert "\n" not in verdict(raised("ValueError", "a\nb\r\nc")).message


# --- frames ---------------------------------------------------------------------------------------------------------


def test_only_the_students_own_frames_are_shown():
    made = verdict(
        raised("ValueError", "bad", frames=[
            frame(40, "fit(x, y)", "<module>"), frame(12, "  loss = net(x)"),
            frame(7, "", "forward", "torch/nn/modules/linear.py", student=False),
            frame(3, "return x", "relu", "layers.py"),
        ])
    )  # fmt: skip
    assert made.frames == ("mlp.py:40: fit(x, y)", "mlp.py:12 in fit: loss = net(x)", "layers.py:3 in relu: return x")
    assert "torch/nn/modules/linear.py:7" in made.staff_note


def test_frames_in_chinese(in_chinese):
    made = verdict(raised("ValueError", "bad", frames=[frame(6, "x", "fit")]), NOTEBOOK)
    assert made.frames == ("作业.ipynb 第 2 个代码单元格第 2 行 位于 fit: x",)


def test_a_syntax_error_shows_the_caret_under_its_column():
    made = verdict(
        raised("SyntaxError", "invalid syntax", frames=[frame(6, "\tx = = 1", "")], column=6, syntax=True), NOTEBOOK
    )
    assert made.message == "Python can't read 作业.ipynb, code cell 2, line 2: invalid syntax"
    place, source, caret = made.frames
    assert place == "作业.ipynb, code cell 2, line 2"
    assert source == "        x = = 1"
    assert caret.strip() == "^"


@pytest.mark.parametrize(
    ("line", "column"),
    [("x = = 1", 5), ("\tx = = 1", 6), ("s = '感知机' = = 1", 13)],
)
def test_the_caret_stands_below_the_character_it_means(line, column):
    made = verdict(raised("SyntaxError", "invalid syntax", frames=[frame(6, line, "")], column=column, syntax=True))
    _, source, caret = made.frames
    assert cell_len(caret) - 1 == cell_len(source[: source.index("= 1")])


def test_a_syntax_error_without_a_place_is_still_told():
    made = verdict(raised("SyntaxError", "source contains null bytes", syntax=True))
    assert (made.status, made.frames) == (Status.ERROR, ())
    assert made.message == "Python can't read mlp.py: source contains null bytes"


def test_a_syntax_error_of_code_that_the_students_code_made_is_an_error_like_others():
    made = verdict(raised("SyntaxError", "invalid syntax", frames=[frame(6, "eval('1 +')", "fit")]))
    assert made.message == "SyntaxError: invalid syntax"
    assert made.frames == ("mlp.py:6 in fit: eval('1 +')",)


# --- missing names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["predicts", "fit"], "Found predicts; the handout asks for predict."),
        (["Predict"], "Found Predict; the handout asks for predict."),
        (["PREDICT"], "Found PREDICT; the handout asks for predict."),
        (["zzz"], "Define predict at the left margin"),
        ([], "Define predict at the left margin"),
    ],
)
def test_a_missing_name_offers_what_is_near(names, hint):
    made = verdict(raised("AttributeError", "", missing="predict", names=names), NOTEBOOK)
    assert made.message == "作业.ipynb defines no predict"
    assert made.hint.startswith(hint)


def test_a_missing_attribute_of_an_object_is_told_as_one():
    made = verdict(raised("AttributeError", "Perceptron", missing="weights", names=["bias", "predict"]))
    assert made.message == "Perceptron objects have no weights"
    assert "left margin" not in made.hint
    assert verdict(raised("AttributeError", "Perceptron", missing="weights", names=["weight"])).hint.startswith("Found")


# --- staff ----------------------------------------------------------------------------------------------------------


def test_our_own_mistake_comes_with_its_traceback_for_staff():
    try:
        len(5)
    except TypeError as error:
        made = verdict(error)
    assert "test_verdict.py" in made.staff_note
    assert "len(5)" in made.staff_note
    assert (made.hint, made.frames, made.expected) == ("", (), "")


@pytest.mark.parametrize(
    "told",
    [
        raised("ImportError", " (" * 1_000_000),
        raised("RuntimeError", "leaf Variable that requires grad " * 100_000),
        raised("SyntaxError", "invalid syntax", frames=[frame(3, "x ++" + " " * 3_000_000 + "y")], syntax=True),
        raised("SyntaxError", "invalid syntax", frames=[frame(3, "if " * 1_000_000)], syntax=True),
        raised("AttributeError", "", missing="fit", names=["fits" * 100_000] * 10_000),
        raised("AttributeError", "", missing="f" * 3_000_000, names=["f" * 3_000_000]),
    ],
    ids=["import", "torch", "blanks", "if", "names", "missing"],
)
def test_security_megabytes_from_the_box_cost_no_time(told):
    """Each of these took minutes to hours; pytest's timeout would end it."""
    assert len(verdict(told).message) < 1000
