"""How long a user waits before anything happens: `grade --help`, and `grade check hw1` all in.

python benchmarks/start.py
"""

from __future__ import annotations

import sys

from timing import GRADE, command, medians, table

ROUNDS = 9
FINISHED = "solutions/hw1_perceptron/perceptron.py"


def main() -> None:
    """Measure and print."""
    took = medians(
        {
            "python -c pass": command(sys.executable, "-c", "pass"),
            "import numpy, pytest, pydantic, rich": command(
                sys.executable, "-c", "import numpy, pytest, pydantic, rich.console"
            ),
            "grade --help": command(*GRADE, "--help"),
            "grade check hw1": command(*GRADE, "check", "hw1", FINISHED),
            "grade check hw1 --hidden": command(*GRADE, "check", "hw1", FINISHED, "--hidden"),
        },
        ROUNDS,
    )
    bare, imports = took["python -c pass"], took["import numpy, pytest, pydantic, rich"]
    rows = [(name, f"{seconds * 1e3:.0f} ms", f"{seconds / bare:.1f} × bare python, {seconds / imports:.1f} × imports")
            for name, seconds in took.items()]  # fmt: skip
    table(f"start-up, medians of {ROUNDS} runs taking turns", rows)


if __name__ == "__main__":
    main()
