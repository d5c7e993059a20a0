"""`--where "score < 60 and section = A"`: which students' work is meant. A few comparisons joined by `and`; no more."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from autograder.errors import UsageError
from autograder.messages import text

FIELDS = ("score", "final", "status", "section", "late", "framework", "id")
_NUMERIC = frozenset(["score", "final", "late"])
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
_TERM = re.compile(r"^\s*(\w+)\s*(<=|>=|!=|==?|<|>)\s*(.+?)\s*$")


class Term(NamedTuple):
    """One comparison."""

    field: str
    sign: str
    value: float | str

    def holds(self, row: Mapping[str, object]) -> bool:
        """Whether it holds of a row; what is not known (no grade yet) is neither more nor less than anything."""
        known = row.get(self.field)
        if known is None:
            return False
        return _OPERATORS[self.sign](known, self.value)


def parse(said: str) -> list[Term]:
    """Read a condition.

    Raises:
        UsageError: it can't be understood.
    """
    return [_term(part) for part in re.split(r"\s+and\s+", said.strip(), flags=re.IGNORECASE)]


def _term(said: str) -> Term:
    match = _TERM.match(said)
    if match is None or match[1] not in FIELDS:
        raise UsageError(text("run.bad_where", said=said), hint=text("run.bad_where_hint", fields=", ".join(FIELDS)))
    field, sign, value = match[1], match[2].replace("==", "="), match[3].strip("'\"")
    if field not in _NUMERIC:
        if sign not in {"=", "!="}:
            raise UsageError(text("run.bad_where", said=said), hint=text("run.where_equal", field=field))
        return Term(field, sign, value)
    try:
        return Term(field, sign, float(value))
    except ValueError:
        raise UsageError(text("run.bad_where", said=said), hint=text("run.where_number", field=field)) from None
