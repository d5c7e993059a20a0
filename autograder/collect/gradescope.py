"""Gradescope's `submission_metadata.yml`: who handed in what, and when.

    submission_4711:
      :submitters:
      - {:name: Bob Smith, :sid: '2026017', :email: bob@example.edu}
      :created_at: 2026-12-06 23:59:00.123456000 +08:00
      …                                              scores, results and history, which are of no use here

SECURITY: read as texts, lists and mappings, from the parser's events: no tag makes an object, and no alias makes a
thousand of one. What nests deeper than Gradescope's own file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

import yaml

from autograder.errors import UsageError
from autograder.messages import text

METADATA = "submission_metadata.yml"
MOST_BYTES = 20 << 20  # the results of every check are in it, too
_MOST_DEPTH = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Person(NamedTuple):
    """One of those who handed in."""

    name: str
    sid: str
    email: str


class Handed(NamedTuple):
    """What is said of one submission."""

    submitters: tuple[Person, ...]
    received: datetime | None


def read(content: bytes) -> dict[str, Handed]:
    """Return what is said of each submission, by its folder.

    Raises:
        UsageError: it is not what Gradescope writes.
    """
    try:
        said = _plain(yaml.parse(content, Loader=_LOADER))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unreadable(type(error).__name__) from None
    if not isinstance(said, dict):
        raise _unreadable(text("archives.metadata_not_plain"))
    return {folder: _handed(about) for folder, about in said.items() if isinstance(about, dict)}


def _handed(about: dict[str, Any]) -> Handed:
    listed = about.get(":submitters")
    persons = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    submitters = tuple(Person(*(_text(one.get(f":{name}")) for name in Person._fields)) for one in persons)
    return Handed(submitters, _moment(_text(about.get(":created_at"))))


def _text(said: Any) -> str:
    return said.strip() if isinstance(said, str) and said not in {"null", "~"} else ""


def _moment(said: str) -> datetime | None:
    """Return a moment as Ruby writes it: `2026-12-06 23:59:00.123456000 +08:00`."""
    try:
        found = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$|Z$)", "", said))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _plain(events: Iterator[yaml.Event]) -> object:
    """Return a document as texts, lists and mappings."""
    root: list[Any] = []
    open_: list[tuple[Any, list[str]]] = [(root, [])]  # containers, with a mapping's key that waits for its value
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _unreadable(text("archives.metadata_not_plain"))
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            continue
        if isinstance(event, yaml.ScalarEvent):
            made: Any = event.value
        elif isinstance(event, yaml.CollectionStartEvent):
            made = {} if isinstance(event, yaml.MappingStartEvent) else []
        else:
            continue
        _put(made, *open_[-1])
        if not isinstance(made, str):
            open_.append((made, []))
        if len(open_) > _MOST_DEPTH:
            raise _unreadable(text("archives.metadata_not_plain"))
    return root[0] if root else None


def _put(made: Any, container: Any, key: list[str]) -> None:
    if isinstance(container, list):
        container.append(made)
    elif key:
        container[key.pop()] = made
    elif isinstance(made, str):
        key.append(made)
    else:
        raise _unreadable(text("archives.metadata_not_plain"))


def _unreadable(problem: str) -> UsageError:
    return UsageError(
        text("archives.bad_metadata", file=METADATA, problem=problem), hint=text("archives.bad_metadata_hint")
    )
