"""Auto-graded homework for deep-learning courses: `grade check hw2` trains the student's model and gives points.

Two processes: the judge (trusted) runs the checks and holds what is hidden, the box (untrusted) holds the student's
code. `autograder.box` opens with how they talk, `autograder.judge` with how a check is run and scored.
"""

import importlib

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """Make `%grade` known: called by `%load_ext autograder`, which looks for it here."""
    # By its name: boxes import this package too, and all that it imports must be readable to their Pythons.
    importlib.import_module("autograder.notebook.magic").register(shell)
