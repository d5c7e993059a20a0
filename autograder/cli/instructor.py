"""Commands for instructors: what was handed in, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import DEVICES, json_option, lang_option
from autograder.errors import RunInterruptedError, UsageError
from autograder.messages import text

if TYPE_CHECKING:
    from autograder.run.executors.chosen import Name
    from autograder.run.planning import Work

_EXECUTORS = ("local", "dask")  # as autograder.run.executors.chosen has them, which is imported when it is used
_assignment = click.argument("assignment_id", metavar=text("cli.metavar.assignment"))


def _moment(_: click.Context, __: click.Parameter, said: str | None) -> datetime | None:
    from autograder.roster import moment_in

    try:
        return moment_in(said) if said else None
    except ValueError:
        raise UsageError(text("collect.bad_moment", said=said)) from None


@click.command("collect", cls=GradeCommand, help=text("cli.collect.help"))
@_assignment
@click.argument("path", required=False, metavar=text("cli.metavar.collect_source"))
@click.option("--from", "address", metavar="ADDRESS", help=text("cli.collect.from"))
@click.option("--received", metavar="TIME", callback=_moment, help=text("cli.collect.received"))
@json_option
@lang_option
def collect(
    *, assignment_id: str, path: str | None, address: str | None, received: datetime | None, as_json: bool
) -> int:
    """Take what students handed in."""
    from autograder.collect.opening import is_address
    from autograder.collect.shown import as_document, collecting, print_collected, print_otherwise
    from autograder.decisions import known_otherwise
    from autograder.gradebook import open_gradebook

    source = path or address
    if source is None or (path and address):
        raise UsageError(text("collect.which_source"), hint=text("collect.which_source_hint", id=assignment_id))
    with open_gradebook(Path.cwd()) as book, collecting(enabled=not as_json) as tell:
        found = book.collect(assignment_id, source, received, tell)
        waiting = book.unclaimed(assignment_id)
        missed = [one for one in book.still_refused() if one.assignment == assignment_id]
        # Of git and mail, `--received` is a limit, and not when work came.
        otherwise = known_otherwise(book, found, received) if received and not is_address(source) else []
    if as_json:
        click.echo(json.dumps([as_document(one) for one in found], ensure_ascii=False, indent=2))
    else:
        print_collected(found, waiting, missed)
        if received and otherwise:
            print_otherwise(otherwise, received)
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
        owned, before = book.assign(number, students)
    said = text("collect.assigned", number=number, students=", ".join(owned))
    click.echo(said if owned else text("collect.set_aside", number=number))
    if taken := sorted(set(before) - set(owned)):
        click.echo(text("collect.taken_from", number=number, students=" ".join(taken)))
    return 0


ISOLATIONS = ("auto", "namespaces", "bwrap", "restricted", "process")


@click.command("run", cls=GradeCommand, help=text("cli.run.help"))
@_assignment
@click.option("--student", "students", multiple=True, metavar="STUDENT", help=text("cli.run.student"))
@click.option("--where", default="", metavar="CONDITION", help=text("cli.run.where"))
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help=text("cli.run.sample"))
@click.option("--again", is_flag=True, help=text("cli.run.again"))
@click.option("--dry-run", is_flag=True, help=text("cli.run.dry_run"))
@click.option("--jobs", type=click.IntRange(min=1), help=text("cli.run.jobs"))
@click.option("--device", type=click.Choice(DEVICES), default="auto", help=text("cli.check.device"))
@click.option("--isolation", type=click.Choice(ISOLATIONS), default="auto", help=text("cli.check.isolation"))
@click.option("--executor", type=click.Choice(_EXECUTORS), default="local", help=text("cli.run.executor"))
@click.option("--scheduler", metavar="ADDRESS", help=text("cli.run.scheduler"))
@click.option("--slurm", is_flag=True, help=text("cli.run.slurm"))
@json_option
@lang_option
def run(
    *,
    assignment_id: str,
    students: tuple[str, ...],
    where: str,
    sample: int | None,
    again: bool,
    dry_run: bool,
    jobs: int | None,
    device: str,
    isolation: str,
    executor: Name,
    scheduler: str | None,
    slurm: bool,
    as_json: bool,
) -> int:
    """Grade what was handed in."""
    from autograder.gradebook import open_gradebook
    from autograder.run.executors import Asked
    from autograder.run.executors.chosen import Where, open_executor
    from autograder.run.planning import Chosen
    from autograder.run.progress import as_document, exit_code, print_done, running

    machines = Where(executor, scheduler, slurm)
    with (
        _goes_on_later(),
        open_gradebook(Path.cwd()) as book,
        open_executor(machines, book.ledger.folder, _notice, plan_only=dry_run) as opened,
    ):
        assignment = book.course.assignment(assignment_id)
        options, chosen_isolation, versions, at_once = opened.settle(assignment, Asked(device, isolation, jobs))
        with nullcontext() if dry_run else book.grading():
            works = book.plan(assignment, Chosen(students, where, sample, again), options, chosen_isolation, versions)
            if dry_run:
                _show_plan(works, book.ledger.folder if slurm else None, as_json=as_json)
                return 0
            with running(works, enabled=not as_json) as tell:
                done = book.run(assignment, works, options, at_once, tell, executor=opened)
    if as_json:
        click.echo(json.dumps(as_document(works, done), ensure_ascii=False, indent=2))
    else:
        print_done(done)
    return exit_code(done)


@contextmanager
def _goes_on_later() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise RunInterruptedError(text("cli.interrupted"), hint=text("run.goes_on")) from None


def _notice(said: str) -> None:
    click.echo(said, err=True)


def _show_plan(works: Sequence[Work], slurm_folder: Path | None, *, as_json: bool) -> None:
    from autograder.run.progress import as_document, print_plan

    if as_json:
        click.echo(json.dumps(as_document(works), ensure_ascii=False, indent=2))
        return
    print_plan(works)
    if slurm_folder is not None:
        from autograder.run.executors.slurm import job_script

        click.echo(f"\n{job_script(slurm_folder)}")


@click.command("override", cls=GradeCommand, help=text("cli.override.help"))
@_assignment
@click.argument("student", metavar=text("cli.metavar.student"))
@click.option("--check", metavar="CHECK", help=text("cli.override.check"))
@click.option("--points", type=float, metavar="POINTS", help=text("cli.override.points"))
@click.option("--undo", is_flag=True, help=text("cli.override.undo"))
@click.option("--why", required=True, metavar="TEXT", help=text("cli.override.why"))
@lang_option
def override(*, assignment_id: str, student: str, check: str | None, points: float | None, undo: bool, why: str) -> int:
    """Decide about points by hand."""
    from autograder.decisions import override
    from autograder.gradebook import open_gradebook
    from autograder.ledger.requests import About

    if undo == (points is not None):
        raise UsageError(text("override.what"), hint=text("override.what_hint"))
    with open_gradebook(Path.cwd()) as book:
        made = override(book, About(assignment_id, student, check), points, why)
    about = made.check_id or text("ledger.log.whole")
    key = "override.undone" if undo else "override.done"
    click.echo(text(key, student=made.student_id, about=about, points=f"{points or 0:g}"))
    return 0


@click.command("extend", cls=GradeCommand, help=text("cli.extend.help"))
@click.argument("student", metavar=text("cli.metavar.student"))
@click.option(
    "--assignment", "assignment_id", metavar=text("cli.metavar.assignment"), help=text("cli.extend.assignment")
)
@click.option("--days", type=click.IntRange(min=1), help=text("cli.extend.days"))
@click.option("--until", metavar="TIME", callback=_moment, help=text("cli.extend.until"))
@click.option("--undo", is_flag=True, help=text("cli.extend.undo"))
@click.option("--why", required=True, metavar="TEXT", help=text("cli.override.why"))
@lang_option
def extend(
    *, student: str, assignment_id: str | None, days: int | None, until: datetime | None, undo: bool, why: str
) -> int:
    """Give a student more time, or take it back."""
    from autograder.decisions import extend, take_back_extension
    from autograder.gradebook import open_gradebook
    from autograder.late_policy import Extension
    from autograder.report.decisions import print_extended, print_taken_back

    if (days is not None) + (until is not None) + undo != 1:
        raise UsageError(text("extend.what"), hint=text("extend.what_hint"))
    with open_gradebook(Path.cwd()) as book:
        if undo:
            print_taken_back(take_back_extension(book, student, assignment_id, why))
        else:
            asked = book.moment(until) if until else None
            print_extended(extend(book, student, assignment_id, Extension(days or 0, until), why), asked)
    return 0


@click.command("status", cls=GradeCommand, help=text("cli.status.help"))
@json_option
@lang_option
def status(*, as_json: bool) -> int:
    """Show the course at a glance."""
    from autograder.gradebook import open_gradebook
    from autograder.report.standing import print_standing, standing_document

    with open_gradebook(Path.cwd()) as book:
        standing, missed = book.standing(), book.still_refused()
    if as_json:
        click.echo(json.dumps(standing_document(standing, missed), ensure_ascii=False, indent=2))
    else:
        print_standing(standing, missed)
    return 0


@click.command("export", cls=GradeCommand, help=text("cli.export.help"))
@_assignment
@click.option("--to", type=click.Choice(["csv", "xlsx", "json"]), help=text("cli.export.to"))
@click.option(
    "--out", type=click.Path(path_type=Path), metavar=text("cli.metavar.file_out"), help=text("cli.export.out")
)
@click.option("--anonymous", is_flag=True, help=text("cli.export.anonymous"))
@lang_option
def export(*, assignment_id: str, to: str | None, out: Path | None, anonymous: bool) -> int:
    """Write the grades of an assignment."""
    from autograder.gradebook import open_gradebook
    from autograder.report.export import kind_of, write

    kind = kind_of(to, out)
    with open_gradebook(Path.cwd()) as book:
        assignment = book.course.assignment(assignment_id)
        rows = book.export_rows(assignment, anonymous=anonymous)
    path = out or Path(f"{assignment.id}_grades.{kind}")
    write(rows, kind, path)
    click.echo(text("export.written", file=path, count=len(rows)))
    return 0
