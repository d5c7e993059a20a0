"""All of the sealed boxes' own tests once more, as an ordinary user without any right."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.box.conftest import BACKENDS, sealed_only

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# What a user's rights decide, each time; what of it is much for CI, the rest in the long run (`make test-all`).
ALWAYS = ("linux/test_layers.py", "test_forbidden.py")
CI = (
    "test_conformance.py",
    "test_sealed.py",
    "test_spares.py",
    "test_attacks.py",
    "test_hostile_frames.py",
    "test_protocol_fuzz.py",
)
LONG = (
    "test_sealed_python.py",
    "test_gpu.py",
    "test_mounted.py",
    "test_ordinary_code.py",
    "test_attacks_elsewhere.py",
    "../test_warm.py",
    "test_audit.py",
    "test_soak.py",
    "test_kernels.py",
)
FILES = (
    *ALWAYS,
    *(pytest.param(file, marks=pytest.mark.ci) for file in CI),
    *(pytest.param(file, marks=pytest.mark.slow) for file in LONG),
)
# keras' own tests and what compares trainings take long, and see no user; a cold start for each test would take longer
# than all the others. The bracket and the dash: without them what is about processes is left out as well.
SELECTED = "not process] and not process- and not keras and not same_bits and not bwrap"
SLOW_S = 1700  # only so that nothing hangs for ever; `make test` gives each 300 s by its --timeout

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to become somebody else"),
    sealed_only,
]


@pytest.mark.parametrize("file", FILES)
def test_as_an_ordinary_user(file):
    run(file, "-k", SELECTED, "-m", "not slow")


@pytest.mark.slow
@pytest.mark.skipif("bwrap" not in BACKENDS, reason="no bwrap here")
@pytest.mark.parametrize("file", ["test_conformance.py", "test_attacks_elsewhere.py"])
def test_bwrap_as_an_ordinary_user(file):
    """Who has no namespaces but bubblewrap's is seldom root."""
    run(file, "-k", "bwrap and not keras")


def run(file, *selected):
    scratch = Path(tempfile.mkdtemp(prefix="ordinary-user-"))
    scratch.chmod(0o777)
    command = [
        *(sys.executable, HERE / "ordinary_user.py", sys.executable, "-m", "pytest", HERE / file, "-q"),
        *("-p", "no:cacheprovider", "--basetemp", scratch / "pytest", *selected),
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch), "HOME": str(scratch)}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SLOW_S, check=False
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
