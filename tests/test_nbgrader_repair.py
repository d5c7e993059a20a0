"""What students do to notebooks, and what becomes of it before nbgrader grades them."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from autograder.course import find_course
from autograder.nbgrader.repair import ReleasedCell, repair
from autograder.notebook.generate import make_notebook, notebook_files
from autograder.notebook.graded import UNREADABLE

HW1 = find_course(Path(__file__)).assignment("hw1")
SOURCE = make_notebook(HW1, notebook_files(HW1)[0], "solution")
PUBLIC, HIDDEN, WORK = "hw1-task-1-5-public", "hw1-task-1-5-hidden", "hw1-solution-4"


def fresh():
    return json.loads(SOURCE)


def ours(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


RELEASED = [
    ReleasedCell(
        grade_id=ours(cell),
        cell_type=cell["cell_type"],
        source="".join(cell["source"]),
        **{name: cell["metadata"]["nbgrader"].get(name) for name in ("grade", "solution", "locked", "points")},
    )
    for cell in fresh()["cells"]
    if ours(cell)
]


def at(notebook, name):
    return next(number for number, cell in enumerate(notebook["cells"]) if ours(cell) == name)


def repaired(notebook):
    content = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    done = repair(content, RELEASED)
    if done.notebook is not None:
        nbformat.validate(nbformat.from_dict(done.notebook))
        marked = [cell["metadata"]["nbgrader"] for cell in done.notebook["cells"] if ours(cell)]
        assert len({one["grade_id"] for one in marked}) == len(marked)
        assert {one["schema_version"] for one in marked} == {3}
        assert {cell.grade_id for cell in RELEASED if cell.grade} <= {one["grade_id"] for one in marked}
    return done


def sources(notebook, kind="code"):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_a_notebook_in_order_is_left_alone():
    assert repaired(fresh()) == (None, (), "")
    assert repaired(SOURCE.replace("\n", "\r\n").encode()).said == ()


@pytest.mark.parametrize("name", [PUBLIC, WORK])
def test_of_copied_cells_the_last_is_nbgraders_and_all_of_them_run(name):
    notebook = fresh()
    where = at(notebook, name)
    notebook["cells"].insert(where, {**notebook["cells"][where], "source": "copied = 1"})
    done = repaired(notebook)
    assert [name in said for said in done.said] == [True]
    assert "copied = 1" in sources(done.notebook)
    assert "copied = 1" not in done.notebook["cells"][at(done.notebook, name)]["source"]


def test_the_first_of_several_cells_with_one_id_gets_another():
    notebook = fresh()
    notebook["cells"][3]["id"] = notebook["cells"][2]["id"]
    done = repaired(notebook)
    assert done.said == ()
    assert len({cell["id"] for cell in done.notebook["cells"]}) == len(notebook["cells"])


@pytest.mark.parametrize("how", ["by id", "by source"])
def test_a_check_cell_that_has_lost_its_metadata_is_recognised(how):
    notebook = fresh()
    cell = notebook["cells"][at(notebook, PUBLIC)]
    cell["metadata"] = {}
    if how == "by id":
        cell["source"] = "# mine"
    else:
        cell["id"] = "a1b2"
    done = repaired(notebook)
    assert [PUBLIC in said for said in done.said] == [True]
    assert len(done.notebook["cells"]) == len(notebook["cells"]) + 1  # the note


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 1},
        {"schema_version": 99},
        {"points": 1000},
        {"locked": "yes", "grade": None},
        {"solution": True},
    ],
)
def test_old_and_changed_metadata_become_what_was_released(change):
    notebook = fresh()
    marked = notebook["cells"][at(notebook, PUBLIC)]["metadata"]["nbgrader"]
    marked |= change
    done = repaired(notebook)
    assert [PUBLIC in said for said in done.said] == [True]
    after = done.notebook["cells"][at(done.notebook, PUBLIC)]["metadata"]["nbgrader"]
    before = fresh()["cells"][at(fresh(), PUBLIC)]["metadata"]["nbgrader"]
    assert {name: after[name] for name in before} == before


def test_metadata_that_nbgrader_does_not_know_is_dropped():
    notebook = fresh()
    notebook["cells"][1]["metadata"]["nbgrader"] = {"grade_id": "mine", "grade": True, "points": 99}
    notebook["cells"][2]["metadata"]["nbgrader"] = {}
    notebook["cells"][3]["metadata"]["nbgrader"] = "none"
    done = repaired(notebook)
    assert not [cell for cell in done.notebook["cells"] if cell["metadata"].get("nbgrader") and not ours(cell)]
    assert "mine" not in map(ours, done.notebook["cells"])


@pytest.mark.parametrize(("name", "kind"), [(PUBLIC, "markdown"), (WORK, "markdown"), (WORK, "raw")])
def test_a_cell_of_another_kind_is_turned_back(name, kind):
    notebook = fresh()
    cell = notebook["cells"][at(notebook, name)]
    cell["cell_type"] = kind
    del cell["outputs"], cell["execution_count"]
    done = repaired(notebook)
    assert [name in said for said in done.said] == [True]
    assert sources(done.notebook) == sources(fresh())


def test_check_cells_that_were_deleted_come_back_where_they_stood():
    notebook = fresh()
    notebook["cells"] = [cell for cell in notebook["cells"] if ours(cell) not in {PUBLIC, HIDDEN}]
    done = repaired(notebook)
    assert [PUBLIC in said and HIDDEN in said for said in done.said] == [True]
    assert list(filter(None, map(ours, done.notebook["cells"]))) == list(filter(None, map(ours, fresh()["cells"])))


def test_null_bytes_are_taken_out():
    half = len(SOURCE) // 2
    done = repaired(SOURCE[:half].encode() + b"\0\0" + SOURCE[half:].encode() + b"\0" * 512)
    assert len(done.said) == 1
    assert sources(done.notebook) == sources(fresh())
    inside = fresh()
    inside["cells"][4]["source"] = ["x\0", "y"]
    assert "xy" in [cell["source"] for cell in repaired(inside).notebook["cells"]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_other_encodings_are_converted(encoding):
    notebook = fresh()
    notebook["cells"][0]["source"] = "感知机作业"
    done = repaired(json.dumps(notebook, ensure_ascii=False).encode(encoding))
    assert len(done.said) == 1
    assert done.notebook["cells"][1]["source"] == "感知机作业"


def test_of_a_file_that_breaks_off_the_whole_cells_are_kept():
    where = SOURCE.index(PUBLIC)
    done = repaired(SOURCE[:where].encode())
    assert len(done.said) == 2  # it breaks off, and what was added
    kept = [source for source in sources(done.notebook) if "def " in source]
    assert kept
    assert set(kept) < set(sources(fresh()))


@pytest.mark.parametrize(
    "content",
    [
        b"", b" \n", b"\0" * 100, b"hello", b"[]", b'{"cells": 3}', b'{"metadata": {}}', b"%PDF-1.7 ...",
        b"[" * 100_000, b'{"cells": [' + b"[" * 100_000, b'{"worksheets": 1, "nbformat": 3}', b"\xff\xfe\x00",
        b'{"cells": [], "metadata": ' + b"9" * 10_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_notebook_earns_nothing_and_stops_nobody(content):
    done = repaired(content)
    assert done.problem
    assert done.notebook["metadata"]["autograder"][UNREADABLE] == done.problem


def test_things_that_are_no_cells_are_left_out():
    notebook = fresh()
    notebook["cells"][2:2] = [None, 7, "x", [], {"cell_type": "code", "source": {"a": 1}}, {"source": "y = 1"}]
    notebook["cells"].append({"cell_type": "heading", "source": "Title", "metadata": []})
    notebook["metadata"] = None
    done = repaired(notebook)
    assert len(done.said) == 1
    assert set(sources(fresh())) <= set(sources(done.notebook))


def test_a_notebook_of_format_3_is_converted():
    cells = [
        {"cell_type": "code", "input": source, "language": "python", "outputs": [], "metadata": {}, "collapsed": False}
        for source in sources(fresh())
    ]
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": cells, "metadata": {}}],
    }
    done = repaired(old)
    assert set(sources(fresh())) <= set(sources(done.notebook))


_SHOWN = {"text/plain": ["a"], "image/png": "iVBO", "application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
OUTPUTS = [
    {"output_type": "stream", "name": "stdout", "text": ["a\n", "b"]},
    {"output_type": "display_data", "data": _SHOWN, "metadata": {"needs_background": "light"}},
    {"output_type": "execute_result", "data": _SHOWN, "metadata": {}, "execution_count": 3},
    {"output_type": "error", "ename": "ValueError", "evalue": "a", "traceback": ["b"]},
]


def test_outputs_tags_and_pictures_stay():
    notebook = fresh()
    notebook["cells"][at(notebook, WORK)]["outputs"] = OUTPUTS
    notebook["cells"][at(notebook, WORK)]["metadata"]["tags"] = ["one", "two"]
    notebook["cells"][0]["attachments"] = {"a.png": {"image/png": "iVBO"}}
    assert repaired(notebook) == (None, (), "")


@pytest.mark.parametrize(
    "odd",
    [
        *({"outputs": [{**OUTPUTS[0], **one}]} for one in ({"output_type": "x"}, {"output_type": []}, {"text": 1})),
        {"outputs": [{"output_type": "stream"}]},
        {"outputs": [{**OUTPUTS[1], "data": {"text/plain": 1}}]},
        {"outputs": [{**OUTPUTS[1], "data": dict.fromkeys(map(str, range(100)), "")}]},
        {"outputs": [{**OUTPUTS[2], "execution_count": "x"}]},
        {"outputs": [{**OUTPUTS[3], "traceback": [1]}]},
        {"metadata": {"tags": [1]}},
        {"metadata": {"tags": "x"}},
        {"metadata": {"tags": ["x", "x"]}},
    ],
)
def test_security_what_nbformat_would_find_a_thousand_faults_with_is_taken_out(odd):
    """320 KB of outputs that are none took nbformat 750 MB to tell of."""
    notebook = fresh()
    number = at(notebook, WORK)
    nbgraders = notebook["cells"][number]["metadata"]
    notebook["cells"][number] |= {**odd, "metadata": nbgraders | odd.get("metadata", {})}
    cell = repaired(notebook).notebook["cells"][number]
    assert cell["outputs"] == []
    assert "tags" not in cell["metadata"]
    old = {"cell_type": "code", "language": "python", "input": [1], "outputs": [], "metadata": {}, **odd}
    sheets = {"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [old]}]}
    assert repaired(sheets).problem == ""


def test_security_odd_pictures_are_taken_out():
    notebook = fresh()
    notebook["cells"][0]["attachments"] = {"a": {"image/png": 1}}
    assert "attachments" not in repaired(notebook).notebook["cells"][0]


def test_fifty_megabytes_of_output_are_dropped():
    notebook = fresh()
    output = {"output_type": "stream", "name": "stdout", "text": "x" * (50 << 20)}
    notebook["cells"][at(notebook, WORK)]["outputs"] = [output]
    done = repaired(notebook)
    assert len(done.said) == 1
    assert sources(done.notebook) == sources(fresh())
    assert len(json.dumps(done.notebook)) < 100_000


def test_security_a_note_is_text_and_no_markup():
    notebook = fresh()
    name = "<img src=x onerror=alert(1)>![x](http://x)"
    notebook["cells"][1]["metadata"]["nbgrader"] = {"grade_id": name}
    first = at(notebook, PUBLIC)
    notebook["cells"].insert(first, notebook["cells"][first])
    note = repaired(notebook).notebook["cells"][0]["source"]
    assert "<img" not in note
    assert "hw1-task-1-5-public" in note
