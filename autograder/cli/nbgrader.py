"""Commands about a course that is kept with nbgrader."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from autograder.cli.command import GradeCommand, GradeGroup
from autograder.cli.instructor import ISOLATIONS
from autograder.cli.nbgrader_import import import_source
from autograder.cli.options import DEVICES, json_option, lang_option
from autograder.messages import LANGUAGES, Language, text

_assignment = click.argument("assignment_id", metavar=text("cli.metavar.assignment"))


@click.group("nbgrader", cls=GradeGroup, help=text("cli.nbgrader.help"))
@lang_option
def nbgrader() -> None:
    """Group of the commands about a course that is kept with nbgrader."""


def _command(name: str) -> Callable[[Callable[..., int]], click.Command]:
    said = {"help": text(f"cli.nbgrader.{name}.help"), "short_help": text(f"cli.nbgrader.{name}.short")}
    return nbgrader.command(name, cls=GradeCommand, **said)


@_command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar=text("cli.metavar.course_dir"))
@click.option(
    "--assignment",
    "assignments",
    multiple=True,
    metavar=text("cli.metavar.assignment"),
    help=text("cli.nbgrader.init.assignment"),
)
@click.option("--framework", metavar="NAME", help=text("cli.nbgrader.init.framework"))
@click.option("--notebook-lang", "language", type=click.Choice(LANGUAGES), help=text("cli.nbgrader.init.language"))
@click.option("--force", is_flag=True, help=text("cli.nbgrader.init.force"))
@click.option("--dry-run", is_flag=True, help=text("cli.nbgrader.init.dry_run"))
@lang_option
def init(
    *,
    folder: Path,
    assignments: tuple[str, ...],
    framework: str | None,
    language: Language | None,
    force: bool,
    dry_run: bool,
) -> int:
    """Set an nbgrader course up."""
    from autograder.course import find_course
    from autograder.messages import language as spoken
    from autograder.report.progress import waiting

    with waiting(enabled=True) as tell:
        tell(text("nbgrader.init.begins"))
        from autograder.nbgrader.setup import Wanted, describe, set_up  # takes a second: nbgrader comes with it

        wanted = Wanted(folder, assignments, framework, language or spoken(), force, dry_run)
        changes = set_up(find_course(Path.cwd()), wanted, tell)
    for line in describe(changes):
        click.echo(line)
    course = folder if folder.name else folder.absolute()  # not "."
    click.echo(text("nbgrader.init.dry_run") if dry_run else text("nbgrader.init.next", folder=course))
    return 0


@_command("autograde")
@_assignment
@click.option("--student", "students", multiple=True, metavar="STUDENT", help=text("cli.nbgrader.student"))
@click.option("--force", is_flag=True, help=text("cli.nbgrader.force"))
@click.option("--jobs", default="auto", metavar="N", callback=lambda *given: _jobs(given[2]), help=text("cli.run.jobs"))
@click.option("--device", type=click.Choice(DEVICES), help=text("cli.check.device"))
@click.option("--isolation", type=click.Choice(ISOLATIONS), help=text("cli.check.isolation"))
@json_option
@lang_option
def autograde(
    *,
    assignment_id: str,
    students: tuple[str, ...],
    force: bool,
    jobs: int | None,
    device: str | None,
    isolation: str | None,
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


@_command("push")
@_assignment
@lang_option
def push(*, assignment_id: str) -> int:
    """Write scores to nbgrader's gradebook."""
    from autograder.gradebook import open_gradebook
    from autograder.nbgrader.gradebook import collected_of, course_of, gradebook_of
    from autograder.nbgrader.sync import push

    folder = Path.cwd()
    with open_gradebook(course_of(folder)) as book, gradebook_of(folder) as gradebook:
        assignment = book.course.assignment(assignment_id)
        done = push(book, gradebook, assignment, collected_of(folder, assignment_id))
    click.echo(text("nbgrader.pushed", **done._asdict()))
    if done.whole:
        click.echo(text("nbgrader.push.whole", students=", ".join(done.whole)))
    return 0


@_command("pull")
@_assignment
@lang_option
def pull(*, assignment_id: str) -> int:
    """Take graders' decisions from nbgrader's gradebook."""
    from autograder.gradebook import open_gradebook
    from autograder.nbgrader.gradebook import course_of, gradebook_of
    from autograder.nbgrader.sync import pull

    folder = Path.cwd()
    with open_gradebook(course_of(folder)) as book, gradebook_of(folder) as gradebook:
        done = pull(book, gradebook, book.course.assignment(assignment_id))
    click.echo(text("nbgrader.pulled", decisions=done.decisions, taken_back=done.taken_back))
    if done.unknown:
        click.echo(text("nbgrader.pull.unknown", students=", ".join(done.unknown)))
    if done.ungraded:
        click.echo(text("nbgrader.pull.ungraded", students=", ".join(done.ungraded)))
    return 0


def _jobs(said: str) -> int | None:
    if said == "auto":
        return None
    if said.isdecimal() and int(said) > 0:
        return int(said)
    raise click.BadParameter(text("cli.nbgrader.bad_jobs", said=said))


nbgrader.add_command(import_source)
