"""`grade data`: the datasets that homework trains on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograder.cli.command import GradeCommand, GradeGroup
from autograder.cli.options import json_option, lang_option
from autograder.errors import UsageError
from autograder.messages import text

if TYPE_CHECKING:
    from autograder.datasets import Dataset

_name = click.argument("name", metavar=text("cli.metavar.dataset"))


def _dataset(name: str) -> Dataset:
    from autograder.datasets import DATASETS

    if name not in DATASETS:
        raise UsageError(text("data.unknown", name=name), hint=text("data.known", names=", ".join(DATASETS)))
    return DATASETS[name]


@click.group("data", cls=GradeGroup, help=text("cli.data.help"))
@lang_option
def data() -> None:
    """Group of the commands about datasets."""


@data.command("list", cls=GradeCommand, help=text("cli.data.list.help"), short_help=text("cli.data.list.help"))
@json_option
@lang_option
def list_datasets(*, as_json: bool) -> int:
    """Show every dataset that is known, and where it lies."""
    from autograder.datasets import states
    from autograder.report.downloads import print_datasets

    found = states()
    if as_json:
        click.echo(json.dumps([state.model_dump() for state in found], ensure_ascii=False, indent=2))
    else:
        print_datasets(found)
    return 0


@data.command("fetch", cls=GradeCommand, help=text("cli.data.fetch.help"), short_help=text("cli.data.fetch.help"))
@_name
@click.option("--force", is_flag=True, help=text("cli.data.fetch.force"))
@lang_option
def fetch_dataset(*, name: str, force: bool) -> int:
    """Download a dataset, where it is not here already."""
    from autograder.datasets import fetch, find
    from autograder.report.downloads import downloads

    dataset = _dataset(name)
    folder = None if force else find(dataset)
    if folder is not None:
        click.echo(text("data.already_here", name=name, folder=folder))
        return 0
    with downloads() as listener:
        folder = fetch(dataset, listener)
    click.echo(text("data.ready", name=name, folder=folder))
    return 0


@data.command("import", cls=GradeCommand, help=text("cli.data.import.help"), short_help=text("cli.data.import.short"))
@_name
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar=text("cli.metavar.source"))
@lang_option
def import_dataset(*, name: str, source: Path) -> int:
    """Take a dataset from files that are here."""
    from autograder.datasets import import_files

    folder = import_files(_dataset(name), source)
    click.echo(text("data.ready", name=name, folder=folder))
    return 0


@data.command("path", cls=GradeCommand, help=text("cli.data.path.help"), short_help=text("cli.data.path.help"))
@_name
@lang_option
def dataset_path(*, name: str) -> int:
    """Print the folder that a dataset lies in."""
    from autograder.datasets import find

    folder = find(_dataset(name))
    if folder is None:
        raise UsageError(text("data.not_here", name=name), hint=text("data.fetch_hint", name=name))
    click.echo(str(folder))
    return 0
