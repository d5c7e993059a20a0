"""The command that sends receipts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import json_option, lang_option
from autograder.messages import text


@click.command("receipts", cls=GradeCommand, help=text("cli.receipts.help"))
@click.argument("assignment_id", metavar=text("cli.metavar.assignment"))
@click.option("--dry-run", is_flag=True, help=text("cli.receipts.dry_run"))
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), metavar=text("cli.metavar.folder"), help=text("cli.receipts.to")
)
@json_option
@lang_option
def receipts(*, assignment_id: str, dry_run: bool, folder: Path | None, as_json: bool) -> int:
    """Tell students what has come."""
    from autograder.collect.receipts import languages_of, write_all
    from autograder.collect.receipts_shown import as_document, exit_code, print_posted
    from autograder.gradebook import open_gradebook

    with open_gradebook(Path.cwd()) as book:
        if folder is not None:
            made = book.receipts(assignment_id)
            count = write_all(made, languages_of(book.course.spec.mail.language), folder)
            click.echo(text("receipt.written", folder=folder, count=count))
            return 0
        posted = book.receipts_due(assignment_id) if dry_run else book.send_receipts(assignment_id)
    if as_json:
        click.echo(json.dumps([as_document(one) for one in posted], ensure_ascii=False, indent=2))
    else:
        print_posted(posted)
    return exit_code(posted)
