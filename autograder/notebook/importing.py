"""`grade nbgrader import`: an assignment of ours made of a plain nbgrader source notebook.

    markdown cells           README.md
    code and solution cells  solutions/…/<name>.py, with our regions; the stub is made of it as ever
    test cells               tests/, and hidden/ for what lies between BEGIN and END HIDDEN TESTS
    points                   assignment.yml, a task for the solution cells that stand together

What can't be translated by rule becomes a check that says so when it runs, and is listed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from autograder.course import LoadedCourse
from autograder.errors import UsageError
from autograder.messages import text
from autograder.notebook.cell_checks import NotTranslatable, translate
from autograder.notebook.source_cells import GradedCell, Source, SourceTask, read_source

_ID = re.compile(r"[a-z][a-z0-9]*")
_HEADING = re.compile(r"^# +(?P<title>.+)$", re.MULTILINE)
_PYTEST = "import pytest"


class Imported(NamedTuple):
    """What came of it."""

    assignment_id: str
    files: list[Path]
    by_hand: list[str]
    """What is left to a person, a line each."""
    checks: int
    translated: int


class _Check(NamedTuple):
    """A check to be written."""

    name: str
    title: str
    points: float
    task: str
    body: list[str]
    needed: list[str]
    is_todo: bool = False


class _Checks(NamedTuple):
    """Those of one file."""

    public: list[_Check]
    hidden: list[_Check]


def import_notebook(course: LoadedCourse, path: Path, assignment_id: str | None) -> Imported:
    """Make the folders and files of an assignment; nothing that exists is touched.

    Args:
        course: where it goes.
        path: the notebook, as nbgrader's source/ has it, with its solutions.
        assignment_id: "hw4"; without, made of the notebook's name.

    Raises:
        UsageError: it is no notebook, nothing in it is tested by code, or the id is taken or is none.
    """
    made_id = assignment_id or re.sub(r"[^a-z0-9]", "", path.stem.lower())
    if not _ID.fullmatch(made_id):
        raise UsageError(text("usage.bad_new_id", id=made_id))
    source = read_source(path)
    slug = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_") or made_id
    folder = course.folder / "assignments" / (f"{made_id}_{slug}" if slug != made_id else slug)
    solutions = course.folder / "solutions" / folder.name
    taken = course.assignment_folders().get(made_id) or next((one for one in (folder, solutions) if one.exists()), None)
    if taken is not None:
        raise UsageError(text("usage.exists", path=taken.relative_to(course.folder)), hint=text("usage.exists_hint"))
    checks = _Checks([], [])
    by_hand = list(source.by_hand)
    for task in source.tasks:
        for cell in task.tests:
            by_hand += _add(checks, source, task, cell)
    title = _title(source, path)
    files = {
        folder / "assignment.yml": _assignment_yml(made_id, slug, title, source, checks),
        folder / "README.md": _readme(made_id, title, source),
        solutions / f"{slug}.py": f'"""{_in_docstring(title)}"""\n\n' + "\n\n\n".join(source.code) + "\n",
    }
    for part, found in (("tests", checks.public), ("hidden", checks.hidden)):
        if found:
            name = f"test_{slug}{'_hidden' if part == 'hidden' else ''}.py"
            files[folder / part / name] = _check_file(part, made_id, found)
    for file, content in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8", newline="\n")
    count = len(checks.public) + len(checks.hidden)
    failed = sum(check.is_todo for check in (*checks.public, *checks.hidden))
    return Imported(made_id, list(files), by_hand, count, count - failed)


def _title(source: Source, path: Path) -> str:
    headings = (_HEADING.search(said) for said in source.handout)
    return next((found["title"].strip() for found in headings if found), path.stem)


def _add(checks: _Checks, source: Source, task: SourceTask, cell: GradedCell) -> list[str]:
    """Add a cell's checks: one, or where a part of it is hidden, one with what students have and one with the whole."""
    stem = "test_" + (re.sub(r"\W+", "_", cell.grade_id).strip("_").lower() or f"task_{task.id}")
    if not cell.has_hidden:
        parts = [(checks.public, stem, cell.public, cell.points)]
    elif not cell.public:
        parts = [(checks.hidden, f"{stem}_hidden", cell.whole, cell.points)]
    else:
        parts = [
            (checks.public, stem, cell.public, cell.points / 2),
            (checks.hidden, f"{stem}_hidden", cell.whole, cell.points / 2),
        ]
    by_name = text("import.check_title", cell=cell.grade_id)
    said = [text("import.halves", cell=cell.grade_id)] if len(parts) > 1 else []
    for found, name, code, points in parts:
        unique = _unique(name, {check.name for check in (*checks.public, *checks.hidden)})
        try:
            made = translate(code, source.names)
        except NotTranslatable as reason:
            said.append(text("import.check_by_hand", cell=cell.grade_id, check=unique, reason=str(reason)))
            todo = json.dumps(text("import.todo", reason=str(reason)), ensure_ascii=False)
            found.append(
                _Check(unique, by_name, points, task.id, [f"raise NotImplementedError({todo})"], [], is_todo=True)
            )
            continue
        title = made.title or by_name
        found.append(_Check(unique, title, points, task.id, made.lines or ["pass"], made.needed))
    return said


def _unique(name: str, taken: set[str]) -> str:
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name}_{number}"
    return made


# --- files ------------------------------------------------------------------------------------------------------------


def _check_file(part: str, assignment_id: str, checks: list[_Check]) -> str:
    needed = dict.fromkeys([_PYTEST, *(line for check in checks for line in check.needed)])
    imports = [line for line in needed if line.startswith(("import ", "from "))]
    definitions = [line for line in needed if line not in imports]
    kind = "Public" if part == "tests" else "Hidden"
    head = f'"""{kind} checks of {assignment_id}, made of a notebook\'s test cells. They run in the judge."""'
    others = sorted(line for line in imports if line != _PYTEST)
    blocks = ["\n".join([head, "", _PYTEST, *others]), *definitions, *map(_check_source, checks)]
    return "\n\n\n".join(blocks) + "\n"


def _check_source(check: _Check) -> str:
    return "\n".join(
        (
            f'@pytest.mark.points({check.points:g}, task="{check.task}")',
            f"def {check.name}(submission):",
            f'    """{_in_docstring(check.title)}"""',
            *(f"    {line}".rstrip() for line in check.body),
        )
    )


def _in_docstring(said: str) -> str:
    return said.replace("\\", "/").replace('"', "'")


def _assignment_yml(assignment_id: str, slug: str, title: str, source: Source, checks: _Checks) -> str:
    points = sum(check.points for check in (*checks.public, *checks.hidden))
    lines = [
        "# yaml-language-server: $schema=../../autograder/schema/assignment.schema.json",
        f"id: {assignment_id}",
        f"title: {{en: {_quoted(title)}, zh: {_quoted(title)}}}",
        f"points: {points:g}",
        "frameworks: []",
        "entry:",
        f"  file: {slug}.py",
        f"  names: [{', '.join(name for task in source.tasks for name in task.names)}]",
        "seeds: [0]",
        "tasks:",
        *(_task_line(task, checks) for task in source.tasks),
        "checks:",
    ]
    for check in (*checks.public, *checks.hidden):
        lines += [f"  {check.name}:", f"    zh: {_quoted(check.title)}"]
    return "\n".join(lines) + "\n"


def _task_line(task: SourceTask, checks: _Checks) -> str:
    worth = {
        name: sum(check.points for check in found if check.task == task.id)
        for name, found in (("public", checks.public), ("hidden", checks.hidden))
    }
    points = ", ".join(f"{name}: {value:g}" for name, value in worth.items() if value)
    title = _quoted(task.title)
    return f'  - {{id: "{task.id}", title: {{en: {title}, zh: {title}}}, points: {{{points}}}}}'


def _quoted(said: str) -> str:
    return json.dumps(said, ensure_ascii=False)  # JSON strings are YAML strings


def _readme(assignment_id: str, title: str, source: Source) -> str:
    rows = [f"| {task.id} | {task.title} | `grade check {assignment_id} --task {task.id}` |" for task in source.tasks]
    table = "\n".join(["| task | what to write | command |", "|---|---|---|", *rows])
    cells = "\n\n".join(filter(None, source.handout))
    return f"# {title}\n\n{table}\n\n{cells}\n"
