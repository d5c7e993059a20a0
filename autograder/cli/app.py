"""The click group `grade`. Commands are imported when they are used: `grade --help` needs none of them."""

from __future__ import annotations

import difflib
import importlib

import click

from autograder import __version__
from autograder.cli.command import GradeCommand
from autograder.cli.options import lang_option
from autograder.errors import UsageError
from autograder.messages import text

# Command → module that defines it as a click command, by the same name or that in _FUNCTIONS.
_COMMANDS = {
    "list": "autograder.cli.student",
    "start": "autograder.cli.student",
    "check": "autograder.cli.student",
    "validate": "autograder.cli.author",
    "new": "autograder.cli.author",
    "release": "autograder.cli.author",
}
_FUNCTIONS = {"list": "list_"}  # where the command's name is Python's own


class LazyGroup(GradeCommand, click.Group):
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; of a wrong one, offer the nearest."""
        if args and args[0] not in _COMMANDS:
            close = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = text("hint.did_you_mean", name=close[0]) if close else text("cli.see_help")
            raise UsageError(text("cli.no_command", name=args[0]), hint=hint)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands by the catalogue's short texts, importing none."""
        with formatter.section(text("cli.commands")):
            formatter.write_dl([(name, text(f"cli.{name}.short")) for name in _COMMANDS])


@click.group(
    cls=LazyGroup,
    help=text("cli.help"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="grade", help=text("cli.version"))
@lang_option
def grade() -> None:
    """Group of all commands; its help text is the catalogue's."""
