"""What the grader itself costs on hw2: wall time of `grade check` minus framework import minus the student's training.

    python benchmarks/overhead.py

The student's file measures its own calls and prints them, so training time is that of the very run that is measured;
the cold import is measured beside it in the same round.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from timing import GRADE, ROOT, command, seconds_of, table

ROUNDS = 5
FRAMEWORKS = ("torch", "tensorflow")
TIMED = """
import time
import {module} as answer

def _timed(function):
    def run(*args, **kwargs):
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            print(f"TOOK {{time.perf_counter() - began}}")
    return run

_fit, predict = _timed(answer.fit), _timed(answer.predict)

def fit(x, y, *, seed, device):
    return _fit(x, y, seed=seed, device=device)
"""


class Round(NamedTuple):
    """One measured run, in seconds."""

    wall: float
    imports: float
    training: float

    @property
    def overhead(self) -> float:
        """What is left."""
        return self.wall - self.imports - self.training


def measure(framework: str, folder: Path) -> Round:
    """Run `grade check` once, and the cold import beside it."""
    output: list[str] = []
    check = command(*GRADE, "check", "hw2", str(folder / "mlp.py"), "--json", codes=(0, 1))
    wall = seconds_of(lambda: output.append(check()))
    imports = seconds_of(command(sys.executable, "-c", f"import {framework}"))
    bare = seconds_of(command(sys.executable, "-c", "pass"))
    tails = " ".join(one["stdout_tail"] for one in json.loads(output[0])["checks"])
    return Round(wall, imports - bare, sum(float(took) for took in re.findall(r"TOOK ([\d.e-]+)", tails)))


def main() -> None:
    """Measure and print."""
    rows = []
    for framework in FRAMEWORKS:
        with tempfile.TemporaryDirectory() as temporary:
            folder, module = Path(temporary), f"mlp_{framework}"
            shutil.copy(ROOT / "solutions" / "hw2_mlp" / f"{module}.py", folder)
            # The import line is for the grader, which looks for the framework in it.
            (folder / "mlp.py").write_text(f"import {framework}\n{TIMED.format(module=module)}", encoding="utf-8")
            rounds = [measure(framework, folder) for _ in range(ROUNDS)]
        wall, imports, training = (statistics.median(values) for values in zip(*rounds, strict=True))
        overhead = statistics.median(one.overhead for one in rounds)
        beside = f"wall {wall:.2f} s, import {imports:.2f} s, training {training:.2f} s"
        rows.append((f"grade check hw2, {framework}", f"{overhead:.2f} s overhead", beside))
    table(f"overhead, medians of {ROUNDS} rounds", rows)


if __name__ == "__main__":
    main()
