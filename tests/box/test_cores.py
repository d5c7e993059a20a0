"""How many cores there are: of the machine, of those this process may run on, of a container's share."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.box import cores
from autograder.box.linux.cgroup import LimitingGroup

ASK = "from autograder.box import cores; print(cores.usable())"
AS_ONE = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
MOVED = "import sys; open(sys.argv[1], 'w').write('0'); "


def asked(before: str = "", *arguments: object) -> int:
    command = [sys.executable, "-c", before + ASK, *map(str, arguments)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def test_there_is_one_and_never_more_than_the_machine_has() -> None:
    assert 1 <= cores.usable() <= (os.cpu_count() or 1)


@pytest.mark.skipif(sys.platform != "linux", reason="processors are chosen otherwise")
def test_those_that_a_process_may_not_run_on_are_none() -> None:
    assert asked(AS_ONE) == 1


@pytest.mark.parametrize(
    ("version", "files", "quota"),
    [
        (1, {"cpu.cfs_quota_us": "350000", "cpu.cfs_period_us": "100000"}, [3.5]),
        (1, {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, []),
        (2, {"cpu.max": "50000 100000"}, [0.5]),
        (2, {"cpu.max": "max 100000"}, []),
        (2, {}, []),  # the topmost group
    ],
)
def test_a_groups_quota(tmp_path: Path, version: int, files: dict[str, str], quota: list[float]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}\n")
    assert cores.quotas(iter([LimitingGroup(tmp_path, version)])) == quota


@pytest.mark.parametrize(("quotas", "usable"), [([], 8), ([3.9, 6.0], 3), ([0.5], 1), ([64.0], 8)])
def test_of_a_quota_whole_cores_count(monkeypatch: pytest.MonkeyPatch, quotas: list[float], usable: int) -> None:
    monkeypatch.setattr(cores, "quotas", lambda _: quotas)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert cores.usable() == (usable if sys.platform == "linux" else 8)


@pytest.fixture
def group() -> Iterator[tuple[Path, dict[str, str]]]:
    """A group of this machine that processes can be moved to, and the files that give it one core."""
    top = Path("/sys/fs/cgroup")
    places = {
        top / "cpu": {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"},
        top / "unified": {"cpu.max": "100000 100000"},
        top: {"cpu.max": "100000 100000"},
    }
    for place, files in places.items():
        folder = place / f"test-cores-{os.getpid()}"
        with contextlib.suppress(OSError):
            folder.mkdir()
            if all((folder / name).exists() for name in files):
                break
            folder.rmdir()
    else:
        pytest.skip("no group can be made here that limits processor time")
    yield folder, files
    folder.rmdir()


@pytest.mark.skipif(cores.usable() == 1, reason="one core as it is")
def test_in_a_container_with_one_core_there_is_one(group: tuple[Path, dict[str, str]]) -> None:
    folder, files = group
    for name, text in files.items():
        (folder / name).write_text(text)
    assert asked() > 1
    assert asked(MOVED, folder / "cgroup.procs") == 1
