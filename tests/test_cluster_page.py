"""docs/cluster.md is a transcript, as docs/instructors.md is; the scheduler that it names is one of this machine.

python -m tests.test_cluster_page        writes the page anew
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import test_instructors_page as instructors
from tests.tiny_course import ROOT

distributed = pytest.importorskip("distributed")
PAGE = ROOT / "docs" / "cluster.md"
ADDRESS = "tls://10.0.0.1:8786"
pytestmark = [  # as in test_cluster
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def written_anew(page: str, folder: Path, address: str) -> Iterator[str]:
    """Yield the lines of the page with what its commands print now; `dask …` prints nothing here."""
    inside = False
    for line in page.splitlines():
        if line.startswith("    $ "):
            inside = True
            yield line
            if line.startswith("    $ grade "):
                came = instructors.typed(folder, line.removeprefix("    $ ").replace(ADDRESS, address))
                yield from (re.sub(r"( s  )[012]$", r"\1worker", f"    {one}") for one in came)
        elif not (inside and line.startswith("    ")):
            inside = False
            yield line


def made_anew(folder: Path) -> str:
    """Return the page as it is to be."""
    instructors.course(folder)
    for command in ("roster import roster.csv --yes", "collect hw1 downloads", "assign 3 2026003"):
        instructors.typed(folder, f"grade {command}")
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=2, processes=True, dashboard_address=":0", silence_logs=50,
        local_directory=str(folder / "scratch"),
    ) as cluster:  # fmt: skip
        return "\n".join(written_anew(PAGE.read_text("utf-8"), folder, cluster.scheduler_address)) + "\n"


def test_the_page_says_what_the_commands_print(tmp_path):
    assert made_anew(tmp_path) == PAGE.read_text("utf-8")


def _write() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        PAGE.write_text(made_anew(folder), encoding="utf-8")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    _write()
