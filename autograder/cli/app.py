"""The click group `grade`. Commands are imported when they are used: `grade --help` needs none of them."""

from __future__ import annotations

import importlib

import click

from autograder import __version__
from autograder.cli.command import GradeGroup
from autograder.cli.options import lang_option
from autograder.messages import text

# Command → module that defines it as a click command, by the same name or that in _FUNCTIONS.
_COMMANDS = {
    "list": "autograder.cli.student",
    "start": "autograder.cli.student",
    "check": "autograder.cli.student",
    "doctor": "autograder.cli.machine",
    "data": "autograder.cli.data",
    "validate": "autograder.cli.author",
    "calibrate": "autograder.cli.author",
    "new": "autograder.cli.author",
    "release": "autograder.cli.author",
    "pack": "autograder.cli.student",
    "collect": "autograder.cli.instructor",
    "assign": "autograder.cli.instructor",
    "receipts": "autograder.cli.receipts",
    "run": "autograder.cli.instructor",
    "override": "autograder.cli.instructor",
    "extend": "autograder.cli.instructor",
    "received": "autograder.cli.decisions",
    "group": "autograder.cli.decisions",
    "request": "autograder.cli.decisions",
    "status": "autograder.cli.instructor",
    "export": "autograder.cli.instructor",
    "roster": "autograder.cli.roster",
    "ledger": "autograder.cli.ledger",
    "nbgrader": "autograder.cli.nbgrader",
}
_FUNCTIONS = {"list": "list_"}  # where the command's name is Python's own


class LazyGroup(GradeGroup):
    """A group whose commands live in modules that are imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Import and return one command."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(_COMMANDS[cmd_name]), _FUNCTIONS.get(cmd_name, cmd_name))
        return command if isinstance(command, click.Command) else None

    def short_text(self, ctx: click.Context, name: str) -> str:  # noqa: ARG002 - click's
        """Return what a command does, from the catalogue: none is imported for it."""
        return text(f"cli.{name}.short")


@click.group(
    cls=LazyGroup,
    help=text("cli.help"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="grade", help=text("cli.version"))
@lang_option
def grade() -> None:
    """Group of all commands; its help text is the catalogue's."""
