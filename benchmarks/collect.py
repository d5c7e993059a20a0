"""What collecting a class costs: beside copying the same files, each made safe from a power cut by itself.

python benchmarks/collect.py [--students 2000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from timing import seconds_of, table

from autograder.collect.collecting import Collector
from autograder.collect.folder import FolderSource
from autograder.collect.store import Store
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.roster import Person

LINES = 60  # of a submission; hw1's solution has as many
AUTHOR = people.Author("benchmark", datetime(2026, 12, 1, tzinfo=UTC))


def make_class(folder: Path, students: int) -> Ledger:
    """Make a roster and a file for each student."""
    persons = [Person(f"2026{number:05d}", f"Student {number}") for number in range(students)]
    (folder / "in").mkdir()
    for number, person in enumerate(persons):
        content = "".join(f"weight_{line} = {number * line}\n" for line in range(LINES))
        (folder / "in" / f"{person.id}_hw1.py").write_text(content, encoding="utf-8")
    ledger = Ledger(folder / "ledger")
    with ledger.writing() as session:
        people.apply(session, persons, AUTHOR, ZoneInfo("UTC"))
    return ledger


def copy(source: Path, to: Path) -> None:
    """Copy files, each with one fsync."""
    to.mkdir()
    for path in source.iterdir():
        with path.open("rb") as original, (to / path.name).open("wb") as made:
            shutil.copyfileobj(original, made)
            made.flush()
            os.fsync(made.fileno())


def measure(folder: Path, students: int) -> dict[str, float]:
    """Return the seconds of one round."""
    with make_class(folder, students) as ledger:

        def collect() -> None:
            collector = Collector(ledger, Store(folder / "ledger" / "store"), "hw1", AUTHOR)
            collector.collect(FolderSource(folder / "in"), lambda _: None)

        return {
            "copying, one fsync each": seconds_of(lambda: copy(folder / "in", folder / "copy")),
            "grade collect": seconds_of(collect),
            "the same once more": seconds_of(collect),
        }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rounds = []
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(measure(Path(folder), asked.students))
    took = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
    plain = took["copying, one fsync each"]
    rows = [
        (name, f"{seconds:.2f} s, {seconds / asked.students * 1e3:.2f} ms each", f"{seconds / plain:.1f} × copying")
        for name, seconds in took.items()
    ]
    table(f"{asked.students} submissions of one file, medians of {asked.rounds} rounds", rows)


if __name__ == "__main__":
    main()
