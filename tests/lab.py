"""A JupyterLab of a test's own with nbgrader's extensions: a course, an exchange, a student's folder, a browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from autograder.course import find_course
from tests.conftest import CHROMIUMS
from tests.tiny_course import environment, write

COURSE = find_course(Path(__file__))
CHROMIUM = next(filter(None, map(shutil.which, CHROMIUMS)), None)
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
_TOKEN = "a-token-of-this-test"  # the server is on 127.0.0.1 and lives as long as the test
_STARTS_S = 120
_ANSWERS_S = 60
_SETTINGS = {
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    "apputils-extension/themes": '{"theme": "JupyterLab %s"}',
    "docmanager-extension/plugin": '{"autosave": false}',  # a test says when it saves
}
_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "dl101"
c.CourseDirectory.root = {class_folder!r}
c.Exchange.root = {exchange!r}
c.GradeNotebook.course = {course!r}
c.Autograde.autograde_preprocessors = [
    "autograder.notebook.preprocessor.GradeNotebook",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
"""


class Lab(NamedTuple):
    """A running JupyterLab."""

    home: Path
    """What it shows: the student's folder; the class, its instructor's, lies in it too."""
    port: int

    def url(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self.port}/{path}?token={_TOKEN}"

    def status_s(self) -> float:
        """Return how long the server takes to say how it is."""
        began = time.perf_counter()
        with urllib.request.urlopen(self.url("api/status"), timeout=_ANSWERS_S) as answer:
            answer.read()
        return time.perf_counter() - began


def make_home(home: Path) -> Path:
    """Make a student's folder: the course as students have it, and where nbgrader's exchange and class are."""
    shutil.copytree(COURSE.folder / "assignments", home / "assignments", ignore=shutil.ignore_patterns("hidden"))
    shutil.copy(COURSE.folder / "course.yml", home)
    exchange = home / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)  # nbgrader wants it so
    write(
        home / "nbgrader_config.py",
        _CONFIG.format(class_folder=str(home / "class"), exchange=str(exchange), course=str(COURSE.folder)),
    )
    return home


def nbgrader_environment(home: Path, **changes: str) -> dict[str, str]:
    """Return an environment in which nbgrader and Jupyter know no other user's settings."""
    own = home / ".jupyter"
    # nbgrader looks for alembic, by that name, where commands are looked for
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    folders = {
        "HOME": home,
        "IPYTHONDIR": home / ".ipython",
        "JUPYTER_CONFIG_DIR": own,
        "JUPYTER_DATA_DIR": own / "data",
        "JUPYTER_RUNTIME_DIR": own / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": own / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": own / "workspaces",
    }
    return environment(PATH=commands, **{name: str(folder) for name, folder in folders.items()}) | changes


def nbgrader(home: Path, *arguments: str, timeout_s: float = 240) -> str:
    """Run an nbgrader command as the instructor; return what it said."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "nbgrader", *arguments], cwd=home, env=nbgrader_environment(home),
        capture_output=True, text=True, check=False, timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stderr


@contextmanager
def jupyterlab(home: Path, *, theme: str = "Light", **env: str) -> Iterator[Lab]:
    """Give a JupyterLab that shows a folder; its server and its kernels are gone after the block."""
    for name, said in _SETTINGS.items():
        write(home / ".jupyter/settings/@jupyterlab" / f"{name}.jupyterlab-settings", said.replace("%s", theme))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={_TOKEN}"]
    command += [f"--ServerApp.root_dir={home}"]
    with (home / "jupyterlab.log").open("w", encoding="utf-8") as log:
        server = subprocess.Popen(command, cwd=home, env=nbgrader_environment(home, **env), stdout=log, stderr=log)
        try:
            lab = Lab(home, port)
            _wait_until_it_answers(lab, server)
            yield lab
        finally:
            server.terminate()  # it shuts its kernels down
            try:
                server.wait(timeout=_ANSWERS_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_it_answers(lab: Lab, server: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + _STARTS_S
    while time.monotonic() < ends:
        assert server.poll() is None, (lab.home / "jupyterlab.log").read_text(encoding="utf-8")
        try:
            lab.status_s()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("JupyterLab does not answer")


@contextmanager
def browser_page(folder: Path) -> Iterator[Any]:
    """Give a page of a headless Chromium that knows no other user's settings."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, headless=True, args=list(_FLAGS), viewport={"width": 1280, "height": 900}
        )
        context.set_default_timeout(_ANSWERS_S * 1000)
        try:
            yield context.pages[0]
        finally:
            context.close()


# --- what a user does in a page -------------------------------------------------------------------------------------


def open_nbgrader(page: Any, entry: str) -> None:
    """Open one of nbgrader's own pages by its menu."""
    page.get_by_role("menuitem", name="Nbgrader").click()
    page.get_by_role("menu").get_by_text(entry, exact=True).click()


def open_notebook(page: Any, lab: Lab, path: str) -> None:
    """Open a notebook, and wait until its kernel is ready."""
    page.goto(lab.url(f"lab/tree/{path}"))
    page.get_by_text("| Idle").wait_for()


def cell(page: Any, number: int) -> Any:
    """Return the cell at a place in the notebook; a negative number counts from the end."""
    found = page.locator(".jp-NotebookPanel:visible .jp-Cell").nth(number)
    found.scroll_into_view_if_needed()
    return found


def write_cell(page: Any, number: int, source: str) -> None:
    """Put a source in place of a cell's."""
    cell(page, number).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)


def add_cell(page: Any, source: str) -> None:
    """Add a cell at the end."""
    cell(page, -1).locator(".cm-content, .jp-RenderedMarkdown").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(source)


def start_cell(page: Any, number: int) -> Any:
    """Start a cell; return it."""
    chosen = cell(page, number)
    chosen.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return chosen


def run_cell(page: Any, number: int) -> Any:
    """Run a cell that was not run before; return it when it has run."""
    chosen = start_cell(page, number)
    chosen.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for()
    return chosen


def save(page: Any, path: Path) -> None:
    """Save the notebook, and wait until its file is another."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+S")
    ends = time.monotonic() + _ANSWERS_S
    while path.stat().st_mtime_ns == before:
        assert time.monotonic() < ends, "the notebook was not saved"
        page.wait_for_timeout(50)
