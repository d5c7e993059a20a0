"""`grade roster`: who takes the course."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from autograder.cli.command import GradeCommand, GradeGroup
from autograder.cli.options import json_option, lang_option
from autograder.errors import UsageError
from autograder.messages import text

_section = click.option("--section", metavar=text("cli.metavar.section"), help=text("cli.roster.section"))


@click.group("roster", cls=GradeGroup, help=text("cli.roster.help"))
@lang_option
def roster() -> None:
    """Group of the commands about students."""


@roster.command(
    "import", cls=GradeCommand, help=text("cli.roster.import.help"), short_help=text("cli.roster.import.short")
)
@click.argument("file", type=click.Path(path_type=Path), metavar=text("cli.metavar.roster_file"))
@click.option("--yes", is_flag=True, help=text("cli.roster.yes"))
@click.option("--add-only", is_flag=True, help=text("cli.roster.add_only"))
@click.option("--dry-run", is_flag=True, help=text("cli.roster.dry_run"))
@json_option
@lang_option
def import_roster(*, file: Path, yes: bool, add_only: bool, dry_run: bool, as_json: bool) -> int:
    """Show what a roster would change, and change it."""
    from autograder.gradebook import open_gradebook
    from autograder.report.roster import print_changes
    from autograder.roster import read

    people = read(file)
    with open_gradebook(Path.cwd()) as book:
        found = book.compare_roster(people, add_only=add_only)
        if as_json:
            click.echo(json.dumps([change._asdict() for change in found], ensure_ascii=False, indent=2))
        else:
            print_changes(found, sum(not one.left for one in book.students()))
        if not found or dry_run:
            return 0
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise UsageError(text("roster.not_applied"), hint=text("roster.not_applied_hint"))
            click.confirm(text("roster.apply"), abort=True)
        book.apply_roster(people, add_only=add_only)
    if not as_json:
        click.echo(text("roster.applied", count=len(found)))
    return 0


@roster.command("list", cls=GradeCommand, help=text("cli.roster.list.help"), short_help=text("cli.roster.list.help"))
@_section
@json_option
@lang_option
def list_students(*, section: str | None, as_json: bool) -> int:
    """Show the students."""
    from autograder.gradebook import open_gradebook
    from autograder.report.roster import print_students

    with open_gradebook(Path.cwd()) as book:
        students = book.students(section)
    if as_json:
        click.echo(json.dumps([student._asdict() for student in students], ensure_ascii=False, indent=2))
    else:
        print_students(students)
    return 0
