"""`grade nbgrader import`: an assignment made of a plain nbgrader source notebook."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import lang_option
from autograder.messages import text


@click.command(
    "import",
    cls=GradeCommand,
    help=text("cli.nbgrader.import.help"),
    short_help=text("cli.nbgrader.import.short"),
)
@click.argument(
    "notebook",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar=text("cli.metavar.notebook"),
)
@click.option("--id", "assignment_id", metavar=text("cli.metavar.assignment"), help=text("cli.nbgrader.import.id"))
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar=text("cli.metavar.course"),
    help=text("cli.nbgrader.import.to"),
)
@lang_option
def import_source(*, notebook: Path, assignment_id: str | None, folder: Path | None) -> int:
    """Make an assignment of a notebook."""
    from autograder.course import find_course
    from autograder.notebook.importing import import_notebook

    course = find_course(folder or Path.cwd())
    made = import_notebook(course, notebook, assignment_id)
    for path in made.files:
        click.echo(text("import.made", path=path.relative_to(course.folder)))
    click.echo(text("import.counted", translated=made.translated, checks=made.checks))
    if made.by_hand:
        click.echo(f"\n{text('import.by_hand')}")
    for line in made.by_hand:
        click.echo(f"  - {line}")
    click.echo(f"\n{text('import.next')}")
    click.echo(f"  grade release {made.assignment_id} --write && grade validate {made.assignment_id}")
    click.echo(text("import.course_entry"))
    click.echo(f"  - {{id: {made.assignment_id}, due: YYYY-MM-DDTHH:MM}}")
    return 0
