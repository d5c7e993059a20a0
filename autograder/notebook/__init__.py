"""Homework in notebooks: made of the same solutions as the stubs, checked by the same judge.

    from autograder.notebook import check
    check("hw2", "2.1")

is what a notebook's check cells say.
"""

from autograder.notebook.checking import check

__all__ = ["check"]
