"""The click command that all of ours are: its headings come from the catalogue; click has English words of its own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click

from autograder.errors import UsageError
from autograder.messages import text
from autograder.messages.wrapping import columns, wrapped

_REQUIRED = "  [required]"
_LEAST_COLUMNS = 10  # for a description, however long the names beside it are


class GradeFormatter(click.HelpFormatter):
    """Writes help whose lines fit the terminal in Chinese too."""

    def write_heading(self, heading: str) -> None:
        """Write a heading."""
        self.write(f"{' ' * self.current_indent}{text('cli.heading', name=heading)}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        indent = " " * self.current_indent
        paragraphs = (wrapped(paragraph, self.width - self.current_indent) for paragraph in text.split("\n\n"))
        self.write("\n".join("".join(f"{indent}{line}\n" for line in lines) for lines in paragraphs))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names with their descriptions beside them; beside a long name's, below it."""
        table = list(rows)
        indent = " " * self.current_indent
        beside = min(max(columns(name) for name, _ in table), col_max) + col_spacing
        for name, said in table:
            lines = wrapped(said, max(self.width - beside - self.current_indent, _LEAST_COLUMNS))
            gap = beside - columns(name)
            head = name + " " * gap + lines.pop(0) if gap >= col_spacing else name
            self.write(
                "".join(f"{indent}{line}".rstrip() + "\n" for line in (head, *(" " * beside + one for one in lines)))
            )


class GradeContext(click.Context):
    """A context whose help is written by our formatter."""

    formatter_class = GradeFormatter


class GradeCommand(click.Command):
    """A command whose help speaks the language in force."""

    context_class = GradeContext

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        pieces = self.collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=text("cli.usage"))

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what follows the command's name in the usage line."""
        self.options_metavar = f"[{text('cli.options').upper()}]"
        return super().collect_usage_pieces(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [_translated(*record) for option in options if (record := option.get_help_record(ctx)) is not None]
        if records:
            with formatter.section(text("cli.options")):
                formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return -h and --help."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = text("cli.help_option")
        return option


def _translated(names: str, said: str) -> tuple[str, str]:
    """Return an option's line of help with our word for what click adds in English."""
    plain = said.removesuffix(_REQUIRED)
    return names, said if plain == said else f"{plain}{text('cli.required')}"


class GradeGroup(GradeCommand, click.Group):
    """A command with commands of its own."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what follows the command's name in the usage line."""
        self.subcommand_metavar = text("cli.metavar.command")
        return super().collect_usage_pieces(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was typed; of a wrong one, offer the nearest."""
        known = self.list_commands(ctx)
        if args and args[0] not in known:
            close = difflib.get_close_matches(args[0], known, n=1)
            hint = text("hint.did_you_mean", name=close[0]) if close else text("cli.see_help", command=ctx.command_path)
            raise UsageError(text("cli.no_command", name=args[0]), hint=hint)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with their short texts."""
        with formatter.section(text("cli.commands")):
            formatter.write_dl([(name, self.short_text(ctx, name)) for name in self.list_commands(ctx)])

    def short_text(self, ctx: click.Context, name: str) -> str:
        """Return what a command does, in a line."""
        command = self.get_command(ctx, name)
        return "" if command is None else command.short_help or ""
