from __future__ import annotations

import io

import pytest
from rich.console import Console

from autograder.judge.listener import Listener
from autograder.messages import set_language
from autograder.report import progress as module
from autograder.report.progress import Notices, ProgressLine, progress
from tests.test_results import make_check


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(line, console):
    with console.capture() as captured:
        console.print(line)
    return " ".join(captured.get().split())


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""

    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def console():
    return Console(file=Terminal(), width=200, force_terminal=True, color_system=None, legacy_windows=False)


@pytest.fixture
def line(console, clock):
    return ProgressLine(console)


def _text(line, console):
    """Return the line without the spinner's frame."""
    return shown(line, console).split(" ", 1)[1]


def test_the_line_tells_what_is_being_done(line, console):
    assert _text(line, console) == "0.0 s starting"
    line.loading(None)
    assert _text(line, console) == "0.0 s importing your file"
    line.loading("torch")
    assert _text(line, console) == "0.0 s loading torch…"
    line.check_started("fit learns", 2, 7)
    assert _text(line, console) == "0.0 s 2/7 fit learns"
    line.calling("fit", 3)
    assert _text(line, console) == "0.0 s 2/7 fit learns · fit(…, seed=3)"
    line.calling("predict", None)
    assert _text(line, console) == "0.0 s 2/7 fit learns · predict(…)"
    line.check_finished(make_check())
    assert _text(line, console) == "0.0 s 2/7 fit learns"


def test_seconds_count_from_when_it_began(line, console, clock):
    line.loading("torch")
    clock.now += 2.25
    assert _text(line, console).startswith("2.2 s loading")
    line.calling("fit", 0)
    assert _text(line, console).startswith("0.0 s")
    clock.now += 1
    line.calling("fit", 0)  # the same again does not start anew
    assert _text(line, console).startswith("1.0 s")
    line.calling("fit", 1)
    assert _text(line, console).startswith("0.0 s")


def test_the_line_in_chinese(console, clock):
    set_language("zh")
    try:
        line = ProgressLine(console)
        assert _text(line, console) == "0.0 s 启动中"
        line.loading("torch")
        assert _text(line, console) == "0.0 s 正在加载 torch…"
    finally:
        set_language("en")


def test_a_title_is_no_markup(line, console):
    line.check_started("[red]x[/] is [n, 1]", 1, 1)
    assert _text(line, console) == "0.0 s 1/1 [red]x[/] is [n, 1]"


def test_control_characters_do_not_reach_the_terminal(line, console):
    line.calling("\x1b[2Jevil", None)
    assert "\x1b" not in shown(line, console)


@pytest.mark.parametrize(("encoding", "plain"), [("utf-8", False), ("gbk", True), ("ascii", True)])
def test_the_spinner_is_one_that_the_console_can_show(encoding, plain):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    made = Console(file=file, force_terminal=True, legacy_windows=False)
    frames = "".join(ProgressLine(made)._spinner.frames)
    assert frames.isascii() is plain
    frames.encode(encoding)


def test_on_a_pipe_there_is_no_line(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stderr", pipe)
    with progress(enabled=True) as listener:
        assert type(listener) is Notices
        listener.loading("torch")
        listener.check_started("x", 1, 1)
    assert pipe.getvalue() == ""


def test_switched_off_there_is_no_line_on_a_terminal_either(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress(enabled=False) as listener:
        assert type(listener) is Notices
    assert terminal.getvalue() == ""


def test_a_notice_is_printed_whether_there_is_a_line_or_not(monkeypatch):
    for stderr, enabled in ((io.StringIO(), True), (io.StringIO(), False), (Terminal(), True)):
        monkeypatch.setattr("sys.stderr", stderr)
        with progress(enabled=enabled) as listener:
            listener.notice("Installing [something], once")
        assert "Installing [something], once" in stderr.getvalue()


def test_on_a_terminal_the_line_goes_to_stderr_and_is_wiped(monkeypatch):
    terminal, stdout = Terminal(), Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("sys.stdout", stdout)
    monkeypatch.setenv("TERM", "xterm")
    with progress(enabled=True) as listener:
        assert isinstance(listener, ProgressLine)
        listener.check_started("fit learns", 1, 1)
    assert stdout.getvalue() == ""
    assert terminal.getvalue().endswith("\x1b[2K")


def test_the_silent_listener_takes_everything():
    listener = Listener()
    listener.loading(None)
    listener.check_started("x", 1, 2)
    listener.calling("f", 3)
    listener.check_finished(make_check())


def test_in_a_notebook_nothing_is_written_over(monkeypatch):
    """`!grade` has a terminal there, but JupyterLab can't erase what was shown."""
    monkeypatch.setattr(module.sys, "stderr", Terminal())
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    with progress(enabled=True) as live:
        assert isinstance(live, ProgressLine)
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    with progress(enabled=True) as silent:
        assert type(silent) is Notices
