"""`grade doctor`: one line a thing, what to do about it, and which Pythons have a framework."""

from __future__ import annotations

import io
import json
import os
from collections import namedtuple
from pathlib import Path

import jsonschema
import pytest
from rich.cells import cell_len
from rich.console import Console

from autograder import doctor
from autograder.box import pythons
from autograder.box.backends import PROCESS, RESTRICTED
from autograder.box.grant import NO_GPU
from autograder.box.interpreter import Interpreter, ours
from autograder.box.probe import Missing, Probe
from autograder.box.protocol import ProtocolError
from autograder.datasets import reading
from autograder.datasets.registry import NAMES
from autograder.diagnosis import Diagnosis, Finding, Health
from autograder.judge import machine
from autograder.judge.isolation import Choice
from autograder.judge.machine import KnownBox, KnownDevice, KnownFramework, ask_box, ask_frameworks
from autograder.messages import set_language
from autograder.schema import FOLDER
from tests.tiny_course import grade, make_course, write

CPU = KnownDevice("cpu", "", 0)
H100 = KnownDevice("cuda", "NVIDIA H100", 85_520_809_984)
TORCH = KnownFramework("torch", "2.13.0", (CPU,), import_s=1.5)


def silent(_said: str) -> None:
    """Nothing is told to anybody."""


@pytest.fixture
def looked(monkeypatch, tmp_path):
    """Looks at a machine whose boxes give these answers, and returns the findings by name."""
    monkeypatch.setattr(doctor, "has_nvidia_driver", lambda: False)

    def look(*frameworks, failure="", driver=False, cwd=tmp_path):
        monkeypatch.setattr(doctor, "has_nvidia_driver", lambda: driver)
        monkeypatch.setattr(doctor, "ask_box", lambda python: KnownBox("process", 0.1, failure))
        monkeypatch.setattr(doctor, "ask_frameworks", lambda python: list(frameworks))
        diagnosis = doctor.diagnose(None, cwd, silent)
        return diagnosis, {finding.name: finding for finding in diagnosis.findings}

    return look


# --- isolation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_instructor_in_a_container_reads_what_follows_and_what_to_change(looked, monkeypatch, language):
    found = Probe((RESTRICTED, PROCESS), (Missing("namespaces", "unshare: Operation not permitted"),))
    monkeypatch.setattr(doctor, "choose_isolation", lambda _wanted, _python: Choice(RESTRICTED, NO_GPU))
    monkeypatch.setattr(doctor, "probe", lambda *, every: found)
    set_language(language)
    try:
        diagnosis, _ = looked(TORCH)
        lines = shown(diagnosis, width=60)
    finally:
        set_language("en")
    assert "--isolation restricted" in " ".join(" ".join(lines).split())  # what a class run asks for
    (options,) = [line for line in lines if line.lstrip().startswith("--security-opt")]
    assert options.endswith("systempaths=unconfined")  # whole, for copying
    begins = next(at for at, line in enumerate(lines) if "restricted" in line)
    ends = next(at for at, line in enumerate(lines) if "fashion-mnist" in line)
    prose = [line for line in lines[begins:ends] if not line.lstrip().startswith(("--", "sudo"))]
    assert all(cell_len(line) <= 60 for line in prose)


# --- what is found --------------------------------------------------------------------------------------------------


def test_a_machine_on_which_all_is_well(looked, tmp_path):
    diagnosis, found = looked(TORCH, cwd=make_course(tmp_path / "course"))
    assert list(found)[:5] == ["python", "box", "torch", "tensorflow", "isolation"]
    assert list(found)[-2:] == ["disk", "course"]
    assert found["torch"].said == "2.13.0, computes on cpu (imported in 1.5 s)"
    assert found["tensorflow"].health is Health.OPTIONAL
    assert found["course"].said.startswith("Tiny course")
    assert {found[name].health for name in ("python", "box", "torch", "isolation", "course")} == {Health.GOOD}
    assert not diagnosis.is_broken
    assert (diagnosis.python, diagnosis.pythons) == (ours().version, None)


def test_gpus_are_named_with_their_memory(looked):
    diagnosis, found = looked(TORCH._replace(devices=(H100, CPU)), driver=True)
    assert "computes on cuda: NVIDIA H100, 80 GB; cpu" in found["torch"].said
    assert found["torch"].health is Health.GOOD
    assert [(device.kind, device.memory) for device in diagnosis.frameworks[0].devices] == [
        ("cuda", 85_520_809_984),
        ("cpu", 0),
    ]


@pytest.mark.parametrize(
    ("problem", "driver", "said"),
    [
        ("torch 2.13.0 is a build without CUDA", True, "No GPU is used: torch 2.13.0 is a build without CUDA"),
        ("the driver is too old", False, "No GPU is used: the driver is too old"),
        ("", True, "This machine has an NVIDIA driver, but no GPU is used."),
    ],
)
def test_a_gpu_that_is_not_used_comes_with_the_reason_and_is_no_failure(looked, problem, driver, said):
    diagnosis, found = looked(TORCH._replace(device_problem=problem), driver=driver)
    assert said in found["torch"].said
    assert found["torch"].health is Health.LACKING
    assert "for the GPU" in found["torch"].hint or "For the GPU" in found["torch"].hint
    assert not diagnosis.is_broken


def test_without_any_framework_there_is_a_line_for_pip_and_a_way_to_find_one(looked):
    diagnosis, found = looked()
    for name in ("torch", "tensorflow"):
        assert found[name].health is Health.LACKING
        assert f"{ours().command} -m pip install {name}" in found[name].hint
    assert "grade doctor --find-python" in found["torch"].hint
    assert not diagnosis.is_broken


def test_a_framework_whose_import_fails(looked):
    _, found = looked(KnownFramework("torch", failure="OSError: libcudart.so.12 not found"))
    assert "its import fails: OSError: libcudart.so.12" in found["torch"].said
    assert found["torch"].hint


def test_a_box_that_does_not_start_stops_everything(looked):
    diagnosis, found = looked(TORCH, failure="exit 1: No module named numpy")
    assert found["box"].health is Health.BROKEN
    assert "No module named numpy" in found["box"].said
    assert diagnosis.is_broken
    assert diagnosis.frameworks == ()


@pytest.mark.parametrize(("free_mb", "health"), [(50, Health.BROKEN), (500, Health.LACKING), (5000, Health.GOOD)])
def test_room_for_scratch_folders(looked, monkeypatch, free_mb, health):
    usage = namedtuple("usage", "free")  # noqa: PYI024 - as shutil's
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(free_mb << 20))
    _, found = looked(TORCH)
    assert found["disk"].health is health
    assert bool(found["disk"].hint) is (health is not Health.GOOD)


def test_no_course_is_said_and_a_broken_one_stops_everything(looked, tmp_path):
    diagnosis, found = looked(TORCH)
    assert found["course"].health is Health.LACKING
    assert not diagnosis.is_broken
    (tmp_path / "course.yml").write_text("id: [", encoding="utf-8")
    diagnosis, found = looked(TORCH)
    assert found["course"].health is Health.BROKEN
    assert "course.yml" in found["course"].said
    assert diagnosis.is_broken


def test_datasets_are_told_with_where_they_lie_or_how_to_get_them(looked, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(reading, "SYSTEM_FOLDERS", ())
    for name in NAMES:
        write(tmp_path / "MNIST/raw" / name, "")
    _, found = looked(TORCH)
    assert found["mnist"].health is Health.GOOD
    assert str(tmp_path / "MNIST/raw") in found["mnist"].said
    assert found["fashion-mnist"].health is not Health.GOOD
    assert found["fashion-mnist"].hint.endswith("grade data fetch fashion-mnist")


# --- asked in boxes -------------------------------------------------------------------------------------------------


def test_a_box_starts_here():
    box = ask_box(ours())
    assert (box.isolation, box.failure) == ("process", "")
    assert box.start_s > 0


def test_a_python_in_which_no_box_starts_is_told(tmp_path):
    program = tmp_path / "python3"
    program.write_text("#!/bin/sh\necho no numpy here\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    if os.name == "nt":
        pytest.skip("a program made of a #! line")
    box = ask_box(Interpreter(str(program), "3.12.4", "/p", "/u", "x"))
    assert "exit 1" in box.failure
    assert "no numpy here" in box.failure


@pytest.mark.torch
def test_torch_is_asked_in_a_box():
    (torch,) = [known for known in ask_frameworks(ours()) if known.name == "torch"]
    assert torch.failure == ""
    assert torch.version
    assert torch.devices[-1] == CPU


@pytest.mark.parametrize(
    "told", [None, [], ([], 3), ([("cuda", "cuda", "x")], ""), ([("tpu", "", "", 0)], ""), ([3], "")]
)
def test_security_what_a_box_tells_of_devices_is_checked(told):
    with pytest.raises(ProtocolError):
        machine._devices(told)


def test_security_what_a_box_tells_can_not_repaint_the_terminal():
    devices, problem = machine._devices(([("cuda", "cuda", "\x1b[2JH100", 1)], "a\nb\x07" + "x" * 1000))
    assert devices == (KnownDevice("cuda", "[2JH100", 1),)
    assert problem.startswith("a b x")
    assert len(problem) == 300


# --- other Pythons --------------------------------------------------------------------------------------------------


def other(path, **packages):
    return pythons.Found(Path(path), Interpreter(path, "3.10.2", f"/prefix{path}", "/u", "x", packages))


@pytest.fixture
def machine_with(monkeypatch):
    """A machine with these Pythons."""
    return lambda *found: monkeypatch.setattr(doctor.pythons, "find", lambda cwd: list(found))


def test_those_with_a_framework_come_first_and_the_best_in_a_command(machine_with, tmp_path):
    machine_with(
        other("/usr/bin/python3", numpy="1.26"),
        pythons.Found(Path("/old/python"), None, "/old/python is Python 3.6"),
        other("/one env/bin/python", numpy="2.0", torch="2.1"),
        other("/no/numpy", torch="2.1", tensorflow="2.16"),
        other("/both/bin/python", numpy="2.0", torch="2.1", tensorflow=""),
    )
    diagnosis = doctor.find_pythons(tmp_path, silent)
    assert diagnosis.pythons is not None
    assert [one.path for one in diagnosis.pythons][:2] == ["/both/bin/python", "/one env/bin/python"]
    assert diagnosis.pythons[0].tensorflow == ""  # there, of a version that nothing tells
    assert [one.path for one in diagnosis.pythons if one.problem] == ["/old/python", "/no/numpy"]
    assert diagnosis.command == "grade check hw2 --python /both/bin/python"


@pytest.mark.skipif(os.name == "nt", reason="quotes of another shell")
def test_a_path_with_spaces_is_quoted(machine_with, tmp_path):
    machine_with(other("/one env/bin/python", numpy="2.0", torch="2.1"))
    assert doctor.find_pythons(tmp_path, silent).command == "grade check hw2 --python '/one env/bin/python'"


def test_the_command_names_an_assignment_that_takes_the_framework(machine_with, repository):
    machine_with(other("/a/python", numpy="2.0", tensorflow="2.16"))
    assert doctor.find_pythons(repository, silent).command == "grade check hw2 --python /a/python"


def test_grades_own_python_needs_no_option(machine_with, tmp_path):
    mine = Interpreter(ours().executable, ours().version, ours().prefix, "/u", "x", {"numpy": "2", "torch": "2"})
    machine_with(pythons.Found(Path(mine.executable), mine))
    assert doctor.find_pythons(tmp_path, silent).command == "grade check hw2"


# --- shown ----------------------------------------------------------------------------------------------------------


def shown(diagnosis, width=100):
    from autograder.report.diagnosis import print_diagnosis

    file = io.StringIO()
    print_diagnosis(diagnosis, Console(file=file, width=width, highlight=False, legacy_windows=False, no_color=True))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def findings(*rows):
    return Diagnosis(python="3.12", python_path="/p", findings=tuple(Finding(**row) for row in rows))


def test_one_line_a_thing_and_what_to_do_below_it():
    install = f"Install it: /opt/{'long/' * 20}python -m pip install torch"
    lines = shown(
        findings(
            {"name": "python", "health": "good", "said": "3.12"},
            {"name": "tensorflow", "health": "optional", "said": "not installed"},
            {"name": "torch", "health": "lacking", "said": "not installed", "hint": f"{install}\nOr not."},
            {"name": "box", "health": "broken", "said": "does not start"},
        )
    )
    assert lines == [
        "✓ python     3.12",
        "– tensorflow not installed",
        "! torch      not installed",
        f"             {install}",
        "             Or not.",
        "✗ start      does not start",
    ]


def test_in_chinese():
    set_language("zh")
    try:
        lines = shown(findings({"name": "disk", "health": "good", "said": "/tmp 还有 3 GB 空间"}))
    finally:
        set_language("en")
    assert lines == ["✓ 磁盘 /tmp 还有 3 GB 空间"]


def test_pythons_are_shown_with_what_they_have_and_the_rest_is_counted(machine_with, tmp_path):
    machine_with(other("/usr/bin/python3", numpy="1.26"), other("/a/python", numpy="2.0", torch="2.1", tensorflow=""))
    assert shown(doctor.find_pythons(tmp_path, silent)) == [
        "/a/python  python 3.10.2, numpy 2.0, torch 2.1, tensorflow",
        "1 more have neither, or can't be used; --json names them.",
        "",
        "Use it like this:",
        "  grade check hw2 --python /a/python",
        "To use it always, set the environment variable GRADE_PYTHON to /a/python",
    ]


def test_a_machine_without_any(machine_with, tmp_path):
    machine_with()
    assert shown(doctor.find_pythons(tmp_path, silent)) == ["No Python of this machine has torch or tensorflow."]


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--find-python",)])
def test_the_command_prints_json_that_fits_its_schema(tmp_path, arguments):
    result = grade("doctor", "--json", *arguments, cwd=tmp_path, timeout_s=300)
    assert (result.returncode, result.stderr) == (0, b"")
    told = json.loads(result.stdout)
    jsonschema.validate(told, json.loads((FOLDER / "diagnosis.schema.json").read_text(encoding="utf-8")))
    assert bool(told["findings"]) is not bool(arguments)
    assert (told["pythons"] is None) is not bool(arguments)


def test_something_broken_ends_with_2(tmp_path):
    (tmp_path / "course.yml").write_text("id: [", encoding="utf-8")
    result = grade("doctor", cwd=tmp_path, timeout_s=300)
    assert result.returncode == 2
    assert "course.yml" in result.stdout.decode()


def test_a_python_that_is_not_there_is_refused(tmp_path):
    for result in (
        grade("doctor", "--python", "/nowhere/python", cwd=tmp_path),
        grade("doctor", cwd=tmp_path, GRADE_PYTHON="/nowhere/python"),
    ):
        assert result.returncode == 2
        assert "There is no Python /nowhere/python." in result.stderr.decode()
