"""Another Python: found by file, folder or name; asked what it has; refused with a sentence and what to try."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autograder.box import codec, inquiry, interpreter
from autograder.box.client import BoxClient
from autograder.box.interpreter import Interpreter, ask, choose, locate, ours
from autograder.box.protocol import Call
from autograder.box.protocol import Path as Name
from autograder.box.spec import BoxSpec
from autograder.errors import UsageError

POSIX = pytest.mark.skipif(os.name == "nt", reason="programs made of a #! line")
ROOT = Path(__file__).resolve().parents[2]


def silent(_said: str) -> None:
    """Nothing is told to anybody."""


@pytest.fixture
def program(tmp_path: Path) -> Any:
    """Makes a program that is no Python, or pretends to be one."""

    def make(source: str, name: str = "python3") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


# --- where it is ----------------------------------------------------------------------------------------------------


def test_no_path_is_grades_own():
    assert choose(None, silent) is ours()
    assert choose("", silent) is ours()
    assert (ours().executable, ours().is_ours, ours().codec) == (sys.executable, True, "")


def test_grades_own_by_its_path_is_grades_own():
    assert choose(sys.executable, silent) is ours()


@POSIX
def test_a_file_a_folder_and_a_command(tmp_path, monkeypatch):
    file = tmp_path / "bin" / "python3"
    file.parent.mkdir()
    file.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(file.parent))
    assert {locate(str(tmp_path)), locate(str(file)), locate("python3")} == {file}


def test_windows_environments_have_it_in_the_folder_itself_or_in_scripts(tmp_path):
    for name in ("conda/python.exe", "venv/Scripts/python.exe"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
        assert locate(str(tmp_path / name.split("/")[0])) == tmp_path / name


@pytest.mark.parametrize(("given", "said"), [("nowhere/python", "There is no Python nowhere/python."), ("", "folder")])
def test_what_is_not_there_is_refused(tmp_path, given, said):
    with pytest.raises(UsageError, match=said) as caught:
        locate(given or str(tmp_path))
    assert "grade doctor --find-python" in (caught.value.hint or "")


@pytest.fixture
def locked(tmp_path, monkeypatch):
    """A folder that is not ours to look into, also where the tests are run by root."""
    folder, stat = tmp_path / "locked", os.stat

    def refuse(path, *arguments, **options):
        if not isinstance(path, int) and Path(os.fsdecode(path)).is_relative_to(folder):
            raise PermissionError(13, "Permission denied")
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refuse)
    return folder


@POSIX
@pytest.mark.parametrize("name", ["", "bin/python3", "a" * 300])
def test_what_we_may_not_look_into_is_not_there(locked, name):
    with pytest.raises(UsageError, match="There is no Python"):
        locate(str(locked / name))
    assert interpreter.interpreter_in(locked / name) is None


# --- what it says ---------------------------------------------------------------------------------------------------


@POSIX
def test_another_python_tells_what_it_is_and_has(numpy_only):
    found = ask(locate(str(numpy_only)))
    assert found.version == ours().version
    assert found.abi == inquiry.abi()
    assert Path(found.prefix) == numpy_only
    assert set(found.packages) == {"numpy"}
    assert re.fullmatch(r"\d+\.\d+.*", found.packages["numpy"])
    assert (found.has("numpy"), found.has("msgspec"), found.has("torch")) == (True, False, False)


def test_nothing_of_our_pythonpath_is_passed_on():
    made = interpreter.clean_environment({"PYTHONPATH": "/course", "PYTHONHOME": "/p", "PATH": "/bin", "HOME": "/h"})
    assert made == {"PATH": "/bin", "HOME": "/h", "PYTHONDONTWRITEBYTECODE": "1"}


@POSIX
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("#!/bin/sh\necho hello\n", "does not answer as a Python does"),
        ("#!/bin/sh\nexit 1\n", "does not answer as a Python does"),
        ("#!/bin/sh\nwhile :; do echo 0123456789012345678901234567890123456789; done\n", "does not answer"),
        ("#!/bin/sh\n[ $# = 2 ] && echo Python 2.7\n", "is Python 2.7; at least 3.9 is needed"),
        ("hello\n", "can't be started"),
    ],
)
def test_what_is_no_python_of_use_is_refused(program, source, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        ask(program(source))


@POSIX
def test_what_does_not_answer_is_ended_with_its_children(program, until, monkeypatch):
    path = program('#!/bin/sh\nsleep 600 &\necho $! > "$0.pid"\nwait\n')
    started = interpreter.subprocess.Popen

    def start(*command, **how):
        process = started(*command, **how)
        assert until(lambda: Path(f"{path}.pid").is_file() and Path(f"{path}.pid").read_text())
        return process

    monkeypatch.setattr(interpreter.subprocess, "Popen", start)  # its time begins when it has a child
    with pytest.raises(UsageError, match=r"did not answer within 0\.5 s"):
        ask(path, 0.5)
    child = Path(f"{path}.pid").read_text().strip()
    assert until(lambda: not _runs(child))


def _runs(pid: str) -> bool:
    import psutil

    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _pretends(**told: Any) -> str:
    answer = {
        "executable": "", "version": "3.12.4", "implementation": "CPython", "prefix": "/p", "user_base": "/u",
        "abi": "made-up", "packages": {"numpy": "2.0", "pip": "24"}, **told,
    }  # fmt: skip
    lines = [f"#!{sys.executable} -S", "import json, sys", "print('a line of sitecustomize')"]
    return "\n".join([*lines, f"print(sys.argv[-1] + json.dumps({answer!r}))", ""])


@POSIX
@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"version": "3.8.18"}, "is Python 3.8.18; at least 3.9 is needed"),
        ({"implementation": "PyPy"}, "is PyPy; what is needed is CPython"),
        ({"packages": {}}, "has no numpy"),
        ({"packages": "numpy"}, "does not answer"),
        ({"extra": 1}, "does not answer"),
    ],
)
def test_an_answer_that_does_not_do_is_refused(program, told, said):
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        choose(str(program(_pretends(**told))), silent)
    assert caught.value.hint


@POSIX
def test_without_numpy_the_line_that_installs_it_is_given(program):
    path = program(_pretends(packages={}))
    with pytest.raises(UsageError) as caught:
        choose(str(path), silent)
    assert caught.value.hint == f"Install it: {path} -m pip install numpy"


@POSIX
def test_a_shim_is_followed_and_a_wrapper_that_is_needed_is_kept(program, tmp_path, numpy_only):
    real = numpy_only / "bin" / "python3"
    shim = program(f'#!/bin/sh\nexec "{real}" "$@"\n', "shim")
    assert Path(ask(shim).executable).parent == real.parent
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "torch.py").touch()
    wrapper = program(f'#!/bin/sh\nPYTHONPATH={tmp_path}/extra exec "{real}" "$@"\n', "wrapper")
    assert ask(wrapper).executable == str(wrapper)
    assert ask(wrapper).has("torch")


def test_a_folder_that_an_uninstall_left_behind_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "left_behind").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not inquiry.has("left_behind")


# --- its environment ------------------------------------------------------------------------------------------------


def other(prefix: Path, **told: Any) -> Interpreter:
    return Interpreter(**{
        "executable": str(prefix / "bin" / "python"), "version": "3.12.4", "prefix": str(prefix), "user_base": "/u",
        "abi": "x", **told,
    })  # fmt: skip


def test_a_conda_environment_is_entered_without_being_activated(tmp_path, monkeypatch):
    (tmp_path / "conda-meta").mkdir()
    made = other(tmp_path).environment("/usr/bin")
    assert made["CONDA_PREFIX"] == str(tmp_path)
    assert made["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")
    monkeypatch.setattr(interpreter, "sys", SimpleNamespace(platform="win32"))
    assert (
        sum(folder.startswith(str(tmp_path)) for folder in other(tmp_path).environment("x")["PATH"].split(os.pathsep))
        == 5
    )


def test_a_virtual_environment_has_its_programs_on_path_and_ours_is_left_alone(tmp_path):
    made = other(tmp_path).environment("/usr/bin")
    assert made == {"PYTHONUSERBASE": "/u", "PATH": os.pathsep.join([str(tmp_path / "bin"), "/usr/bin"])}
    assert "PATH" not in ours().environment("/usr/bin")


# --- the codec ------------------------------------------------------------------------------------------------------


def test_the_range_is_that_of_the_package():
    assert f'"{codec.REQUIREMENT}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("version", "fits"),
    [("0.18.6", True), ("0.22.0", True), ("1.0", True), ("0.18.5", False), ("", False), ("x", False)],
)
def test_its_own_codec_is_used_where_it_is_recent_enough(version, fits, tmp_path, monkeypatch):
    monkeypatch.setattr(codec, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(codec, "_install", lambda executable, folder, environment, has_pip: None)
    folder = codec.bring_along("/p/python", "another abi", {"msgspec": version}, {}, silent)
    assert (folder == "") is fits


def test_ours_is_lent_to_a_python_of_the_same_kind():
    import msgspec

    folder = codec.bring_along("/p/python", inquiry.abi(), {}, {}, silent)
    assert Path(folder) == Path(msgspec.__file__).parent


FAKE_PIP = """\
#!/bin/sh
echo "$@" >> "$0.calls"
while [ "$1" != --target ]; do shift; done
mkdir -p "$2/msgspec" && touch "$2/msgspec/__init__.py"
"""


@POSIX
def test_another_kind_gets_one_installed_once_and_is_told(program, tmp_path, monkeypatch):
    monkeypatch.setattr(codec, "cache_folder", lambda: tmp_path / "cache")
    path, told = program(FAKE_PIP), []
    arguments = (str(path), "linux-x86_64.cpython-310-x86_64-linux-gnu.so", {"pip": "24"}, {"PATH": os.environ["PATH"]})
    folders = {codec.bring_along(*arguments, told.append) for _ in range(2)}
    (folder,) = map(Path, folders)
    assert (folder / "__init__.py").is_file()
    assert folder.is_relative_to(tmp_path / "cache")
    assert len(told) == 1
    assert "Installing msgspec" in told[0]
    (call,) = Path(f"{path}.calls").read_text().splitlines()
    assert call.startswith("-B -m pip install --no-deps")
    assert call.endswith(codec.REQUIREMENT)
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == [folder.parent.name]


@POSIX
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("#!/bin/sh\necho 'ERROR: Could not find a version' >&2\necho note >&2\nexit 1\n", "Could not find a version"),
        ("#!/bin/sh\nexit 0\n", "installed nothing"),
    ],
)
def test_what_can_not_be_installed_comes_with_the_line_to_type(program, tmp_path, monkeypatch, source, said):
    monkeypatch.setattr(codec, "cache_folder", lambda: tmp_path / "cache")
    path = program(source)
    with pytest.raises(UsageError, match=said) as caught:
        codec.bring_along(str(path), "another", {"pip": "24"}, {"PATH": os.environ["PATH"]}, silent)
    assert f"{path} -B -m pip install" in (caught.value.hint or "")
    assert codec.REQUIREMENT in (caught.value.hint or "")


# --- a box of it ----------------------------------------------------------------------------------------------------

ANSWER = b"""
import importlib.util, os, sys
def path(): return sys.path
def prefix(): return sys.prefix
def has(): return [n for n in ("pytest", "pydantic", "psutil", "click") if importlib.util.find_spec(n)]
def grow(): return len(bytearray(1 << 31))
def child(): return os.popen("python -c 'import sys; print(sys.prefix)'").read().strip()
"""


@POSIX
def test_security_a_box_of_another_python_sees_its_packages_and_none_of_ours(numpy_only):
    python = choose(str(numpy_only), silent)
    assert not python.is_ours
    box = BoxClient(BoxSpec({"answer.py": ANSWER}, "answer.py", (), "cpu", python=python))
    try:
        names = ("path", "prefix", "has", "child")
        path, prefix, has, child = (_call(box, name) for name in names)
    finally:
        box.close()
        box._output._thread.join(30)
    assert prefix == child == str(numpy_only)
    assert has.items == []
    assert not [entry for entry in path.items if Path(entry) in {ROOT, Path(pytest.__file__).parents[1]}]
    assert "" not in path.items


def _call(box: BoxClient, name: str) -> Any:
    return box.request(lambda number: Call(id=number, target=Name(name), args=[], kwargs={}, seed=0), []).value


@POSIX
def test_limits_hold_there_too(numpy_only):
    from autograder.box.causes import BoxDied
    from autograder.box.client import StudentRaised
    from autograder.limits import Limits

    python = choose(str(numpy_only), silent)
    spec = BoxSpec({"answer.py": ANSWER}, "answer.py", (), "cpu", Limits(memory_mb=256), python=python)
    box = BoxClient(spec)
    try:
        with pytest.raises((BoxDied, StudentRaised), match=r"(?i)memory"):
            _call(box, "grow")
    finally:
        box.close()
        box._output._thread.join(30)
