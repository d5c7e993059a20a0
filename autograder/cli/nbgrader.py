"""Commands about a course that is kept with nbgrader."""

from __future__ import annotations

import json

import click

from autograder.cli.command import GradeCommand, GradeGroup
from autograder.cli.instructor import ISOLATIONS
from autograder.cli.options import DEVICES, json_option, lang_option
from autograder.messages import text

_assignment = click.argument("assignment_id", metavar=text("cli.metavar.assignment"))


@click.group("nbgrader", cls=GradeGroup, help=text("cli.nbgrader.help"))
@lang_option
def nbgrader() -> None:
    """Group of the commands about a course that is kept with nbgrader."""


@nbgrader.command(
    "autograde", cls=GradeCommand, help=text("cli.nbgrader.autograde.help"), short_help=text("cli.nbgrader.autograde.short")
)
@_assignment
@click.option("--student", "students", multiple=True, metavar="STUDENT", help=text("cli.nbgrader.student"))
@click.option("--force", is_flag=True, help=text("cli.nbgrader.force"))
@click.option("--jobs", default="auto", metavar="N", callback=lambda *given: _jobs(given[2]), help=text("cli.run.jobs"))
@click.option("--device", type=click.Choice(DEVICES), default="auto", help=text("cli.check.device"))
@click.option("--isolation", type=click.Choice(ISOLATIONS), default="auto", help=text("cli.check.isolation"))
@json_option
@lang_option
def autograde(
    *,
    assignment_id: str,
    students: tuple[str, ...],
    force: bool,
    jobs: int | None,
    device: str,
    isolation: str,
    as_json: bool,
) -> int:
    """Grade what nbgrader has collected."""
    from autograder.nbgrader.batch import Asked, autograde
    from autograder.run.progress import as_document, exit_code, print_done

    works, done, repaired = autograde(Asked(assignment_id, students, force, jobs, device, isolation), shown=not as_json)
    if as_json:
        document = {**as_document(works, done), "repaired": repaired}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return exit_code(done)
    if repaired:
        click.echo("\n".join([text("nbgrader.repaired"), *(f"  {line}" for line in repaired)]))
    print_done(done)
    return exit_code(done)


def _jobs(said: str) -> int | None:
    if said == "auto":
        return None
    if said.isdecimal() and int(said) > 0:
        return int(said)
    raise click.BadParameter(text("cli.nbgrader.bad_jobs", said=said))
