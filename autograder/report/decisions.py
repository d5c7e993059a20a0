"""What `grade group` and `grade request` print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
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


class Extended(Protocol):
    """A student whose deadlines are others by now."""

    @property
    def student(self) -> str:
        """The student number."""
        ...

    @property
    def deadlines(self) -> dict[str, datetime]:
        """By assignment."""
        ...


class TakenBack(Extended, Protocol):
    """A student who was given more time, and has it no longer."""

    @property
    def taken(self) -> list[str]:
        """What was taken back, in words."""
        ...

    @property
    def stays(self) -> list[str]:
        """What else was given, in words."""
        ...

    @property
    def was_rosters(self) -> bool:
        """Whether the roster had given it."""
        ...


def print_extended(made: Extended, asked: datetime | None = None, console: Console | None = None) -> None:
    """Print until when a student may hand in now.

    Args:
        made: what became of the student's time.
        asked: until when it was to be.
        console: for tests; stdout otherwise.
    """
    out = console or stdout_console()
    for name, deadline in made.deadlines.items():
        said = f"{deadline:%Y-%m-%d %H:%M %Z}"
        out.print(Text(text("extend.done", student=made.student, assignment=name, deadline=said)), soft_wrap=True)
        if asked is not None and deadline > asked:
            out.print(Text(text("extend.longer", student=made.student), style="yellow"), soft_wrap=True)


def print_taken_back(made: TakenBack, console: Console | None = None) -> None:
    """Print what was taken back, until when it is now, and why that may not be the deadline of all."""
    out = console or stdout_console()
    out.print(Text(text("extend.taken_back", taken="; ".join(made.taken))), soft_wrap=True)
    print_extended(made, console=out)
    if made.stays:
        out.print(Text(text("extend.stays", stays="; ".join(made.stays)), style="yellow"), soft_wrap=True)
    if made.was_rosters:
        out.print(Text(text("extend.was_rosters"), style="yellow"), soft_wrap=True)


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
        for said in one.earlier:
            out.print(Padding(Flowing(printable(text("request.earlier", said=said)), style="dim"), _INDENTED))
        if one.answer:
            answer = printable(text("request.answer", who=one.answered_by, said=one.answer))
            out.print(Padding(Flowing(answer, style="green"), _INDENTED))
