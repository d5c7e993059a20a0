"""Notebooks are made of handouts, solutions and tasks; what is made is graded like the files that it was made of."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest

from autograder.course import find_course
from autograder.errors import ConfigError
from autograder.judge.check import check_submission
from autograder.judge.options import AttemptOptions
from autograder.notebook.blocks import blocks
from autograder.notebook.generate import make_notebook, notebook_files, notebooks
from autograder.notebook.handout import in_notebook
from autograder.notebook_source import notebook_to_module
from tests.tiny_course import make_course, write

COURSE = find_course(Path(__file__))
EVERY = [
    pytest.param(COURSE.assignment(one), file, id=file.name)
    for one in COURSE.assignment_folders()
    for file in notebook_files(COURSE.assignment(one))
]

MODULE = '''\
"""A module."""

import os

# What a number is.
N = 1


# Above its decorator.
@staticmethod
def one():
    """One."""
    # BEGIN SOLUTION (Task 1.1: one)
    return 1
    # END SOLUTION


def given():
    return 2
# a comment of given's, at the margin


class Both:
    def first(self):
        # BEGIN SOLUTION (Task 1.2: first)
        return 3
        # END SOLUTION

    def second(self):
        # BEGIN SOLUTION (Task 1.3: second)
        return 4
        # END SOLUTION


# BEGIN SOLUTION (constants)
K = 5
# END SOLUTION
M = 6

if __name__ == "__main__":
    print(one())
'''


def test_a_module_is_cut_between_statements():
    found = blocks(MODULE)
    assert [(block.tasks, block.solution) for block in found] == [
        ((), False),
        (("1.1",), True),
        ((), False),
        (("1.2", "1.3"), True),
        ((), True),
        ((), False),
    ]
    assert found[0].source == "import os\n\n# What a number is.\nN = 1"
    assert found[1].source.startswith("# Above its decorator.\n@staticmethod\ndef one():")
    # nbgrader finds no end of a region whose last line, a comment, was cut off with the next statement
    assert found[1].source.endswith("    # END SOLUTION")
    assert found[4].source == "# BEGIN SOLUTION (constants)\nK = 5\n# END SOLUTION"
    assert found[5].source == "M = 6"
    for block in found:
        ast.parse(block.source)


@pytest.mark.parametrize(("assignment", "file"), EVERY)
@pytest.mark.parametrize("kind", ["stub", "solution"])
def test_a_notebook_is_valid_and_worth_what_the_assignment_is(assignment, file, kind):
    notebook = nbformat.reads(make_notebook(assignment, file, kind), as_version=4)
    nbformat.validate(notebook)
    marked = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len({one.grade_id for one in marked}) == len(marked)
    points = {one.grade_id: one.points for one in marked if one.grade}
    assert points == {
        f"{assignment.id}-task-{task.id.replace('.', '-')}-{side}": worth
        for task in assignment.spec.tasks
        for side, worth in (("public", task.points.public), ("hidden", task.points.hidden))
        if worth
    }
    assert all(one.locked and not one.solution for one in marked if one.grade)
    assert [one.schema_version for one in marked] == [3] * len(marked)
    assert notebook.metadata.autograder.assignment == assignment.id


@pytest.mark.parametrize(("assignment", "file"), EVERY)
@pytest.mark.nbgrader
def test_nbgrader_takes_the_metadata(assignment, file):
    from nbgrader.nbgraderformat import MetadataValidator

    validator = MetadataValidator()
    notebook = nbformat.reads(make_notebook(assignment, file, "solution"), as_version=4)
    validator.validate_nb(notebook)


@pytest.mark.parametrize(("assignment", "file"), EVERY)
def test_hidden_checks_are_a_comment_and_the_solution_is_not_there(assignment, file):
    made = json.loads(make_notebook(assignment, file, "stub"))
    hidden = [cell for cell in made["cells"] if cell["id"].endswith("-hidden")]
    assert hidden or not assignment.spec.hidden_points
    for cell in hidden:
        assert all(line.startswith("#") for line in cell["source"])
    module = notebook_to_module(json.dumps(made).encode(), file.name).source
    tree = ast.parse(module)
    stub = ast.parse((assignment.folder / file.solution).read_text(encoding="utf-8"))
    stub.body = [node for node in stub.body if not isinstance(node, ast.If)][1:]  # the guard, and the docstring
    assert ast.unparse(tree) == ast.unparse(stub)


@pytest.mark.parametrize(("assignment", "file"), EVERY)
def test_under_each_tasks_heading_there_is_a_cell_of_its(assignment, file):
    made = json.loads(make_notebook(assignment, file, "stub"))["cells"]
    headings = [number for number, cell in enumerate(made) if cell["id"].endswith("-heading")]
    assert len(headings) == len(assignment.spec.tasks)
    assert [made[number + 1]["cell_type"] for number in headings] == ["code"] * len(headings)
    task = next((task for task in assignment.spec.tasks if task.id == "1.3" and assignment.id == "hw1"), None)
    if task:
        above = next(cell for cell in made if cell["id"] == "hw1-task-1-2-heading")
        assert "1.3" in above["source"][-1]


@pytest.mark.parametrize(("assignment", "file"), EVERY)
def test_the_same_assignment_gives_the_same_bytes_that_are_committed(assignment, file):
    path = assignment.folder / file.name
    assert path.read_text(encoding="utf-8") == notebooks(assignment)[path]


def test_handouts_are_in_the_notebooks_language():
    assignment = COURSE.assignment("hw1")
    english, chinese = (make_notebook(assignment, file, "stub") for file in notebook_files(assignment))
    assert "## Task 1.1: The step function (5 points)" in english
    assert "## 任务 1.1：阶跃函数（5 分）" in chinese
    assert "README" not in english + chinese


@pytest.mark.parametrize(("assignment", "file"), EVERY)
def test_a_notebook_tells_what_to_do_in_a_notebook(assignment, file):
    """The handout is about a file and a terminal; who works in a notebook has neither."""
    cells = nbformat.reads(make_notebook(assignment, file, "stub"), as_version=4).cells
    told = [cell.source for cell in cells if cell.cell_type == "markdown"]
    said = "\n".join(told)
    assert assignment.spec.entry.file not in said
    assert "grade start" not in said
    assert f"`%grade check {assignment.id} --task " in said
    assert re.search(r"(?<!%)grade (check|data|list|doctor)", said) is None
    assert "<!--" not in said


HANDOUT = """\
# Homework

<!-- IN A FILE -->
Fill in `f`:

    grade start hw1
<!-- IN A NOTEBOOK
Fill in the cells.
-->
Then `grade check hw1`, by the grade check that you like.

    $ grade check hw1
<!-- IN A FILE -->
Not for notebooks.
<!-- IN A NOTEBOOK
-->
"""


def test_a_handout_is_about_a_file_or_a_notebook():
    assert in_notebook(HANDOUT, Path("README.md")) == (
        "# Homework\n\nFill in the cells.\nThen `%grade check hw1`, by the grade check that you like.\n\n"
        "    %grade check hw1\n"
    )


@pytest.mark.parametrize(
    ("handout", "line"),
    [
        ("# A\n\n<!-- IN A FILE -->\nx\n", 3),
        ("# A\n<!-- IN A FILE -->\nx\n<!-- IN A FILE -->\nx\n<!-- IN A NOTEBOOK\n-->\n", 2),
        ("# A\n<!-- IN A NOTEBOOK\n-->\n", 2),
        ("# A\n<!-- IN A FILE -->\nx\n<!-- IN A NOTEBOOK\ny\n", 2),
        ("<!-- IN A FILE -->\nx\n<!-- IN A NOTEBOOK\n-->\n\n<!-- IN A FILE -->\nx\n", 6),
        ("# A\n<!-- IN A FILE -->\n<!-- IN A NOTEBOOK\ny\n<!-- IN A FILE -->\n<!-- IN A NOTEBOOK\n-->\n", 2),
    ],
)
def test_a_part_of_a_handout_that_is_not_closed_is_told(handout, line):
    with pytest.raises(ConfigError, match=rf"README\.md:{line}: .*IN A NOTEBOOK"):
        in_notebook(handout, Path("README.md"))


def test_a_solution_in_a_notebook_scores_in_full(tmp_path):
    assignment = COURSE.assignment("hw1")
    made = make_notebook(assignment, notebook_files(assignment)[1], "solution")
    write(tmp_path / "hw1.ipynb", made)
    report = check_submission("hw1", tmp_path / "hw1.ipynb", COURSE.folder, AttemptOptions(hidden=True))
    assert (report.score, report.max_points) == (100, 100)


@pytest.mark.parametrize("source", [
    "from autograder.notebook import check\n\ncheck('hw1', '1.1')",
    "# run me\nfrom autograder.notebook import check\ncheck('hw1')\ncheck('hw1', '1.2')",
])  # fmt: skip
def test_a_cell_that_only_checks_is_no_part_of_the_module(source):
    module = notebook_to_module(_notebook("x = 1", source, "y = 2"), "hw1.ipynb")
    assert module.source == "x = 1\ny = 2\n"
    assert [start.cell for start in module.cells] == [1, 2, 3]


def test_a_cell_with_code_of_its_own_stays():
    own = "from autograder.notebook import check\nz = 3"
    assert "z = 3" in notebook_to_module(_notebook(own), "hw1.ipynb").source


def test_an_assignment_can_do_without(tmp_path):
    course = make_course(tmp_path)
    write(course / "assignments/hw1_sums/README.md", "# Sums\n")
    assert notebooks(find_course(course).assignment("hw1")) == {}


def test_a_missing_solution_is_told(tmp_path):
    assignment = COURSE.assignment("hw1").model_copy(update={"solutions": tmp_path})
    with pytest.raises(ConfigError, match=r"perceptron\.py"):
        make_notebook(assignment, notebook_files(assignment)[0], "stub")


def _notebook(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells)).encode()
