"""`grade ledger`: is it whole, a copy of it, and everything about one student."""

from __future__ import annotations

import json
from pathlib import Path

import click

from autograder.cli.command import GradeCommand, GradeGroup
from autograder.cli.options import json_option, lang_option
from autograder.messages import text


@click.group("ledger", cls=GradeGroup, help=text("cli.ledger.help"))
@lang_option
def ledger() -> None:
    """Group of the commands about the ledger."""


@ledger.command("check", cls=GradeCommand, help=text("cli.ledger.check.help"), short_help=text("cli.ledger.check.help"))
@lang_option
def check_ledger() -> int:
    """Look whether the ledger is whole."""
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book:
        problems = book.problems()
    for problem in problems:
        click.echo(problem)
    click.echo(text("ledger.broken", count=len(problems)) if problems else text("ledger.whole"))
    return 1 if problems else 0


@ledger.command(
    "backup", cls=GradeCommand, help=text("cli.ledger.backup.help"), short_help=text("cli.ledger.backup.help")
)
@click.argument("file", type=click.Path(path_type=Path), metavar=text("cli.metavar.backup_file"))
@lang_option
def backup_ledger(*, file: Path) -> int:
    """Copy the ledger."""
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book:
        book.back_up(file)
    click.echo(text("ledger.backed_up", file=file))
    return 0


@ledger.command("log", cls=GradeCommand, help=text("cli.ledger.log.help"), short_help=text("cli.ledger.log.help"))
@click.argument("student", metavar=text("cli.metavar.student"))
@json_option
@lang_option
def log_of_student(*, student: str, as_json: bool) -> int:
    """Show everything about one student, in the order that it happened."""
    from autograder.gradebook import open_gradebook
    from autograder.report.roster import print_log

    with open_gradebook(Path.cwd()) as book:
        log = book.log(student)
    if as_json:
        click.echo(json.dumps([entry.as_json() for entry in log], ensure_ascii=False, indent=2))
    else:
        print_log(log)
    return 0
