"""Whether JupyterLab's server goes on answering while hw2 is checked: `%grade check` beside nbgrader's own Validate.

    python benchmarks/jupyter.py

A request for /api/status is sent over and over, while nothing runs, while `%grade check hw2` trains in a notebook's
kernel, and while Validate runs the same notebook in the server itself. It needs Chromium and playwright.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from timing import ROOT, table

sys.path.insert(0, str(ROOT))

from autograder.notebook.generate import make_notebook, notebook_files
from tests.lab import COURSE, Lab, add_cell, browser_page, jupyterlab, make_home, open_notebook, start_cell
from tests.tiny_course import write

IDLE_REQUESTS = 30
EVERY_MS = 100


def answers(page: Any, lab: Lab, ends: Any) -> list[float]:
    """Return how long each request took until something is seen in the page."""
    taken: list[float] = []
    while not ends.count():
        taken.append(lab.status_s())
        page.wait_for_timeout(EVERY_MS)
    return taken


def main() -> None:
    """Measure, and print medians and maxima."""
    hw2 = COURSE.assignment("hw2")
    file = next(file for file in notebook_files(hw2) if "torch" in file.name)
    with tempfile.TemporaryDirectory(prefix="grade-") as folder:
        home = Path(folder, "home")
        home.mkdir()
        write(make_home(home) / "hw2" / file.name, make_notebook(hw2, file, "solution"))
        with jupyterlab(home) as lab, browser_page(Path(folder, "browser")) as page:
            open_notebook(page, lab, f"hw2/{file.name}")
            measured = {"nothing runs": [lab.status_s() for _ in range(IDLE_REQUESTS)]}
            add_cell(page, "%load_ext autograder\n%grade check hw2")
            checked = start_cell(page, -1).locator(".autograder-report")
            measured["%grade check hw2"] = answers(page, lab, checked)
            page.get_by_role("button", name="Validate").click()
            measured["Validate"] = answers(page, lab, page.locator(".jp-Dialog", has_text="Validation Results"))
    rows = [
        (what, f"median {statistics.median(taken) * 1000:.0f} ms", f"max {max(taken) * 1000:.0f} ms of {len(taken)}")
        for what, taken in measured.items()
    ]
    table("GET /api/status", rows)


if __name__ == "__main__":
    main()
