"""Commands about a course that is kept with nbgrader."""

from __future__ import annotations

import click

from autograder.cli.command import GradeGroup
from autograder.cli.nbgrader_import import import_source
from autograder.cli.options import lang_option
from autograder.messages import text


@click.group("nbgrader", cls=GradeGroup, help=text("cli.nbgrader.help"))
@lang_option
def nbgrader() -> None:
    """Group of the commands about a course that is kept with nbgrader."""


nbgrader.add_command(import_source)
