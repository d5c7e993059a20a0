"""What `grade doctor` found out, in a terminal: one line a thing, with what to do below it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autograder.diagnosis import Diagnosis, Finding, Health, PythonFinding
from autograder.messages import text
from autograder.report.flowing import Flowing
from autograder.report.terminal import stdout_console
from autograder.report.words import first_encodable

_BROKEN_CODE = 2  # the command that this is about, `grade check`, would end so
_STYLES = {Health.GOOD: "green", Health.OPTIONAL: "dim", Health.LACKING: "yellow", Health.BROKEN: "red"}
_SAID_STYLES = {Health.OPTIONAL: "dim"}
_LABELLED = ("box", "isolation", "disk", "course")
_IN_PROSE = frozenset(["isolation"])  # whose commands stand on lines of their own, indented
_MARKS = {Health.GOOD: "✓√+", Health.OPTIONAL: "–-", Health.LACKING: "!", Health.BROKEN: "✗×x"}


def exit_code(diagnosis: Diagnosis) -> int:
    """Return what `grade doctor` ends with: 0 unless something stops `grade check`."""
    return _BROKEN_CODE if diagnosis.is_broken else 0


def print_diagnosis(diagnosis: Diagnosis, console: Console | None = None) -> None:
    """Print what was found out.

    Args:
        diagnosis: to be printed.
        console: for tests; stdout otherwise.
    """
    made = console or stdout_console()
    if diagnosis.findings:
        _findings(diagnosis.findings, made)
    if diagnosis.pythons is not None:
        # Whole lines, however long: what is to be copied must not be wrapped.
        made.print(*_pythons(diagnosis.pythons, diagnosis.command), sep="\n", soft_wrap=True)


def _findings(findings: tuple[Finding, ...], console: Console) -> None:
    labels = [_label(finding.name) for finding in findings]
    width = max(map(cell_len, labels))
    for finding, label in zip(findings, labels, strict=True):
        line = Table.grid(padding=(0, 1))
        line.add_column(no_wrap=True)
        line.add_column(no_wrap=True, min_width=width)
        line.add_column(overflow="fold")
        mark = Text(first_encodable(_MARKS[finding.health], console.encoding or "utf-8"), style=_STYLES[finding.health])
        line.add_row(mark, Text(label, style="bold"), Text(finding.said, style=_SAID_STYLES.get(finding.health, "")))
        console.print(line)
        for hint in finding.hint.splitlines():
            if finding.name in _IN_PROSE and not hint.startswith(" "):
                console.print(Padding(Flowing(hint, style="cyan"), (0, 0, 0, width + 3)))
            else:  # whole, however long: what is to be copied must not be wrapped
                console.print(Text(" " * (width + 3) + hint, style="cyan"), soft_wrap=True)


def _label(name: str) -> str:
    """Return what a line is called; frameworks and datasets by their names."""
    return text(f"doctor.name.{name}") if name in _LABELLED else name


def _pythons(pythons: tuple[PythonFinding, ...], command: str) -> Iterator[Text]:
    shown = [one for one in pythons if not one.problem and (one.torch is not None or one.tensorflow is not None)]
    if not shown:
        yield Text(text("doctor.none_found"))
    for one in shown:
        has = {"python": one.version, "numpy": one.numpy, "torch": one.torch, "tensorflow": one.tensorflow}
        versions = ", ".join(f"{name} {version}".strip() for name, version in has.items() if version is not None)
        yield Text.assemble((one.path, "bold"), f"  {versions}")
    if len(pythons) > len(shown):
        yield Text(text("doctor.others", count=len(pythons) - len(shown)), style="dim")
    if command:
        yield Text.assemble("\n", text("doctor.use"), "\n  ", (command, "cyan"))
        if any(one.is_ours for one in shown[:1]):
            yield Text(text("doctor.ours_has_it"), style="dim")
        else:
            yield Text(text("doctor.use_always", path=shown[0].path), style="dim")
