"""Notebooks with their tests in cells: nbgrader's own come to the scores that its own tests want, in our kernels."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from autograder.limits import Limits
from autograder.notebook.plain_config import plain_config_lines
from tests.plain_course import assignment, config_text, grade_all, notebook
from tests.tiny_course import ROOT, environment, write

pytestmark = pytest.mark.nbgrader

STUB = "c.ClearSolutions.code_stub = {'python': '# YOUR CODE HERE'}"


@pytest.fixture(scope="module")
def files():
    """nbgrader's notebooks, which are in its wheel; what they score is in its tests/apps/test_nbgrader_autograde.py."""
    found = importlib.util.find_spec("nbgrader")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "tests" / "apps" / "files"


def output_of(root, student, name, grade_id):
    nb = nbformat.read(root / "autograded" / student / name / "p1.ipynb", as_version=4)
    cell = next(one for one in nb.cells if one.metadata.get("nbgrader", {}).get("grade_id") == grade_id)
    return cell.outputs


@pytest.mark.ci
def test_nbgraders_own_notebooks_score_what_they_score(files, tmp_path):
    root = tmp_path / "course"
    write(root / "autotests.yml", (files / "autotests.yml").read_text())
    plan = {
        "grade": assignment(
            files / "submitted-unchanged.ipynb",
            {
                "foo": files / "submitted-unchanged.ipynb",
                "bar": files / "submitted-changed.ipynb",
                "spam": files / "submitted-cheat-attempt.ipynb",
                "eggs": files / "submitted-cheat-attempt-alternative.ipynb",
            },
        ),
        "hidden": assignment(files / "test-hidden-tests.ipynb", {}, config=[STUB], release=["foo"]),
        "relative": assignment(
            files / "open_relative_file.ipynb", {"foo": files / "open_relative_file.ipynb"}, files=[files / "data.txt"]
        ),
        "variable": assignment(
            files / "validating-environment-variable.ipynb", {"foo": files / "validating-environment-variable.ipynb"}
        ),
        "effects": assignment(files / "side-effects.ipynb", {"foo": files / "side-effects.ipynb"}),
        "loop": assignment(
            files / "infinite-loop.ipynb", {"foo": files / "infinite-loop.ipynb"}, config=["c.Execute.timeout = 1"]
        ),
        "slow": assignment(files / "timeout.ipynb", {"foo": files / "timeout.ipynb"}),
        "slower": assignment(
            files / "timeout.ipynb", {"bar": files / "timeout.ipynb"}, config=["c.Execute.timeout = 2"]
        ),
    }
    assert grade_all(root, plan) == {
        "grade": {"foo": [1, 7, False], "bar": [2, 7, True], "spam": [1, 7, True], "eggs": [1, 7, True]},
        "hidden": {"foo": [1.5, 3, False]},
        "relative": {"foo": [10, 10, False]},
        "variable": {"foo": [0, 1, False]},
        "effects": {"foo": [0, 0, False]},
        "loop": {"foo": [0, 0, False]},
        "slow": {"foo": [1, 1, False]},
        "slower": {"bar": [0, 1, False]},
    }
    # Stock nbgrader leaves it beside the graded notebook; here what code writes ends with its kernel.
    assert not (root / "autograded/foo/effects/side-effect.txt").exists()


@pytest.mark.ci
def test_nbgraders_autotests_score_what_they_score(files, tmp_path):
    root = tmp_path / "course"
    write(root / "autotests.yml", (files / "autotests.yml").read_text())

    def one(kind, students, config=()):
        return assignment(
            files / f"autotest-{kind}.ipynb",
            {name: files / f"autotest-{kind}-{version}.ipynb" for name, version in students.items()},
            config=config,
        )

    both = {"foo": "unchanged", "bar": "changed"}
    three = {"foo": "unchanged", "bar": "changed-wrong", "baz": "changed-right"}
    plan = {kind: one(kind, both) for kind in ("simple", "hashed", "multi")} | {"hidden": one("hidden", three, [STUB])}
    assert grade_all(root, plan) == {
        "simple": {"foo": [0, 1, False], "bar": [1, 1, False]},
        "hashed": {"foo": [0, 1, False], "bar": [1, 1, False]},
        "multi": {"foo": [0, 4, False], "bar": [3, 4, False]},
        "hidden": {"foo": [0, 1, False], "bar": [0, 1, False], "baz": [1, 1, False]},
    }


SOLUTION = {"grade_id": "answer", "solution": True}


def ends(how):
    """Return a notebook of three test cells, in the second of which the student's function is called."""
    return notebook(
        (f"def answer():\n    {how}\n    return 3", SOLUTION),
        ("pass", {"grade_id": "before", "points": 1}),
        ("answer()", {"grade_id": "during", "points": 5}),
        ("pass", {"grade_id": "after", "points": 2}),
    )


def test_where_a_notebook_ends_what_was_earned_before_stays(tmp_path):
    kinds = {
        "fine": ends("pass"),
        "warns": ends("import os, sys; os.write(2, b'by C'); print('by Python', file=sys.stderr)"),
        "exits": ends("import os; os._exit(0)"),
        "killed": ends("import os; os.kill(os.getpid(), 9)"),
        "later": ends("from IPython.display import display; get_ipython().displayhook(5); raise ValueError"),
        "too_much": ends("return 9"),
        "negative": ends("return -1"),
        "text": ends("return 'good'"),
        "no_text": ends("return type('T', (), {'_repr_mimebundle_': lambda *a, **k: {'text/html': 'x'}})()"),
        "garbled": ends("get_ipython().kernel.iopub_socket.send_multipart([b'x']); import os; os._exit(1)"),
    }
    endless = {
        "loops": ends("while True: pass"),
        "stubborn": ends(
            "import time\n    while True:\n        try: time.sleep(9)\n        except BaseException: pass"
        ),
    }
    root = tmp_path / "course"
    students = {name: write(tmp_path / f"{name}.ipynb", source) for name, source in (kinds | endless).items()}
    found = grade_all(
        root,
        {
            "hw": assignment(students["fine"], {name: students[name] for name in kinds}),
            "endless": assignment(
                students["fine"], {name: students[name] for name in endless}, config=["c.SafeExecute.timeout = 3"]
            ),
        },
    )
    scores = {name: result and result[0] for graded in found.values() for name, result in graded.items()}
    assert scores == {
        "fine": 6,  # partial credit: 3 of 5
        "warns": 6,
        "exits": 1,
        "killed": 1,
        "loops": 3,  # interrupted; the kernel lives
        "stubborn": 1,
        "later": 3,
        "too_much": 3,
        "negative": 8,
        "text": 8,
        "no_text": 8,
        "garbled": 1,
    }
    (died,) = output_of(root, "exits", "hw", "during")
    assert died.evalue == (
        "The kernel ended in this cell (a crash, or code that ends its process). "
        "This cell and those after it earn nothing."
    )
    assert [one.evalue for one in output_of(root, "exits", "hw", "after")] == [
        "Not run: the notebook was ended in an earlier cell."
    ]
    assert "could not be interrupted" in output_of(root, "stubborn", "endless", "during")[-1].evalue
    warned = [one for one in output_of(root, "warns", "hw", "during") if one.output_type == "stream"]
    assert {one.name for one in warned} == {"stdout"}
    assert "by Python" in "".join(one.text for one in warned)


def test_where_no_kernel_can_be_closed_nothing_is_run_and_it_is_said(tmp_path):
    root = tmp_path / "course"
    students = {"s01": write(tmp_path / "s01.ipynb", ends("pass"))}
    made = grade_all(root, {"hw": assignment(students["s01"], students)})
    assert made["hw"]["s01"][0] == 6
    config = config_text('c.GradeBoxProvisioner.isolation = "jail"')
    (root / "nbgrader_config.py").write_text(config, encoding="utf-8")
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "nbgrader", "autograde", "hw", "--force"], cwd=root, check=False,
        env=environment(PATH=commands), capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 1
    assert "There is no isolation called jail for kernels" in done.stderr
    assert not (root / "autograded/s01/hw/p1.ipynb").exists()


def test_the_lines_for_the_configuration_replace_one_step_of_nbgraders():
    document = (ROOT / "docs" / "nbgrader-plain.md").read_text(encoding="utf-8")
    lines = plain_config_lines(Limits(), total_s=600)
    assert "\n".join(f"    {line}" for line in lines) in document
    known = "from nbgrader.converters import Autograde as A; print(*(s.__name__ for s in A().autograde_preprocessors))"
    steps = subprocess.run([sys.executable, "-W", "ignore", "-c", known], capture_output=True, text=True, check=True)
    ours = [line.strip(' ",').rpartition(".")[2] for line in lines[1:8]]
    assert ours == ["SafeExecute" if step == "Execute" else step for step in steps.stdout.split()]


def test_the_entry_point_is_the_provisioner():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (value,) = project["entry-points"]["jupyter_client.kernel_provisioners"].values()
    module, _, name = value.partition(":")
    assert callable(getattr(importlib.import_module(module), name).launch_kernel)
