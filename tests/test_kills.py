"""`kill -9` of any process at any moment: the ledger is that of a run that nobody has disturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from autograder.box.backends import PROCESS, TRUSTED_ONLY
from autograder.box.probe import probe
from tests.kill_runs import KINDS
from tests.tiny_course import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="judges are forked, and orphans found, on Linux only")


# Each alone is in `make test`: a command that is killed in test_run, judges and zygotes in test_warm.
@pytest.mark.parametrize(
    "kills", [pytest.param(len(KINDS), marks=pytest.mark.ci), pytest.param(50, marks=pytest.mark.slow)]
)
@pytest.mark.timeout(7200)
def test_whatever_is_killed_the_ledger_is_that_of_an_undisturbed_run(tmp_path, kills):
    best = probe().best
    isolation = PROCESS if best in TRUSTED_ONLY else best
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.kill_runs", str(kills), isolation]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    assert sum(told["killed"].values()) == kills
    assert min(told["killed"].get(kind, 0) for kind in KINDS) >= kills // len(KINDS)
    assert told["attempts"] == 11
    assert set(told["statuses"]) == {"passed", "partial", "failed", "error", "crashed"}
    assert told["differences"] == []
    left = {name: told[name] for name in ("processes", "mounts", "groups", "scratch_folders", "judges_folders")}
    assert left == dict.fromkeys(left, 0)
