"""Imports go one way, as DESIGN §3 fixes it; what runs inside the box imports next to nothing, frameworks nobody."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "autograder"

# DESIGN §3, highest first: a unit may import itself, its own layer (without a circle), and what stands below.
LAYERS = (
    ("cli", "__main__"),
    (
        "collect",
        "run",
        "release",
        "stub",
        "bundle",
        "withheld",
        "start",
        "validate",
        "new",
        "nbgrader",
        "notebook",
        "schema",
        "doctor",
        "gradebook",
        "decisions",
        "pack",
    ),
    ("judge", "ledger", "report"),
    ("score", "box"),
    ("course", "assignment", "roster", "submission", "datasets", "history", "overview"),
    (
        "results",
        "diagnosis",
        "messages",
        "errors",
        "limits",
        "late_policy",
        "mail_settings",
        "yaml_file",
        "table_file",
        "__init__",
    ),
    ("quick_start",),
)
LAYER_OF = {unit: number for number, units in enumerate(LAYERS) for unit in units}
PART_OF = dict.fromkeys(("notebook_source", "file_kind", "zip_archive"), "submission")

OLDEST = (3, 9)
INSIDE = (
    "advice",
    "cells",
    "protocol",
    "values",
    "channel",
    "worker",
    "importing",
    "frameworks",
    "devices",
    "mounted",
    "outline",
    "own_limits",
    "plotting",
    "screen",
    "stand_in",
    "tracebacks",
)
# Loaded by the student's own import of torchvision, under its name.
STAND_IN = ("stand_in.datasets", "stand_in.top", "stand_in.transforms")
# Of sealed boxes: what the worker's process goes through before it is the worker.
LINUX = tuple(sorted(f"linux.{file.stem}" for file in (PACKAGE / "box" / "linux").glob("[a-z]*.py")))
SEALED = ("seal", "init", "zygote", "rehearsal", "restrict", "cold", "kernel", *LINUX)
WIRE = {"numpy", "msgspec"}
FRAMEWORKS = {"torch", "tensorflow", "keras", "torchvision", "jax"}


class Import(NamedTuple):
    """One import statement's target: `name` is a module, or an attribute of one."""

    file: Path
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(PACKAGE.parent)}:{self.line} imports {self.name}"


def file_of(name: str) -> Path:
    """Return the file of a module of the box."""
    path = PACKAGE / "box" / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imports_of(file: Path) -> Iterator[Import]:
    """Yield every import of a file: inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            yield from (Import(file, node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def unit_of(file: Path) -> str:
    first = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return PART_OF.get(first, first)


def unit_imported(name: str) -> str:
    """Return the unit that `autograder.….name` belongs to; an attribute of the package itself is its __init__."""
    first = name.split(".")[1]
    there = (PACKAGE / first).is_dir() or (PACKAGE / f"{first}.py").is_file()
    return PART_OF.get(first, first) if there else "__init__"


FILES = sorted(PACKAGE.rglob("*.py"))
OURS = [
    (unit_of(file), unit_imported(found.name), found)
    for file in FILES
    for found in imports_of(file)
    if found.name.split(".")[0] == "autograder"
]
UNITS = sorted({unit_of(file) for file in FILES})


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_has_a_layer(unit):
    assert unit in LAYER_OF


@pytest.mark.parametrize("unit", UNITS)
def test_imports_go_down(unit):
    upward = [
        str(found)
        for importer, imported, found in OURS
        if importer == unit and LAYER_OF.get(imported, -1) < LAYER_OF.get(unit, -1)
    ]
    assert upward == []


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer[0])
def test_units_of_one_layer_do_not_import_in_a_circle(layer):
    graph = {
        unit: {imported for importer, imported, _ in OURS if importer == unit != imported and imported in layer}
        for unit in layer
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' → '.join(error.args[1])}")


def test_only_the_box_is_asked_by_the_judge_and_by_nobody_above():
    """The doctor and `start` ask what boxes can be started with; the boxes themselves they leave to the judge, too.

    What closes the process that reads archives (`collect.closing`) is made of the same layers as a box.
    """
    users = {importer for importer, imported, _ in OURS if imported == "box"}
    assert users <= {"box", "judge", "run", "doctor", "start", "collect", "notebook"}
    allowed = {
        "collect": {"linux"},
        "doctor": {"devices", "interpreter", "probe", "pythons"},
        "start": {"interpreter"},
        "notebook": {"kernels"},
    }
    for unit, modules in allowed.items():
        used = {found.name.split(".")[2] for importer, imported, found in OURS if (importer, imported) == (unit, "box")}
        assert used <= modules


# --- what runs inside the box ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*INSIDE, *STAND_IN, *SEALED])
def test_security_what_runs_inside_the_box_imports_next_to_nothing(name):
    inside = {*INSIDE, *(SEALED if name in SEALED else ()), *(("linux",) if name in SEALED else ())}
    allowed = {"autograder.box", *(f"autograder.box.{each}" for each in inside)}
    foreign = []
    for found in imports_of(file_of(name)):
        top = found.name.split(".")[0]
        if top == "autograder":
            module = found.name if found.name in allowed else found.name.rpartition(".")[0]
            if module not in allowed or (module == "autograder.box" and found.name not in allowed):
                foreign.append(str(found))
        elif top not in sys.stdlib_module_names and top not in WIRE:
            foreign.append(str(found))
    assert foreign == []


def test_what_runs_inside_the_box_uses_nothing_that_its_oldest_pythons_lack(tmp_path):
    """By mypy, which knows in which version each name of the standard library came; 3.10 is the oldest it knows."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    files = [str(file_of(name)) for name in (*INSIDE, *STAND_IN, *SEALED, "inquiry")]
    command = [sys.executable, "-m", "mypy", "--python-version", "3.10", "--cache-dir", str(tmp_path), *files]
    result = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True, timeout=200, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", [*INSIDE, *STAND_IN, *SEALED, "inquiry"])
def test_what_runs_inside_the_box_can_be_read_by_the_oldest_python(name):
    """Its Python may be another one; `match`, `X | Y` outside annotations and `zip(strict=…)` are 3.10's."""
    source = file_of(name).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=OLDEST)
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        # msgspec evaluates those of its classes.
        if name not in _WITH_STRUCTS or not isinstance(node, ast.AnnAssign)
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if isinstance(annotation, ast.AST)
        for inner in ast.walk(annotation)
    }
    evaluated = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and id(node) not in annotations
    ]
    unions = [ast.unparse(node) for node in evaluated if any(map(_is_type, (node.left, node.right)))]
    strict = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "strict"]
    assert (unions, strict) == ([], [])


_WITH_STRUCTS = {"protocol", "advice", "seal", "zygote", "kernel"}


def _is_type(node: ast.expr) -> bool:
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Constant):
        return False
    last = ast.unparse(node).split("[")[0].split(".")[-1]
    is_class = last[:1].isupper() and not last.isupper()  # a constant or a member of an enumeration is in capitals
    return last == "None" or is_class or last in {"str", "int", "float", "bool", "bytes", "list", "ndarray"}


def _loaded_by(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    return set(json.loads(done.stdout))


def test_security_importing_the_worker_loads_the_standard_library_numpy_and_the_codec_only():
    loaded = _loaded_by("import autograder.box.worker") - _loaded_by("import msgspec, numpy")
    ours = {name for name in loaded if name.split(".")[0] == "autograder"}
    assert ours == {"autograder", "autograder.box", *(f"autograder.box.{name}" for name in INSIDE)}
    others = {name.split(".")[0] for name in loaded - ours}
    assert others - WIRE - sys.stdlib_module_names == set()


# --- frameworks -----------------------------------------------------------------------------------------------------


def test_nobody_imports_a_framework():
    found = [str(each) for file in FILES for each in imports_of(file) if each.name.split(".")[0] in FRAMEWORKS]
    assert found == []


@pytest.mark.parametrize("module", ["autograder.cli", "autograder.judge.plugin", "autograder.judge.attempt"])
def test_the_command_and_the_judge_load_no_framework(module):
    assert {name.split(".")[0] for name in _loaded_by(f"import {module}")} & FRAMEWORKS == set()
