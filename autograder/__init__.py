"""Auto-graded homework for deep-learning courses: `grade check hw2` trains the student's model and gives points.

Two processes: the judge (trusted) runs the checks and holds what is hidden, the box (untrusted) holds the student's
code. `autograder.box` opens with how they talk, `autograder.judge` with how a check is run and scored.
"""

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """Make `%grade` known: called by `%load_ext autograder`."""
    from autograder.notebook.magic import register

    register(shell)
