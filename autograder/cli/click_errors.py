"""What click itself says of a wrong command line, in the language in force: click has English sentences only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

import click

from autograder.errors import GradeError
from autograder.messages import text

_NEAR = 0.7  # click offers --verbose for --bogus
# Click has words, and no codes, for what is wrong. What is not known here, or a newer click words anew, stays English.
_SENTENCES = (
    (re.compile(r"Missing argument '(?P<name>.*)'\."), "cli.click.missing_argument"),
    (re.compile(r"Missing option '(?P<name>[^']*)'\..*", re.DOTALL), "cli.click.missing_option"),
    (re.compile(r"Missing command\."), "cli.click.missing_command"),
    (re.compile(r"Got unexpected extra arguments? \((?P<came>.*)\)", re.DOTALL), "cli.click.extra"),
    (re.compile(r"Option '(?P<name>[^']*)' requires an argument\."), "cli.click.no_value"),
    (re.compile(r"Option '(?P<name>[^']*)' does not take a value\."), "cli.click.takes_no_value"),
    (re.compile(r"Invalid value for '(?P<name>[^']*)': (?P<came>.*) is not one of (?P<choices>'.*')\.", re.DOTALL),
     "cli.click.not_one_of"),
    (re.compile(r"Invalid value for '(?P<name>[^']*)': (?P<came>.*) is not in the range (?P<range>.*)\."),
     "cli.click.not_in_range"),
    (re.compile(r"Invalid value for '(?P<name>[^']*)': (?P<came>.*) is not a valid integer(?: range)?\.", re.DOTALL),
     "cli.click.not_a_number"),
    (re.compile(r"Invalid value for '(?P<name>[^']*)': (?P<came>.*) is not a valid float\.", re.DOTALL),
     "cli.click.not_a_decimal"),
    (re.compile(r"Invalid value for '[^']*': \w+ '(?P<file>.*)' does not exist\.", re.DOTALL), "usage.no_file"),
)  # fmt: skip


def said(error: click.ClickException) -> str:
    """Return what a user reads of an error of click's."""
    if isinstance(error, click.NoSuchOption):
        near = difflib.get_close_matches(error.option_name, error.possibilities or (), n=1, cutoff=_NEAR)
        if near:
            return text("cli.click.no_option_but", name=error.option_name, near=near[0])
        return text("cli.click.no_option", name=error.option_name)
    message = error.format_message()
    for pattern, key in _SENTENCES:
        if match := pattern.fullmatch(message):
            return text(key, **match.groupdict())
    return message


def hint_of(error: click.ClickException) -> str | None:
    """Return how the command is used; where an assignment is missing, with those there are."""
    context = getattr(error, "ctx", None)
    if context is None:
        return None
    lines = [str(context.get_usage())]
    asked = error.param if isinstance(error, click.MissingParameter) else None
    if asked is not None and asked.metavar == text("cli.metavar.assignment"):
        lines += _assignments()
    return "\n".join(lines)


def _assignments() -> Iterator[str]:
    """Yield the assignments of the course, a line for each, or why there are none to be seen."""
    from autograder.course import find_course

    try:
        course = find_course(Path.cwd())
        titles = {one: course.assignment(one).spec.title for one in course.assignment_folders()}
    except GradeError as error:
        yield error.message
        return
    width = max(map(len, titles), default=0)
    yield text("cli.assignments")
    yield from (f"  {one:<{width}}  {title}" for one, title in titles.items())
