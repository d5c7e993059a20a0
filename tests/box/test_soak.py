"""Many boxes, many attempts, killed judges: nothing grows, nothing is left. The long ones run by `make test-all`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.box.conftest import BACKENDS

ROOT = Path(__file__).resolve().parents[2]
# So long that no busy machine decides; the short ones have what `make test` gives them.
LONG = (pytest.mark.slow, pytest.mark.timeout(7200))
CI = (pytest.mark.ci,)
# Measured: 0.04 MB after 1,000 boxes, 3 MB after 1,000 attempts, each of them a run of pytest.
MOST_GROWTH_KB = {"boxes": 2 << 10, "attempts": 16 << 10}
SOAKED = [name for name in BACKENDS if name in {"namespaces", "process"}]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts by /proc")


def ran(module: str, *arguments: object, scratch: Path) -> Any:
    """Run a program of this folder with temporary files of its own, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.box.{module}", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("what", "count", "isolation"),
    [
        *(
            pytest.param(what, count, isolation, marks=[] if isolation == SOAKED[0] else CI)
            for what, count in (("boxes", 20), ("attempts", 10))
            for isolation in SOAKED
        ),
        *(pytest.param("boxes", 1000, isolation, marks=LONG) for isolation in SOAKED),
        # The judge is the same, whatever its boxes are.
        pytest.param("attempts", 1000, SOAKED[0], marks=LONG),
    ],
)
def test_nothing_grows(tmp_path, isolation, what, count):
    early, late = ran("soak", what, count, isolation, scratch=tmp_path)
    for name in early:
        if not name.endswith("_kb"):
            assert late[name] <= early[name], (name, early, late)
    assert (late["groups"], late["scratch_folders"]) == (0, 0)
    growth_kb = [late[name] - early[name] for name in ("memory_kb", "zygote_memory_kb")]
    assert max(growth_kb) < MOST_GROWTH_KB[what], (early, late)


@pytest.mark.parametrize("isolation", [pytest.param(one, marks=[] if one == BACKENDS[0] else CI) for one in BACKENDS])
@pytest.mark.parametrize("count", [5, pytest.param(50, marks=LONG)])
def test_security_judges_that_are_killed_leave_nothing(tmp_path, isolation, count):
    """But for what only a judge can remove: an empty folder of a control group, a scratch folder. The next one does."""
    told = ran("kill_judges", count, isolation, scratch=tmp_path)
    assert told["kills"] == count
    assert (told["processes"], told["mounts"]) == (0, 0)
    assert (told["groups_then"], told["scratch_folders_then"]) == (0, 0)
    if isolation in {"restricted", "process"}:
        assert told["scratch_folders"] > 0  # there was something to remove
