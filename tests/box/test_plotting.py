"""Matplotlib draws with Agg in the box, whatever is asked for: with a stand-in for it, and with the real one."""

from __future__ import annotations

import importlib
import sys
import textwrap

import pytest

from autograder.box import plotting

STAND_IN = {
    "__init__.py": """
        import sys

        rcParams = {"backend": "Agg"}


        def use(backend):
            if pyplot := sys.modules.get("matplotlib.pyplot"):
                pyplot.switch_backend(backend)
            rcParams["backend"] = backend
    """,
    "pyplot.py": """
        import matplotlib

        loaded = []


        def switch_backend(newbackend):
            "Close all figures and load a backend."
            if newbackend.lower().startswith(("tk", "qt", "gtk", "module")):
                raise ImportError(f"Cannot load backend {newbackend!r} without a display")
            loaded.append(newbackend)


        def show():
            return "no window"


        switch_backend(matplotlib.rcParams["backend"])
    """,
}


@pytest.fixture
def matplotlib(tmp_path, monkeypatch):
    """A stand-in as old versions are: pyplot loads the backend when it is imported."""
    (tmp_path / "matplotlib").mkdir()
    for name, source in STAND_IN.items():
        (tmp_path / "matplotlib" / name).write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    plotting.draw_with_agg()
    yield importlib.import_module("matplotlib")
    for name in ("matplotlib", "matplotlib.pyplot"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("backend", ["TkAgg", "Qt5Agg", "module://matplotlib_inline.backend_inline"])
def test_a_backend_with_windows_asked_for_before_pyplot(matplotlib, backend):
    matplotlib.use(backend)
    assert importlib.import_module("matplotlib.pyplot").loaded == ["agg"]


@pytest.mark.parametrize("backend", ["TkAgg", "Qt5Agg", "QtAgg", "nbAgg", "WebAgg", "macosx"])
def test_a_backend_with_windows_asked_for_after_pyplot(matplotlib, backend):
    pyplot = importlib.import_module("matplotlib.pyplot")
    matplotlib.use(backend)
    pyplot.switch_backend(backend)
    assert pyplot.loaded == ["agg", "agg", "agg"]


@pytest.mark.parametrize("backend", ["Agg", "svg", "pdf", "PS"])
def test_a_backend_without_windows_is_the_students_choice(matplotlib, backend):
    pyplot = importlib.import_module("matplotlib.pyplot")
    pyplot.switch_backend(backend)
    assert pyplot.loaded == ["agg", backend]


def test_pyplot_is_otherwise_as_it_was(matplotlib):
    pyplot = importlib.import_module("matplotlib.pyplot")
    assert pyplot.switch_backend.__doc__ == "Close all figures and load a backend."
    assert pyplot.__spec__.name == "matplotlib.pyplot"
    assert "def switch_backend" in pyplot.__loader__.get_source("matplotlib.pyplot")


def test_show_asks_the_screen_first(matplotlib, monkeypatch):
    pyplot = importlib.import_module("matplotlib.pyplot")
    assert pyplot.show() == "no window"
    monkeypatch.setattr(plotting, "_screens", [])
    plotting.show_by(lambda: True)
    assert pyplot.show() is None
    plotting.show_by(lambda: False)
    assert pyplot.show() == "no window"


def test_asked_for_twice_it_is_there_once(matplotlib):
    plotting.draw_with_agg()
    assert sum(isinstance(finder, plotting._PyplotFinder) for finder in sys.meta_path) == 1


def test_nothing_is_imported_that_the_student_does_not_import(open_box):
    box = open_box("import sys\n\ndef loaded():\n    return [n for n in sys.modules if 'matplotlib' in n]\n")
    assert box.call("loaded") == []


@pytest.mark.matplotlib
@pytest.mark.parametrize(
    "chosen",
    ["matplotlib.use('TkAgg')", "matplotlib.rcParams['backend'] = 'QtAgg'", "os.environ['MPLBACKEND'] = 'TkAgg'"],
)
@pytest.mark.parametrize("first", ["", "import matplotlib.pyplot as plt\n"])
def test_the_real_one_draws_with_agg(open_box, chosen, first):
    box = open_box(
        f"import os\nimport matplotlib\n{first}{chosen}\nimport matplotlib.pyplot as plt\n"
        "def draw():\n    plt.plot([1, 2]); plt.show(); return type(plt.gcf().canvas).__name__\n"
    )
    assert box.call("draw") == "FigureCanvasAgg"
