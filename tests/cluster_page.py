"""docs/cluster.md is a transcript, as docs/instructors.md is; the scheduler that it names is one of this machine.

python -m tests.cluster_page        writes the page anew
"""

from __future__ import annotations

import re
import shutil
import tempfile
from functools import partial
from pathlib import Path

from tests import test_instructors_page as instructors
from tests.pages import written_anew
from tests.tiny_course import ROOT

PAGE = ROOT / "docs" / "cluster.md"
_COUNTED = re.compile(r" *\[\d+/\d+\] +")
ADDRESS = "tls://10.0.0.1:8786"


def in_order(came: list[str]) -> list[str]:
    """Return a run's lines, those of submissions by their students: several workers end in any order."""
    counted = [at for at, line in enumerate(came) if _COUNTED.match(line)]
    said = sorted(_COUNTED.sub("", came[at]) for at in counted)
    made = list(came)
    for at, line in zip(counted, said, strict=True):
        found = _COUNTED.match(came[at])
        made[at] = f"{found[0] if found else ''}{line}"
    return made


def shown(folder: Path, address: str, command: str) -> list[str]:
    """Type a command of the page; `dask …` prints nothing here."""
    if not command.startswith("grade "):
        return []
    came = instructors.typed(folder, command.replace(ADDRESS, address))
    return [re.sub(r"( s  )[012]$", r"\1worker", line) for line in in_order(came)]


def made_anew(folder: Path, address: str) -> str:
    """Return the page as it is to be."""
    instructors.course(folder)
    for command in ("roster import roster.csv --yes", "collect hw1 downloads", "assign 4 2026003"):
        instructors.typed(folder, f"grade {command}")
    return written_anew(PAGE.read_text("utf-8"), partial(shown, folder, address))


def _write() -> None:
    from distributed import LocalCluster

    folder = Path(tempfile.mkdtemp())
    try:
        with LocalCluster(n_workers=3, threads_per_worker=2, local_directory=str(folder / "scratch")) as cluster:
            page = made_anew(folder, cluster.scheduler_address)
    finally:
        shutil.rmtree(folder)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    _write()
