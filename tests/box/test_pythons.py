"""Where Pythons are looked for, and what becomes of those that don't answer. No Python of the machine is asked here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autograder.box import pythons
from autograder.box.interpreter import Interpreter
from autograder.box.pythons import candidates, find
from autograder.errors import UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with interpreters in every usual place."""
    for name in (
        "miniconda3", "miniconda3/envs/lesson", ".conda/envs/own", "elsewhere/listed", ".pyenv/versions/3.10.1",
        ".virtualenvs/one", ".local/share/uv/python/cpython-3.12", "course/hw/.venv", "course/venv", "active",
    ):  # fmt: skip
        _interpreter(tmp_path / name / "bin" / "python3")
    (tmp_path / ".conda" / "environments.txt").write_text(f"{tmp_path}/elsewhere/listed\n\n{tmp_path}/gone\n")
    return tmp_path


def _interpreter(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def found(home: Path, platform: str = "linux", **environ: str) -> list[str]:
    paths = candidates(environ, home, home / "course" / "hw", platform)
    return [path.relative_to(home).as_posix() for path in paths if path.is_relative_to(home)]


@pytest.mark.skipif(os.name == "nt", reason="a name longer than the system's longest is refused there, too")
def test_a_place_that_can_not_be_looked_into_does_not_end_the_search(home):
    (home / ".conda" / "environments.txt").write_text(f"{home}/{'a' * 300}\n{home}/elsewhere/listed\n")
    assert "elsewhere/listed/bin/python3" in found(home)


def test_the_usual_places_nearest_first(home):
    assert found(home) == [
        "course/hw/.venv/bin/python3",
        "course/venv/bin/python3",
        "elsewhere/listed/bin/python3",
        ".conda/envs/own/bin/python3",
        "miniconda3/bin/python3",
        "miniconda3/envs/lesson/bin/python3",
        ".pyenv/versions/3.10.1/bin/python3",
        ".virtualenvs/one/bin/python3",
        ".local/share/uv/python/cpython-3.12/bin/python3",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("VIRTUAL_ENV", "active"), ("CONDA_PREFIX", "active"), ("MAMBA_ROOT_PREFIX", "active"),
     ("CONDA_EXE", "active/bin/conda")],
)  # fmt: skip
def test_places_named_in_the_environment(home, name, value):
    assert "active/bin/python3" in found(home, **{name: str(home / value)})


def test_what_is_on_path_by_its_name_only(home):
    folder = home / "programs"
    for name in ("python3", "python3.12", "python", "python3-config", "python3.12-gdb", "pythonw.exe", "ipython"):
        _interpreter(folder / name)
    _interpreter(home / "shims" / "python3")
    path = os.pathsep.join([str(home / "shims"), str(folder), "", str(home / "nothing")])
    assert [name for name in found(home, PATH=path) if name.startswith(("programs", "shims"))] == [
        "programs/python",
        "programs/python3",
        "programs/python3.12",
    ]


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_several_names_of_one_file_in_one_folder_count_once(home):
    folder = home / "programs"
    _interpreter(folder / "python3.12")
    (folder / "python3").symlink_to("python3.12")
    assert sum(name.startswith("programs") for name in found(home, PATH=str(folder))) == 1


def test_windows_installers_folders(home):
    _interpreter(home / "Local" / "Programs" / "Python" / "Python312" / "python.exe")
    _interpreter(home / "miniconda3" / "envs" / "windows" / "python.exe")
    names = found(home, "win32", LOCALAPPDATA=str(home / "Local"))
    assert {"Local/Programs/Python/Python312/python.exe", "miniconda3/envs/windows/python.exe"} <= set(names)


def test_no_more_than_can_be_asked(home):
    for number in range(300):
        _interpreter(home / ".pyenv" / "versions" / f"3.9.{number}" / "bin" / "python3")
    assert len(candidates({}, home, home, "linux")) == 200


def test_each_python_is_told_once_and_one_that_fails_with_its_reason(monkeypatch, tmp_path):
    def ask(path: Path, timeout_s: float) -> Interpreter:
        if path.name == "broken":
            raise UsageError("broken did not answer")
        return Interpreter(str(path), "3.12.4", f"/prefix/{path.name[0]}", "", "x")

    names = ("a", "a2", "broken", "b")
    monkeypatch.setattr(pythons, "candidates", lambda *_: [Path(name) for name in names])
    monkeypatch.setattr(pythons, "ask", ask)
    monkeypatch.setattr(pythons.sys, "executable", "/usr/bin/own")
    told = [(one.path.name, one.problem) for one in find(tmp_path)]
    assert told == [("own", ""), ("a", ""), ("broken", "broken did not answer"), ("b", "")]
