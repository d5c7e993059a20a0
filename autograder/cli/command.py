"""The click command that all of ours are: its headings come from the catalogue; click has English words of its own."""

from __future__ import annotations

import click

from autograder.messages import text


class GradeCommand(click.Command):
    """A command whose help speaks the language in force."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        pieces = self.collect_usage_pieces(ctx)
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=f"{text('cli.usage')} ")

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what follows the command's name in the usage line."""
        self.options_metavar = f"[{text('cli.options').upper()}]"
        return super().collect_usage_pieces(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        if records:
            with formatter.section(text("cli.options")):
                formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return -h and --help."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = text("cli.help_option")
        return option
