"""What click itself says of a wrong command line, in the language in force: click has English sentences only."""

from __future__ import annotations

import difflib
import re

import click

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
