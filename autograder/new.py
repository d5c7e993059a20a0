"""`grade new`: the skeleton of an assignment, with blanks (TODO) that its author fills in."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template

from autograder.course import LoadedCourse
from autograder.errors import UsageError
from autograder.messages import text
from autograder.validate import MIN_WRONG

_SKELETON = Path(__file__).with_name("skeleton")
_ID = re.compile(r"[a-z][a-z0-9]*")


def make_assignment(
    course: LoadedCourse, assignment_id: str, *, title: str, title_zh: str | None, frameworks: tuple[str, ...]
) -> list[Path]:
    """Make the folders and files of a new assignment; nothing that exists is touched.

    Args:
        course: where it goes.
        assignment_id: "hw5"; letters and digits, for the folder's name begins with it.
        title: in English.
        title_zh: in Chinese; without, the English one.
        frameworks: those that students may choose from.

    Returns:
        The files made.

    Raises:
        UsageError: the id is not one, or is taken.
    """
    if not _ID.fullmatch(assignment_id):
        raise UsageError(text("usage.bad_new_id", id=assignment_id))
    module = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or assignment_id
    folder = course.folder / "assignments" / f"{assignment_id}_{module}"
    solutions = course.folder / "solutions" / folder.name
    taken = course.assignment_folders().get(assignment_id) or next(
        (path for path in (folder, solutions) if path.exists()), None
    )
    if taken is not None:
        raise UsageError(text("usage.exists", path=taken.relative_to(course.folder)), hint=text("usage.exists_hint"))
    values = {
        "id": assignment_id,
        "module": module,
        # JSON strings are YAML strings: a title may have colons, quotes, anything.
        "title": json.dumps(title, ensure_ascii=False),
        "title_zh": json.dumps(title_zh or title, ensure_ascii=False),
        "frameworks_line": f"frameworks: [{', '.join(frameworks)}]" if frameworks else "frameworks: []",
    }
    # In a docstring a backslash or three quotes would be Python's.
    plain = values | {"title": title.replace('"', "'").replace("\\", "/"), "title_zh": title_zh or title}
    made = {
        folder / "assignment.yml": _filled("assignment.yml", values),
        folder / "README.md": _filled("README.md", plain),
        folder / "README.zh.md": _filled("README.zh.md", plain),
        folder / "tests" / f"test_{module}.py": _filled("tests.py.in", plain),
        folder / "hidden" / f"test_{module}_hidden.py": _filled("hidden.py.in", plain),
    }
    for framework in frameworks or ("",):
        name = f"{module}_{framework}.py" if framework else f"{module}.py"
        import_line = f"import {framework}  # noqa: F401\n" if framework else ""
        made[solutions / name] = _filled("solution.py.in", plain | {"import_line": import_line})
    framework_line = f"framework: {frameworks[0]}" if frameworks else "# no framework"
    for number in range(1, MIN_WRONG + 1):
        wrong = solutions / "wrong" / f"todo_{number}"
        made[wrong / f"{module}.py"] = _filled("wrong.py.in", plain)
        made[wrong / "expect.yml"] = _filled("expect.yml", plain | {"framework_line": framework_line})
    for path, content in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
    return list(made)


def _filled(name: str, values: dict[str, str]) -> str:
    return Template((_SKELETON / name).read_text(encoding="utf-8")).substitute(values)
