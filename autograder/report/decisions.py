"""What `grade group` and `grade request` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.messages import printable, text
from autograder.report.flowing import Flowing
from autograder.report.terminal import stdout_console

if TYPE_CHECKING:
    from autograder.ledger.requests import Asked

_INDENTED = (0, 0, 0, 3)


class Formed(Protocol):
    """A group that was formed."""

    @property
    def members(self) -> list[str]:
        """The student numbers."""
        ...

    @property
    def apart(self) -> list[int]:
        """What members handed in before, and not all of them."""
        ...

    @property
    def moved(self) -> dict[str, list[str]]:
        """Who was in another group before, by its name."""
        ...


def print_formed(made: Mapping[str, Formed], console: Console | None = None) -> None:
    """Print groups that were formed, and what needs a decision about earlier submissions."""
    out = console or stdout_console()
    for name, formed in made.items():
        members = " ".join(formed.members)
        out.print(
            Text(text("group.formed", name=name, members=members) if name else text("group.alone", members=members))
        )
        for other, left in formed.moved.items():
            out.print(Text(text("group.moved", name=other, members=" ".join(left)), style="yellow"))
        if formed.apart:
            numbers = ", ".join(f"#{number}" for number in formed.apart)
            said = text("group.apart", name=name, numbers=numbers, number=formed.apart[-1], members=members)
            out.print(Text(said, style="yellow"))


def print_groups(groups: Mapping[str, Sequence[str]], assignment: str, console: Console | None = None) -> None:
    """Print who hands in together, a line for each group."""
    out = console or stdout_console()
    if not groups:
        out.print(text("group.nobody", id=assignment))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for name, members in groups.items():
        table.add_row(Text(name, style="bold"), Text(" ".join(members)))
    out.print(table)


def print_requests(found: Sequence[Asked], *, only_open: bool, console: Console | None = None) -> None:
    """Print what was asked, and what was answered."""
    out = console or stdout_console()
    if not found:
        out.print(text("request.nothing_open" if only_open else "request.nothing"))
    for one in found:
        about = one.check_id or text("ledger.log.whole")
        line = Text(f"{one.number}  ", style="bold").append(f"{one.at:%Y-%m-%d %H:%M}", style="not bold dim")
        line.append(f"  {one.assignment}  {one.student_id}  {about}", style="not bold")
        if not one.answer:
            line.append(f"  {text('request.open')}", style="not bold yellow")
        out.print(line)
        out.print(Padding(Flowing(printable(one.text)), _INDENTED))
        if one.answer:
            answer = printable(text("request.answer", who=one.answered_by, said=one.answer))
            out.print(Padding(Flowing(answer, style="green"), _INDENTED))
