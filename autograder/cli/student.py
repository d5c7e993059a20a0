"""Commands for students."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import DEVICES, json_option, lang_option, python_option
from autograder.messages import text

if TYPE_CHECKING:
    from autograder.judge.options import DataChoice

ISOLATIONS = ("auto", "namespaces", "bwrap", "restricted", "process")


@click.command("check", cls=GradeCommand, help=text("cli.check.help"))
@click.argument("assignment", metavar=text("cli.metavar.assignment"))
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar=text("cli.metavar.file"))
@click.option("--task", "tasks", multiple=True, metavar="2.1", help=text("cli.check.task"))
@click.option("--device", type=click.Choice(DEVICES), default="auto", help=text("cli.check.device"))
@python_option(text("cli.check.python"))
@click.option("--isolation", type=click.Choice(ISOLATIONS), default="auto", help=text("cli.check.isolation"))
@click.option("--full", is_flag=True, help=text("cli.check.full"))
@click.option("--data", type=click.Choice(["embedded", "full"]), default="embedded", help=text("cli.check.data"))
@click.option("--hidden", is_flag=True, help=text("cli.check.hidden"))
@click.option("--verbose", "-v", is_flag=True, help=text("cli.check.verbose"))
@click.option("--progress-lines", is_flag=True, hidden=True)
@json_option
@lang_option
def check(
    *,
    assignment: str,
    file: Path | None,
    tasks: tuple[str, ...],
    device: str,
    python: str | None,
    data: DataChoice,
    isolation: str,
    full: bool,
    hidden: bool,
    verbose: bool,
    progress_lines: bool,
    as_json: bool,
) -> int:
    """Check one submission and show the report."""
    from autograder.judge.check import check_submission
    from autograder.judge.options import AttemptOptions
    from autograder.report.progress import ProgressLines, progress
    from autograder.report.terminal import exit_code, print_report

    with progress(enabled=not as_json) as listener:
        options = AttemptOptions(
            hidden=hidden,
            full=full,
            device=device,
            isolation=isolation,
            python=python,
            data=data,
            tasks=tasks,
            listener=ProgressLines() if progress_lines else listener,
        )
        report = check_submission(assignment, file, Path.cwd(), options)
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        print_report(report, verbose=verbose)
    return exit_code(report)


@click.command("list", cls=GradeCommand, help=text("cli.list.help"))
@json_option
@lang_option
def list_(*, as_json: bool) -> int:
    """Show the assignments of the course, when they are due, and the scores so far."""
    from autograder.course import find_course
    from autograder.overview import overview
    from autograder.report.overview import print_overview

    shown = overview(find_course(Path.cwd()))
    if as_json:
        click.echo(shown.model_dump_json(indent=2))
    else:
        print_overview(shown)
    return 0


@click.command("start", cls=GradeCommand, help=text("cli.start.help"))
@click.argument("assignment", metavar=text("cli.metavar.assignment"))
@click.option("--framework", type=click.Choice(["torch", "tensorflow"]), help=text("cli.start.framework"))
@click.option("--notebook", is_flag=True, help=text("cli.start.notebook"))
@click.option("--to", type=click.Path(path_type=Path), metavar=text("cli.metavar.folder"), help=text("cli.start.to"))
@lang_option
def start(*, assignment: str, framework: str | None, notebook: bool, to: Path | None) -> int:
    """Make the folder to work in."""
    from autograder import start as starting
    from autograder.course import find_course

    cwd = Path.cwd()
    started = starting.start(find_course(cwd), assignment, framework=framework, to=to, cwd=cwd, notebook=notebook)
    for line in starting.describe(started, cwd):
        click.echo(line)
    return 0


@click.command("pack", cls=GradeCommand, help=text("cli.pack.help"))
@click.argument("assignment_id", metavar=text("cli.metavar.assignment"))
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar=text("cli.metavar.file"))
@click.option("--id", "number", required=True, metavar="ID", help=text("cli.pack.id"))
@click.option("--name", default="", metavar="NAME", help=text("cli.pack.name"))
@lang_option
def pack(*, assignment_id: str, file: Path | None, number: str, name: str) -> int:
    """Put a student's work into an archive."""
    from autograder.course import find_course
    from autograder.pack import contents, is_untouched
    from autograder.pack import pack as pack_up
    from autograder.submission import find

    assignment = find_course(Path.cwd()).assignment(assignment_id)
    submission = find(assignment, file, Path.cwd())
    written = pack_up(submission, assignment.id, number, name, Path.cwd())
    click.echo(text("pack.written", file=written.name, files=contents(submission)))
    if is_untouched(submission, assignment):
        click.echo(text("pack.untouched", command=f"grade check {assignment.id}"))
    return 0
