"""Commands for authors of assignments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import DEVICES, json_option, lang_option, python_option
from autograder.errors import UsageError
from autograder.messages import text

if TYPE_CHECKING:
    from autograder.course import LoadedAssignment
    from autograder.judge.options import DataChoice


def _assignments(*assignments: str) -> list[LoadedAssignment]:
    from autograder.course import find_course

    course = find_course(Path.cwd())
    return [course.assignment(one) for one in (assignments or course.assignment_folders())]


@click.command("validate", cls=GradeCommand, help=text("cli.validate.help"))
@click.argument("assignment", required=False, metavar=f"[{text('cli.metavar.assignment')}]")
@click.option("--all", "every", is_flag=True, help=text("cli.validate.all"))
@click.option("--jobs", type=click.IntRange(min=1), help=text("cli.validate.jobs"))
@python_option(text("cli.check.python"))
@json_option
@lang_option
def validate(*, assignment: str | None, every: bool, jobs: int | None, python: str | None, as_json: bool) -> int:
    """Prove one assignment or all of them."""
    from autograder.report.validation import print_validation, progress_bar
    from autograder.validate import validate as run

    if bool(assignment) == every:
        raise UsageError(text("usage.all_or_one"))
    with progress_bar(enabled=not as_json) as tell:
        validation = run(_assignments(*([assignment] if assignment else [])), workers=jobs, python=python, tell=tell)
    if as_json:
        click.echo(validation.model_dump_json(indent=2))
    else:
        print_validation(validation)
    return 1 if validation.problems else 0


@click.command("release", cls=GradeCommand, help=text("cli.release.help"))
@click.argument("assignments", nargs=-1, metavar=f"[{text('cli.metavar.assignment')}]...")
@click.option("--all", "every", is_flag=True, help=text("cli.release.all"))
@click.option("--write", is_flag=True, help=text("cli.release.write"))
@click.option("--check", "compare", is_flag=True, help=text("cli.release.check"))
@click.option("--out", type=click.Path(path_type=Path), metavar="ZIP", help=text("cli.release.out"))
@click.option("--force", is_flag=True, help=text("cli.release.force"))
@lang_option
def release(
    *, assignments: tuple[str, ...], every: bool, write: bool, compare: bool, out: Path | None, force: bool
) -> int:
    """Write the stubs, say which are stale, or make the students' bundle."""
    if write + compare + (out is not None) != 1:
        raise UsageError(text("usage.write_or_check"))
    if force and out is None:
        raise UsageError(text("usage.force_without_out"))
    if (assignments and every) or (out and not assignments and not every):
        raise UsageError(text("usage.all_or_one"))
    return _release_stubs(assignments, write=write) if out is None else _release_bundle(assignments, out, force=force)


def _release_stubs(assignments: tuple[str, ...], *, write: bool) -> int:
    from autograder.release import StubState, release_stubs

    stubs = [stub for one in _assignments(*assignments) for stub in release_stubs(one, write=write)]
    for stub in stubs:
        click.echo(text(f"release.{stub.state.value}", file=f"{stub.path.parent.name}/{stub.path.name}"))
    return 1 if any(stub.state is StubState.STALE for stub in stubs) else 0


def _release_bundle(assignments: tuple[str, ...], out: Path, *, force: bool) -> int:
    from autograder.bundle import describe, make_bundle, write_bundle
    from autograder.course import find_course

    bundle = make_bundle(find_course(Path.cwd()), assignments)
    write_bundle(bundle, out, force=force)
    for line in describe(bundle, out):
        click.echo(line)
    return 0


def _framework_option(command: Callable[..., int]) -> Callable[..., int]:
    return click.option(
        "--framework", "frameworks", multiple=True, type=click.Choice(["torch", "tensorflow"]),
        help=text("cli.new.framework"),
    )(command)  # fmt: skip


@click.command("new", cls=GradeCommand, help=text("cli.new.help"))
@click.argument("assignment", metavar=text("cli.metavar.assignment"))
@click.option("--title", required=True, help=text("cli.new.title"))
@click.option("--title-zh", help=text("cli.new.title_zh"))
@_framework_option
@lang_option
def new(*, assignment: str, title: str, title_zh: str | None, frameworks: tuple[str, ...]) -> int:
    """Make the skeleton of an assignment."""
    from autograder.course import find_course
    from autograder.new import make_assignment

    course = find_course(Path.cwd())
    for path in make_assignment(course, assignment, title=title, title_zh=title_zh, frameworks=frameworks):
        click.echo(text("new.file", path=path.relative_to(course.folder)))
    click.echo(text("new.made", id=assignment))
    return 0


@click.command("calibrate", cls=GradeCommand, help=text("cli.calibrate.help"))
@click.argument("assignment", metavar=text("cli.metavar.assignment"))
@click.option("--write", is_flag=True, help=text("cli.calibrate.write"))
@click.option("--seeds", "seed_count", type=click.IntRange(1, 100), metavar="N", help=text("cli.calibrate.seeds"))
@click.option("--device", type=click.Choice(DEVICES), default="cpu", help=text("cli.calibrate.device"))
@python_option(text("cli.check.python"))
@click.option("--data", type=click.Choice(["embedded", "full"]), default="embedded", help=text("cli.check.data"))
@json_option
@lang_option
def calibrate(
    *,
    assignment: str,
    write: bool,
    seed_count: int | None,
    device: str,
    python: str | None,
    data: DataChoice,
    as_json: bool,
) -> int:
    """Measure an assignment's reference solutions."""
    from autograder.judge import calibration as measuring
    from autograder.judge.options import AttemptOptions
    from autograder.report.calibration import print_calibration
    from autograder.report.progress import progress

    [loaded] = _assignments(assignment)
    with progress(enabled=not as_json) as listener:
        seeds = tuple(range(seed_count or 0))
        options = AttemptOptions(device=device, python=python, data=data, seeds=seeds, listener=listener)
        calibration = measuring.calibrate(loaded, options)
    # Kept and written before anything is shown: a reader that goes away (`| head`) must not cost what took minutes.
    kept, written, problem = measuring.keep(calibration, loaded), None, None
    try:
        written = measuring.write_reference(calibration, loaded) if write else None
    except UsageError as error:
        problem = error
    if as_json:
        click.echo(calibration.model_dump_json(indent=2))
    else:
        print_calibration(calibration)
        if kept:
            click.echo(text("calibrate.kept"))
        if written:
            click.echo(text("calibrate.written", file=written))
    if problem is not None:
        raise problem
    return 0
