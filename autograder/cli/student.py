"""Commands for students."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import json_option, lang_option
from autograder.messages import text

DEVICES = ("auto", "cpu", "cuda", "mps")
ISOLATIONS = ("auto", "namespaces", "process")


@click.command("check", cls=GradeCommand, help=text("cli.check.help"))
@click.argument("assignment", metavar=text("cli.metavar.assignment"))
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar=text("cli.metavar.file"))
@click.option("--task", "tasks", multiple=True, metavar="2.1", help=text("cli.check.task"))
@click.option("--device", type=click.Choice(DEVICES), default="auto", help=text("cli.check.device"))
@click.option("--isolation", type=click.Choice(ISOLATIONS), default="auto", help=text("cli.check.isolation"))
@click.option("--full", is_flag=True, help=text("cli.check.full"))
@click.option("--hidden", is_flag=True, help=text("cli.check.hidden"))
@click.option("--verbose", "-v", is_flag=True, help=text("cli.check.verbose"))
@json_option
@lang_option
def check(
    *,
    assignment: str,
    file: Path | None,
    tasks: tuple[str, ...],
    device: str,
    isolation: str,
    full: bool,
    hidden: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Check one submission and show the report."""
    from autograder.judge.check import check_submission
    from autograder.judge.session import AttemptOptions
    from autograder.report.progress import progress
    from autograder.report.terminal import exit_code, print_report

    with progress(enabled=not as_json) as listener:
        options = AttemptOptions(
            hidden=hidden, full=full, device=device, isolation=isolation, tasks=tasks, listener=listener
        )
        report = check_submission(assignment, file, Path.cwd(), options)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        print_report(report, verbose=verbose)
    return exit_code(report)
