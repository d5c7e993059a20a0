"""The command `grade`. Every command parses, calls one function of the package, and prints what came of it."""

from __future__ import annotations

import codecs
import gc
import io
import json
import os
import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

import click

from autograder.errors import GradeError
from autograder.messages import detect_language, printable, set_language, text

INTERRUPTED = 130
INTERNAL = 3


def main() -> NoReturn:
    """Run `grade` and end the process with its exit code (DESIGN §8)."""
    arguments = sys.argv[1:]
    # To look for cycles after every 700 objects takes a tenth of a short command: imports make a hundred thousand.
    gc.set_threshold(10_000)
    # Before the commands are imported: their help texts are taken from the catalogue as they are defined.
    set_language(detect_language(arguments))
    _make_output_safe()
    _interrupt_on_sigterm()
    sys.exit(_run(arguments))


def _run(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    try:
        from autograder.cli.app import grade  # takes long enough on a slow machine to be interrupted in

        result = grade.main(args=arguments, prog_name="grade", standalone_mode=False)
    except click.ClickException as error:
        from autograder.cli.click_errors import hint_of, said

        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            print(error.format_message(), file=sys.stderr)
        else:
            _show_error(said(error), hint_of(error), error.exit_code, as_json=as_json)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _show_error(text("cli.interrupted"), None, INTERRUPTED, as_json=as_json)
        return INTERRUPTED
    except GradeError as error:
        _show_error(error.message, error.hint, error.exit_code, as_json=as_json)
        return error.exit_code
    except BrokenPipeError:  # `grade … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last edge: people get a sentence, staff the traceback on request
        problem = text("cli.internal", problem=f"{type(error).__name__}: {error}")
        _show_error(problem, text("cli.internal_hint"), INTERNAL, as_json=as_json)
        if {"--verbose", "-v"} & set(arguments):
            traceback.print_exc()
        return INTERNAL
    return result if isinstance(result, int) else 0


def _show_error(message: str, hint: str | None, code: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": {"message": message, "hint": hint, "exit_code": code}}, ensure_ascii=False))
        return
    # Names of files, in an archive that came by mail for one, can carry escape sequences.
    print(printable(message if code == INTERRUPTED else text("cli.error", message=message)), file=sys.stderr)
    for line in printable(hint or "").splitlines():
        print(f"  {line}", file=sys.stderr)


# What the catalogue's typography becomes on a console that does not have it.
_PLAIN = {"·": "-", "≤": "<=", "≥": ">=", "“": '"', "”": '"', "…": "...", "–": "-", "→": "->", "×": "x", "²": "^2"}


def _make_output_safe() -> None:
    """A GBK or ASCII console can't show every character: write those plainly rather than fail."""
    codecs.register_error("grade", _plainly)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="grade")


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(char, "?") for char in error.object[error.start : error.end]), error.end


def _interrupt_on_sigterm() -> None:
    """End by SIGTERM as by Ctrl-C: boxes are closed on the way out."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
