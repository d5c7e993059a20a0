"""Commands about what people decide and put right: `grade received`, `grade group`, `grade request`."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import click

from autograder.cli.command import GradeCommand, GradeGroup
from autograder.cli.options import json_option, lang_option
from autograder.errors import UsageError
from autograder.messages import text

_assignment = click.argument("assignment_id", metavar=text("cli.metavar.assignment"))
_MOST_NUMBERS = 10_000


def _numbers(_: click.Context, __: click.Parameter, said: str) -> list[int]:
    """Read 4, 4-20 or 4,7,9-12."""
    found: list[int] = []
    for part in said.replace("#", "").split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:\s*-\s*(\d{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last < first + _MOST_NUMBERS:
            raise UsageError(text("received.bad_numbers", said=said), hint=text("received.bad_numbers_hint"))
        found += range(first, last + 1)
    return found


def _moment(_: click.Context, __: click.Parameter, said: str) -> datetime:
    from autograder.roster import moment_in

    try:
        return moment_in(said)
    except ValueError:
        raise UsageError(text("collect.bad_moment", said=said)) from None


@click.command("received", cls=GradeCommand, help=text("cli.received.help"))
@click.argument("numbers", metavar=text("cli.metavar.numbers"), callback=_numbers)
@click.argument("moment", metavar=text("cli.metavar.moment"), callback=_moment)
@click.option("--why", required=True, metavar="TEXT", help=text("cli.override.why"))
@lang_option
def received(*, numbers: list[int], moment: datetime, why: str) -> int:
    """Say when submissions really came."""
    from autograder.decisions import correct_received
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book:
        made = correct_received(book, numbers, moment, why)
    for one in made:
        before, after = (f"{moment:%Y-%m-%d %H:%M %Z}" for moment in (one.before, one.after))
        key = "received.same" if one.before == one.after else "received.done"
        click.echo(text(key, number=one.number, name=one.name, before=before, after=after))
    return 0


@click.command("group", cls=GradeCommand, help=text("cli.group.help"))
@_assignment
@click.argument("students", nargs=-1, metavar=text("cli.metavar.students"))
@click.option("--name", metavar="NAME", help=text("cli.group.name"))
@click.option("--alone", is_flag=True, help=text("cli.group.alone"))
@click.option(
    "--import", "file", type=click.Path(path_type=Path), metavar=text("cli.metavar.roster_file"),
    help=text("cli.group.import"),
)  # fmt: skip
@json_option
@lang_option
def group(
    *, assignment_id: str, students: tuple[str, ...], name: str | None, alone: bool, file: Path | None, as_json: bool
) -> int:
    """Have students hand in together, or show who does."""
    from autograder.decisions import form_groups, groups
    from autograder.gradebook import open_gradebook
    from autograder.report.decisions import print_formed, print_groups
    from autograder.roster import read_groups

    chosen = sum((bool(name), alone, file is not None))
    if chosen > 1 or bool(students) != bool(name or alone):
        raise UsageError(text("group.what"), hint=text("group.what_hint", id=assignment_id))
    with open_gradebook(Path.cwd()) as book:
        if chosen:
            made = form_groups(book, assignment_id, read_groups(file) if file else {name or "": students})
        found = groups(book, assignment_id)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif chosen:
        print_formed(made)
    else:
        print_groups(found, assignment_id)
    return 0


@click.group("request", cls=GradeGroup, help=text("cli.request.help"))
@lang_option
def request() -> None:
    """Group of the commands about regrade requests."""


@request.command("add", cls=GradeCommand, help=text("cli.request.add.help"), short_help=text("cli.request.add.help"))
@_assignment
@click.argument("student", metavar=text("cli.metavar.student"))
@click.option("--check", metavar="CHECK", help=text("cli.request.add.check"))
@click.option("--text", "said", required=True, metavar="TEXT", help=text("cli.request.add.text"))
@lang_option
def add_request(*, assignment_id: str, student: str, check: str | None, said: str) -> int:
    """Record what a student asks."""
    from autograder.decisions import ask_again
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book:
        number = ask_again(book, assignment_id, student, check, said)
    click.echo(text("request.added", number=number))
    return 0


@request.command("list", cls=GradeCommand, help=text("cli.request.list.help"), short_help=text("cli.request.list.help"))
@click.argument("assignment_id", required=False, metavar=text("cli.metavar.any_assignment"))
@click.option("--open", "only_open", is_flag=True, help=text("cli.request.list.open"))
@json_option
@lang_option
def list_requests(*, assignment_id: str | None, only_open: bool, as_json: bool) -> int:
    """Show what was asked and answered."""
    from autograder.decisions import all_requests
    from autograder.gradebook import open_gradebook
    from autograder.report.decisions import print_requests

    with open_gradebook(Path.cwd()) as book:
        found = [one for one in all_requests(book, assignment_id) if not (only_open and one.answer)]
    if as_json:
        document = [one._asdict() | {"at": one.at.isoformat(timespec="seconds")} for one in found]
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print_requests(found, only_open=only_open)
    return 0


@request.command(
    "answer", cls=GradeCommand, help=text("cli.request.answer.help"), short_help=text("cli.request.answer.help")
)
@click.argument("number", type=int, metavar=text("cli.metavar.request_number"))
@click.option("--text", "said", required=True, metavar="TEXT", help=text("cli.request.answer.text"))
@click.option("--points", type=float, metavar="POINTS", help=text("cli.request.answer.points"))
@lang_option
def answer_to_request(*, number: int, said: str, points: float | None) -> int:
    """Answer what a student asked."""
    from autograder.decisions import answer_request
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book:
        one = answer_request(book, number, said, points)
    click.echo(text("request.answered", number=number, student=one.student_id))
    if points is not None:
        about = one.check_id or text("ledger.log.whole")
        click.echo(text("request.points", student=one.student_id, about=about, points=f"{points:g}"))
    return 0
