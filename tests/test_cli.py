"""The command as people run it: a process of its own, its output through a pipe."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, entry_points, version

import psutil
import pytest

from autograder import __version__, cli
from autograder.box.probe import probe
from autograder.errors import InternalError
from autograder.messages import CATALOGUES, set_language
from autograder.results import Report
from tests.tiny_course import COURSE, PUBLIC, SOLUTION, environment, grade, make_course, write

COMMANDS = ("list", "start", "check", "doctor", "data", "validate", "calibrate", "new", "release")
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def course(tmp_path):
    folder = make_course(tmp_path / "course")
    write(folder / "sums.py", SOLUTION)
    return folder


def out(result):
    return result.stdout.decode()


# --- help -----------------------------------------------------------------------------------------------------------


def test_the_group_lists_its_commands_in_both_languages(tmp_path):
    for language, text in CATALOGUES.items():
        result = grade("--help", "--lang", language, cwd=tmp_path)
        said = " ".join(out(result).split())
        assert (result.returncode, result.stderr) == (0, b"")
        assert text["cli.help"] in said
        for command in COMMANDS:
            assert f"{command} {text[f'cli.{command}.short']}" in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_command_and_option_has_its_help(tmp_path, command, language):
    result = grade(command, "-h", "--lang", language, cwd=tmp_path)
    said = "".join(out(result).split())
    assert result.returncode == 0
    assert "".join(CATALOGUES[language][f"cli.{command}.help"].split())[:60] in said
    for key in (key for key in CATALOGUES[language] if key.startswith(f"cli.{command}.")):
        if key.count(".") == 2 and key.split(".")[2] not in {"short", "help"}:
            assert "".join(CATALOGUES[language][key].split()) in said, key


def test_help_in_chinese_has_no_english_headings(tmp_path):
    said = out(grade("check", "--help", "--lang", "zh", cwd=tmp_path))
    assert not [word for word in ("Usage", "Options", "Show this message and exit") if word in said]


def test_the_version(tmp_path):
    assert out(grade("--version", cwd=tmp_path)).split() == ["grade,", "version", __version__]


def test_the_script_grade_is_the_same_command():
    try:
        version("dl-autograder")
    except PackageNotFoundError:
        pytest.skip("the package is not installed here")
    (script,) = entry_points(group="console_scripts", name="grade")
    assert script.load() is cli.main


def test_grade_alone_shows_its_help(tmp_path):
    result = grade(cwd=tmp_path)
    said = (result.stdout + result.stderr).decode()
    assert said.startswith("Usage: grade")
    assert said.count("Usage:") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", "--help"], ["validate", "--help"]])
def test_help_imports_nothing_that_takes_time(tmp_path, arguments):
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "autograder", *arguments],
        cwd=tmp_path, env=environment(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[1].strip() for line in result.stderr.decode().splitlines() if "|" in line}
    assert "click" in imported
    assert not imported & {"numpy", "pydantic", "torch", "tensorflow", "pytest", "rich", "yaml", "msgspec", "psutil"}


def test_check_imports_no_framework(course):
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "autograder", "check", "hw1", "sums.py"],
        cwd=course, env=environment(), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    imported = {line.rsplit("|", 1)[1].strip() for line in result.stderr.decode().splitlines() if "|" in line}
    assert not imported & {"torch", "tensorflow", "keras", "matplotlib"}


# --- another Python -------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("way", ["option", "environment"])
def test_another_python_runs_the_students_code_and_is_named(course, numpy_only, way):
    given = ["--python", str(numpy_only)] if way == "option" else []
    env = {} if way == "option" else {"GRADE_PYTHON": str(numpy_only)}
    before = _files(numpy_only)
    short = grade("check", "hw1", "sums.py", *given, cwd=course, **env)
    assert (short.returncode, short.stderr) == (0, b"")
    assert str(numpy_only) not in out(short)
    verbose = "".join(out(grade("check", "hw1", "sums.py", *given, "-v", cwd=course, **env)).split())
    assert "".join(f"({numpy_only}/bin/python3)".split()) in verbose
    report = Report.model_validate_json(grade("check", "hw1", "sums.py", "--json", *given, cwd=course, **env).stdout)
    assert report.environment.python_path == f"{numpy_only}/bin/python3"
    assert _files(numpy_only) == before  # nothing is written into somebody's environment


def _files(folder):
    return {path for path in folder.rglob("*") if not path.is_symlink()}


@POSIX
def test_a_framework_that_another_python_lacks_is_said_of_that_python(course, numpy_only):
    write(course / "sums.py", f"import torch\n{SOLUTION}")
    result = grade("check", "hw1", "sums.py", "--python", numpy_only, cwd=course)
    assert result.returncode == 2
    said = result.stderr.decode()
    assert f"sums.py imports torch, which {numpy_only}/bin/python3 does not have." in said
    assert "bin/python3' -m pip install torch\n  Or use a Python that has it: grade doctor --find-python" in said


# --- a report -------------------------------------------------------------------------------------------------------


def test_a_right_answer_piped(course):
    result = grade("check", "hw1", "sums.py", cwd=course)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"\x1b" not in result.stdout
    lines = out(result).splitlines()
    assert lines[0].startswith("hw1  sums.py  python ")
    assert "✓ 10/10 add returns the sum of two numbers" in [line.rstrip() for line in lines]
    assert any(line.startswith("Score 20 / 20  passed") for line in lines)
    assert "Not checked here: hidden checks, 20 points." in out(result)


def test_a_pipe_has_no_colours_even_where_a_service_sets_force_color(course):
    assert b"\x1b" not in grade("check", "hw1", "sums.py", cwd=course, FORCE_COLOR="1").stdout


def test_json_is_one_document_that_is_a_report(course):
    result = grade("check", "hw1", "sums.py", "--hidden", "--full", "--json", cwd=course)
    assert (result.returncode, result.stderr) == (0, b"")
    report = Report.model_validate_json(result.stdout)
    assert (report.score, report.max_points, report.seeds) == (40, 40, (0, 1, 2))


def test_a_wrong_answer_exits_with_1_and_json_says_the_same(course):
    write(course / "sums.py", SOLUTION.replace("return a + b", "print('hello'); return a - b"))
    plain, document = (grade("check", "hw1", "--task", "1.1", *more, cwd=course) for more in ((), ("--json",)))
    assert plain.returncode == document.returncode == 1
    (check,) = json.loads(document.stdout)["checks"]
    assert (check["status"], check["expected"], check["came"], check["hint"]) == ("failed", "5", "-1", "Use +.")
    said = out(plain)
    for word in ("expected", "came", "-1", "try", "Use +.", "hello"):
        assert word in said
    assert "Traceback" not in said


def test_nothing_is_written_beside_the_students_files(course):
    before = sorted(course.rglob("*"))
    grade("check", "hw1", "sums.py", "--hidden", cwd=course)
    left = {path for path in set(course.rglob("*")) - set(before) if ".grade" not in path.parts}
    assert {path.name for path in left} <= {"__pycache__"} | {path.name for path in left if path.suffix == ".pyc"}
    assert {path.name for path in course.glob("*") if path not in before} == {".grade"}


def test_a_folder_with_spaces_and_chinese(tmp_path):
    folder = make_course(tmp_path / "深度学习 2026 (a)")
    write(folder / "我的 作业" / "求和 1.py", SOLUTION)
    result = grade("check", "hw1", "我的 作业", "--hidden", cwd=folder)
    assert result.returncode == 0
    assert "求和 1.py" in out(result)


def test_a_course_is_found_from_a_folder_inside_it_and_by_the_file(course, tmp_path):
    inside = course / "assignments" / "hw1_sums"
    assert grade("check", "hw1", "../../sums.py", "--task", "1.1", cwd=inside).returncode == 0
    assert grade("check", "hw1", course / "sums.py", "--task", "1.1", cwd=tmp_path).returncode == 0


# --- languages and consoles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "env", "word"),
    [
        ((), {"LANG": "zh_CN.UTF-8"}, "得分 20 / 20"),
        (("--lang", "zh"), {}, "得分 20 / 20"),
        (("--lang", "en"), {"LANG": "zh_CN.UTF-8"}, "Score 20 / 20"),
        ((), {"GRADE_LANG": "zh"}, "add 返回两数之和"),
    ],
)
def test_the_language_is_the_systems_or_the_one_asked_for(course, arguments, env, word):
    result = grade("check", "hw1", "sums.py", *arguments, cwd=course, **env)
    assert result.returncode == 0
    assert word in out(result)


@pytest.mark.parametrize(("encoding", "language"), [("gbk", "zh"), ("gbk", "en"), ("ascii", "en"), ("cp1252", "en")])
def test_a_console_shows_no_character_that_it_lacks(course, encoding, language):
    write(course / "sums.py", SOLUTION.replace("return sum(", "return 1 + sum("))
    result = grade("check", "hw1", "sums.py", "--hidden", "--lang", language, cwd=course, PYTHONIOENCODING=encoding)
    assert result.returncode == 1
    assert result.stderr == b""
    text = result.stdout.decode(encoding)
    assert "?" not in text
    assert ("得分" if language == "zh" else "Score") in text


def test_chinese_on_an_ascii_console_does_not_fail(course):
    result = grade("check", "hw1", "sums.py", "--lang", "zh", cwd=course, PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "20 / 20" in result.stdout.decode("ascii")


# --- interrupted ----------------------------------------------------------------------------------------------------

TRAINING = """
import pathlib, subprocess, sys, time
def add(a, b): return a + b
def slope(xs, ys, seed=0):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    pathlib.Path({mark!r}).write_text(f"{{__import__('os').getpid()}} {{other.pid}}")
    time.sleep(300)
"""


@POSIX
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_middle_of_a_training_leaves_no_process(course, tmp_path, kind):
    mark = tmp_path / "training"
    write(course / "sums.py", TRAINING.format(mark=str(mark)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "check", "hw1", "sums.py", "--isolation", "process"],
        cwd=course, env=environment(TMPDIR=str(scratch)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _wait_for(lambda: mark.exists() and len(mark.read_text().split()) == 2)
    pids = [process.pid, *map(int, mark.read_text().split())]
    process.send_signal(kind)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stdout == b""
    assert stderr.decode().split("\n")[-2] == "Interrupted. Nothing was left running."
    assert b"Traceback" not in stderr
    _wait_for(lambda: not [pid for pid in pids if _runs(pid)])
    assert list(scratch.iterdir()) == []


# A sealed box can write no mark for the test to find, but its process can be given a name.
SEALED_TRAINING = """
import ctypes, time
def add(a, b): return a + b
def slope(xs, ys, seed=0):
    ctypes.CDLL(None).prctl(15, b"{name}")
    time.sleep(300)
"""


@pytest.mark.skipif(probe().best != "namespaces", reason="no sealed boxes here")
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["check", "hw1", "sums.py"], signal.SIGINT),
        (["check", "hw1", "sums.py"], signal.SIGTERM),
        (["validate", "hw1", "--jobs", "2"], signal.SIGINT),
    ],
)
def test_ctrl_c_leaves_nothing_of_sealed_boxes(course, command, kind):
    name = f"t{time.monotonic_ns() % 10**12}"
    training = SEALED_TRAINING.format(name=name) + "# BEGIN SOLUTION\n# END SOLUTION\n"
    write(course / "course.yml", COURSE.replace("call_s: 30", "call_s: 300"))
    for path in ("sums.py", "solutions/hw1_sums/sums.py", "assignments/hw1_sums/sums.py"):
        write(course / path, training)
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", *command], start_new_session=True,
        cwd=course, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _wait_for(lambda: any(one.info["name"] == name for one in psutil.process_iter(["name"])))
    family = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, kind)
    stdout, stderr = process.communicate(timeout=60)
    _, left = psutil.wait_procs(family, timeout=60)
    assert (process.returncode, stdout, left) == (130, b"", [])
    assert b"Traceback" not in stderr


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_for(ready):
    for _ in range(600):
        if ready():
            return
        time.sleep(0.1)
    pytest.fail("waited for a minute")


@POSIX
def test_ctrl_c_in_the_middle_of_validate_leaves_no_process(course, tmp_path):
    mark = tmp_path / "training"
    write(course / "course.yml", COURSE.replace("call_s: 30", "call_s: 300"))
    for path in ("solutions/hw1_sums/sums.py", "assignments/hw1_sums/sums.py"):
        write(course / path, TRAINING.format(mark=str(mark)) + "# BEGIN SOLUTION\n# END SOLUTION\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "validate", "hw1", "--jobs", "2"], start_new_session=True,
        cwd=course, env=environment(GRADE_ISOLATION="process"), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _wait_for(mark.exists)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of its foreground processes
    try:
        stdout, stderr = process.communicate(timeout=60)
        # multiprocessing's own resource tracker ends by itself, a moment after its parent.
        _, left = psutil.wait_procs(family, timeout=60)
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    assert (process.returncode, stdout, left) == (130, b"", [])
    assert b"Traceback" not in stderr


@POSIX
def test_a_reader_that_goes_away_is_no_error(course):
    process = subprocess.Popen(
        [sys.executable, "-m", "autograder", "check", "hw1", "sums.py", "--json"],
        cwd=course, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stdout.close()
    stderr = process.stderr.read()
    process.wait(60)
    process.stderr.close()
    assert stderr == b""


# --- our own errors, in this process --------------------------------------------------------------------------------


def _run(monkeypatch, error, *arguments):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("autograder.judge.check.check_submission", fail)
    return cli._run(["check", "hw1", *arguments])


@pytest.mark.parametrize(
    ("error", "code"), [(RuntimeError("boom"), 3), (InternalError("boom"), 3), (KeyboardInterrupt(), 130)]
)
def test_exit_codes_of_what_should_not_happen(monkeypatch, capsys, error, code):
    assert _run(monkeypatch, error) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert ("boom" in captured.err) is (code == 3)


def test_verbose_shows_our_traceback(monkeypatch, capsys):
    assert _run(monkeypatch, RuntimeError("boom"), "--verbose") == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code"), [(RuntimeError("boom"), 3), (KeyboardInterrupt(), 130)])
def test_json_is_one_document_even_then(monkeypatch, capsys, error, code):
    assert _run(monkeypatch, error, "--json") == code
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == code


def test_our_own_errors_in_chinese(monkeypatch, capsys):
    set_language("zh")
    try:
        _run(monkeypatch, RuntimeError("boom"))
    finally:
        set_language("en")
    assert "是我们的问题" in capsys.readouterr().err


def test_output_is_made_safe_for_any_console(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    cli._make_output_safe()
    stream.write("a ≤ b · “c” ✓ 感")
    stream.flush()
    assert stream.buffer.getvalue() == b'a <= b - "c" ? ?'


def test_an_internal_check_exits_with_3(course):
    write(course / "assignments/hw1_sums/tests/test_sums_public.py", PUBLIC.replace("came == 5", "came == 5 + None"))
    result = grade("check", "hw1", "sums.py", cwd=course)
    assert result.returncode == 3
    assert "not graded yet" in out(result)
