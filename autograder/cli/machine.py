"""The command about this machine."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.command import GradeCommand
from autograder.cli.options import json_option, lang_option, python_option
from autograder.messages import text


@click.command("doctor", cls=GradeCommand, help=text("cli.doctor.help"))
@python_option(text("cli.doctor.python"))
@click.option("--find-python", is_flag=True, help=text("cli.doctor.find_python"))
@json_option
@lang_option
def doctor(*, python: str | None, find_python: bool, as_json: bool) -> int:
    """Look at this machine and say what works."""
    from autograder.doctor import diagnose, find_pythons
    from autograder.report.diagnosis import exit_code, print_diagnosis
    from autograder.report.progress import waiting

    with waiting(enabled=not as_json) as tell:
        diagnosis = find_pythons(Path.cwd(), tell) if find_python else diagnose(python, Path.cwd(), tell)
    if as_json:
        click.echo(diagnosis.model_dump_json(indent=2))
    else:
        print_diagnosis(diagnosis)
    return exit_code(diagnosis)
