"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from autograder.messages import LANGUAGES, text

DEVICES = ("auto", "cpu", "cuda", "mps")

Command = TypeVar("Command", bound=Callable[..., Any])


def lang_option(command: Command) -> Command:
    """Add `--lang`. Its value is read before click runs (messages.detect_language); here it is only allowed."""
    return click.option("--lang", type=click.Choice(LANGUAGES), expose_value=False, help=text("cli.option.lang"))(
        command
    )


def python_option(said: str) -> Callable[[Command], Command]:
    """Add `--python`, with its help text: which Python the boxes run with."""
    return click.option("--python", metavar="PATH", envvar="GRADE_PYTHON", help=said)


def json_option(command: Command) -> Command:
    """Add `--json`: one JSON document on stdout and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help=text("cli.option.json"))(command)
