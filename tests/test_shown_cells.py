"""What a notebook's cells print and draw reaches the report: theirs, bounded, as text and pictures only."""

from __future__ import annotations

import base64
import os
import struct
import zlib

import nbformat
import pytest

from autograder.box.client import ToldByCells
from autograder.box.output import CellPrints, OutputDrain, Printed
from autograder.box.screen import CELL, END, FIGURE, FIGURE_BYTES, FIGURES_BYTES, LEFT_OUT, MOST_FIGURES, mark
from autograder.course import find_course
from autograder.judge.attempt import run_attempt
from autograder.judge.options import AttemptOptions
from autograder.judge.png import clean_png
from autograder.judge.showing import cells_shown
from autograder.notebook.graded import show_cells
from autograder.results import CellPart, Status
from autograder.submission import read_file
from tests.tiny_course import SOLUTION, make_course, write

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HIDDEN_INPUT = "-20"  # of the hidden check of add


def chunk(kind, held=b""):
    return struct.pack(">I", len(held)) + kind + held + struct.pack(">I", zlib.crc32(kind + held))


HEADER = {"width": 2, "height": 2, "depth": 8, "colour": 2, "compression": 0, "filtering": 0, "interlace": 0}


def header(**changes):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", *(HEADER | changes).values()))


ROWS = chunk(b"IDAT", zlib.compress(b"\0" * 14))
END_CHUNK = chunk(b"IEND")
PNG = SIGNATURE + header() + ROWS + END_CHUNK


# --- pictures -------------------------------------------------------------------------------------------------------


def test_a_picture_stays_what_it_is():
    assert clean_png(PNG) == PNG
    with_palette = SIGNATURE + header(colour=3) + chunk(b"PLTE", b"\0\0\0") + chunk(b"tRNS", b"\0") + ROWS + END_CHUNK
    assert clean_png(with_palette) == with_palette


@pytest.mark.parametrize(
    "more",
    [chunk(b"tEXt", b"Comment\0<script>alert(1)</script>"), chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1 << 20))),
     chunk(b"acTL", bytes(8)), chunk(b"eXIf", b"MM"), chunk(b"zTXt", b"a\0\0"), chunk(b"pHYs", bytes(9))],
    ids=["text", "profile", "animation", "exif", "compressed text", "size"],
)  # fmt: skip
def test_security_a_picture_holds_nothing_but_the_picture(more):
    assert clean_png(SIGNATURE + header() + more + ROWS + more + END_CHUNK) == PNG


def test_security_nothing_follows_a_picture():
    assert clean_png(PNG + b"<html><script>alert(1)</script>") == PNG
    assert clean_png(PNG[: -len(END_CHUNK)]) == PNG


@pytest.mark.parametrize(
    "claim",
    [b"", b"<svg onload=alert(1)>", SIGNATURE, SIGNATURE + ROWS + header(), SIGNATURE + header() + END_CHUNK,
     SIGNATURE + header() + header() + ROWS, b"GIF89a" + PNG, SIGNATURE + b"\xff\xff\xff\xffIHDR", PNG[:20],
     SIGNATURE + chunk(b"IHDR", b"short") + ROWS],
)  # fmt: skip
def test_security_what_is_no_picture_is_not_shown(claim):
    assert clean_png(claim) == b""


@pytest.mark.parametrize(
    "claimed",
    [{"width": 1 << 30}, {"height": 0}, {"width": 4000, "height": 4000}, {"width": 5000, "height": 1}, {"depth": 16},
     {"colour": 1}, {"compression": 1}, {"filtering": 7}, {"interlace": 1}],
)  # fmt: skip
def test_security_a_picture_is_no_larger_than_a_page_can_hold(claimed):
    assert clean_png(SIGNATURE + header(**claimed) + ROWS + END_CHUNK) == b""
    assert clean_png(SIGNATURE + header(width=1000, height=1000) + ROWS + END_CHUNK)


def test_security_a_picture_of_many_bytes_is_not_looked_at():
    rows = chunk(b"IDAT", bytes(FIGURE_BYTES))
    assert clean_png(SIGNATURE + header() + rows + END_CHUNK) == b""


# --- cell by cell ---------------------------------------------------------------------------------------------------


def shown(*told, figures=(), count=2):
    cells = cells_shown(ToldByCells([Printed(*one) for one in told], figures), count)
    return [[base64.b64decode(part.png) or part.text for part in cell] for cell in cells]


LEFT = "A figure of this cell is not shown: it is too large, or the notebook has too many.\n"


def test_text_and_figures_stand_in_the_order_in_which_they_were_shown():
    told = [("before any cell", CELL), ("a\n", FIGURE), ("b\n", CELL), ("", FIGURE), ("c\n", END)]
    second = SIGNATURE + header(width=3) + ROWS + END_CHUNK
    assert shown(*told, figures=[PNG, second]) == [["a\n", PNG, "b\n"], [second, "c\n"]]


def test_a_figure_that_was_left_out_is_told():
    assert shown(("", CELL), ("", LEFT_OUT), ("", END), count=1) == [[LEFT]]
    assert shown(("", CELL), ("", FIGURE), ("", END), count=1) == [[LEFT]]  # marked, and not there
    assert shown(("", CELL), ("", FIGURE), ("", FIGURE), figures=[b"no", PNG], count=1) == [[LEFT, PNG]]
    assert shown(("", CELL), ("", LEFT_OUT), ("", FIGURE), ("", FIGURE), count=1) == [[LEFT]]  # and once is enough


def test_where_nobody_asked_there_is_nothing():
    assert cells_shown(ToldByCells(), 3) == ()


def test_security_only_what_terminals_and_pages_do_not_act_on_is_text():
    assert shown(("", CELL), ("a\x07\x9b2J\u202eb\n\tc\0", END), count=1) == [["a2Jb\n\tc"]]


def test_security_marks_for_cells_that_are_not_there_put_nothing_anywhere():
    assert shown(("", CELL), ("a", CELL), ("b", CELL), ("c", CELL), ("d", END), count=1) == [["a"]]


def test_security_so_many_figures_and_no_more():
    large = SIGNATURE + header() + chunk(b"IDAT", bytes(FIGURE_BYTES - 100)) + END_CHUNK
    told = [("", CELL), *[("", FIGURE)] * 100]
    assert sum(isinstance(part, bytes) for part in shown(*told, figures=[PNG] * 100, count=1)[0]) == MOST_FIGURES
    several = FIGURES_BYTES // len(large)
    assert sum(isinstance(part, bytes) for part in shown(*told, figures=[large] * 20, count=1)[0]) == several


@pytest.mark.parametrize("layer", [True, False])
def test_security_what_comes_after_the_notebook_is_no_cells(layer, monkeypatch):
    """A notebook that takes the last mark away; without the layer, what a check has it print would be its cell's."""
    if not layer:
        monkeypatch.setattr(CellPrints, "end", lambda self: None)
    read, write_to = os.pipe()
    drain = OutputDrain(os.fdopen(read, "rb"), 1 << 20, lambda: None, CellPrints(b"abc", 10))
    os.write(write_to, mark(b"abc", CELL) + b"mine\n")
    drain.take_cells(0.2)
    os.write(write_to, b"hidden -20\n" + mark(b"abc", CELL))
    os.close(write_to)
    drain.take_all(30)
    assert any("hidden" in one.text for one in drain.take_cells(30)) is not layer


# --- whole attempts -------------------------------------------------------------------------------------------------


def attempt(tmp_path, *cells, show_cells=True):
    """Run a notebook whose first cell is a right answer; return the report, and the texts of the cells."""
    assignment = find_course(make_course(tmp_path)).assignment("hw1")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (SOLUTION, *cells)])
    path = write(tmp_path / "hw1.ipynb", nbformat.writes(notebook))
    report = run_attempt(assignment, read_file(path), AttemptOptions(hidden=True, show_cells=show_cells))
    return report, ["".join(part.text for part in cell) for cell in report.cells][1:]


def test_what_a_cell_prints_stands_under_it(tmp_path):
    report, said = attempt(
        tmp_path, "print('one')\n1 + 1", "import os, sys\nos.write(1, b'two\\n'); print('three', file=sys.stderr)",
        "'quiet';", "print('before')\n1 / 0", "for i in range(3):\n    print(f'\\r{i}/2', end='')\n\\\n",
    )  # fmt: skip
    assert said[:4] == ["one\n2\n", "two\nthree\n", "", "before\n"]
    assert report.status is Status.PASSED
    assert "\0" not in report.checks[0].stdout_tail
    assert report.checks[0].stdout_tail.startswith("one\n2\ntwo\n")


def test_unless_it_is_asked_for_a_report_has_none_of_it(tmp_path):
    report, _ = attempt(tmp_path, "print('one')", show_cells=False)
    assert report.cells == ()
    assert "one" in report.checks[0].stdout_tail


def test_a_notebook_that_ends_its_box_shows_what_it_printed_until_then(tmp_path):
    report, said = attempt(tmp_path, "print('here')", "import os\nprint('still', flush=True)\nos._exit(3)", "print(1)")
    assert said == ["here\n", "still\n", ""]
    assert report.score == 0


SPYING = """
import threading, time
def add(a, b):
    print("asked", a, b)
    return a + b
def tell():
    while True:
        print("later", flush=True)
        time.sleep(0.001)
threading.Thread(target=tell, daemon=True).start()
"""


def test_security_nothing_that_is_printed_in_a_check_is_under_a_cell(tmp_path):
    report, said = attempt(tmp_path, SPYING)
    hidden = next(check for check in report.checks if check.hidden and check.task == "1.1")
    assert HIDDEN_INPUT in hidden.stdout_tail  # where staff read it
    assert "asked" not in "".join(said)
    assert HIDDEN_INPUT not in report.redacted().model_dump_json()


def test_security_a_flood_is_cut_and_costs_its_own_cell_only(tmp_path):
    report, said = attempt(tmp_path, "for _ in range(1600): print('x' * 65535)", "print('after')")
    assert report.status is Status.PASSED
    assert said[0].startswith("…\nxxx")
    assert len(said[0]) <= (8 << 10) + 2
    assert said[1] == "after\n"


def test_security_many_cells_that_print_are_cut_together(tmp_path):
    _, said = attempt(tmp_path, *["print('x' * 9000)"] * 60)
    assert sum(map(len, said)) <= (256 << 10) + 60 * 2


FORGING = f"""
import gc, os
from autograder.box import screen
found = next(one for one in gc.get_objects() if isinstance(one, screen.Screen))
found.figures += [b"<script>", {PNG!r} + b"<script>", b"x" * 3_000_000]
for _ in range(50_000):
    os.write(1, screen.mark(found._secret, screen.FIGURE))
os.write(1, screen.mark(found._secret, screen.END))
"""


def test_security_forged_figures_and_marks_are_bounded(tmp_path):
    report, _ = attempt(tmp_path, FORGING, "print('after')")
    parts = [part for cell in report.cells for part in cell]
    assert len(parts) < 100
    assert {base64.b64decode(part.png) for part in parts} == {b"", PNG}
    assert report.status is Status.PASSED


LOOP = """
import matplotlib.pyplot as plt
for i in range(2):
    print(i)
    plt.plot([1, i]); plt.show()
print("end")
"""
HTML = """
class Html:
    def _repr_html_(self): return "<script>alert(1)</script>"
    def __repr__(self): return "Html"
Html()
"""


@pytest.mark.matplotlib
def test_figures_are_shown_as_a_kernel_shows_them(tmp_path):
    report, _ = attempt(
        tmp_path,
        LOOP,
        "fig, ax = plt.subplots()\nprint(plt.get_fignums());",
        "print(plt.get_fignums())\nfig",
        HTML,
        "fig.text(50, 50, 'far'); display(fig); plt.figure(figsize=(400, 300)).gca();",
        "import numpy as np\nplt.figure()\nfor _ in range(30): plt.figure().gca()",
    )  # fmt: skip
    kinds = [["figure" if part.png else part.text for part in cell] for cell in report.cells][1:]
    assert kinds[0] == ["0\n", "figure", "1\n", "figure", "end\n"]
    assert kinds[1] == ["[1]\n", "figure"]
    assert kinds[2] == ["[]\n", "figure"]
    assert kinds[3] == ["Html\n"]
    assert kinds[4] == ["figure", "figure"]
    assert kinds[5].count("figure") == MOST_FIGURES - 6
    assert kinds[5][-1] == LEFT
    sizes = [
        struct.unpack_from(">II", base64.b64decode(part.png), 16) for cell in report.cells for part in cell if part.png
    ]
    assert sizes[0] > (400, 300)
    assert max(width * height for width, height in sizes) <= 2_000_000
    assert report.status is Status.PASSED


@pytest.mark.matplotlib
def test_code_that_breaks_matplotlib_costs_the_figure_only(tmp_path):
    broken = "import matplotlib.pyplot as plt, matplotlib.figure as f\nplt.plot([1])\n"
    report, said = attempt(
        tmp_path, f"{broken}def savefig(*_, **__): raise SystemExit\nf.Figure.savefig = savefig", "print('on')",
        f"{broken}import sys\nsys.stdout = None\nplt.get_fignums = None",
    )  # fmt: skip
    assert said == [LEFT, "on\n", LEFT]
    assert report.status is Status.PASSED


# --- in the notebook ------------------------------------------------------------------------------------------------


def test_cells_are_given_text_and_pictures_and_nothing_else(tmp_path):
    report, _ = attempt(tmp_path, "print('one')", "2", "3")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x") for _ in range(4)])
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell("words"))
    notebook.cells[-1].metadata["nbgrader"] = {"grade": True, "solution": False, "grade_id": "a"}
    picture = base64.b64encode(PNG).decode()
    cells = (*report.cells[:2], (CellPart(png=picture),), report.cells[3])
    show_cells(notebook, report.model_copy(update={"cells": cells}))
    _, _, printed, drawn, check = notebook.cells
    assert printed.outputs == [{"output_type": "stream", "name": "stdout", "text": "one\n"}]
    assert drawn.outputs[0].data == {"image/png": picture, "text/plain": "<Figure>"}
    assert check.outputs == []
    nbformat.validate(notebook)


def test_a_notebook_with_other_cells_is_left_as_it_is(tmp_path):
    report, _ = attempt(tmp_path, "print('one')")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    show_cells(notebook, report)
    assert notebook.cells[0].outputs == []


def test_a_mark_is_none_of_the_students_words():
    assert mark(b"abc", CELL) == b"\0abcc\0"
