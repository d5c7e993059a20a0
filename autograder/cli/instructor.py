"""Commands for instructors: what was handed in, and what it came to."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import json_option, lang_option
from autograder.errors import UsageError
from autograder.messages import text

_assignment = click.argument("assignment_id", metavar=text("cli.metavar.assignment"))


def _moment(_: click.Context, __: click.Parameter, said: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(said) if said else None
    except ValueError:
        raise UsageError(text("collect.bad_moment", said=said)) from None


@click.command("collect", cls=GradeCommand, help=text("cli.collect.help"))
@_assignment
@click.argument("source", type=click.Path(path_type=Path), metavar=text("cli.metavar.collect_source"))
@click.option("--received", metavar="TIME", callback=_moment, help=text("cli.collect.received"))
@json_option
@lang_option
def collect(*, assignment_id: str, source: Path, received: datetime | None, as_json: bool) -> int:
    """Take what students handed in."""
    from autograder.collect.shown import as_document, collecting, print_collected
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book, collecting(enabled=not as_json) as tell:
        found = book.collect(assignment_id, source, received, tell)
        waiting = book.unclaimed(assignment_id)
    if as_json:
        click.echo(json.dumps([as_document(one) for one in found], ensure_ascii=False, indent=2))
    else:
        print_collected(found, waiting)
    return 0


@click.command("assign", cls=GradeCommand, help=text("cli.assign.help"))
@click.argument("number", type=int, metavar=text("cli.metavar.submission_number"))
@click.argument("students", nargs=-1, metavar=text("cli.metavar.students"))
@click.option("--nobody", is_flag=True, help=text("cli.assign.nobody"))
@lang_option
def assign(*, number: int, students: tuple[str, ...], nobody: bool) -> int:
    """Say whose a submission is."""
    from autograder.gradebook import open_gradebook

    if nobody == bool(students):
        raise UsageError(text("collect.whose"), hint=text("collect.whose_hint", number=number))
    with open_gradebook(Path.cwd()) as book:
        owned = book.assign(number, students)
    said = text("collect.assigned", number=number, students=", ".join(owned))
    click.echo(said if owned else text("collect.set_aside", number=number))
    return 0
