"""What the judge tells while it works, for a progress line. The default listener is silent."""

from __future__ import annotations

from collections.abc import Callable

from autograder.limits import Needs
from autograder.results import CheckResult


class Listener:
    """Called by the judge as an attempt goes on; override what is of interest."""

    def notice(self, said: str) -> None:
        """Something that takes time was begun which the user has not asked for: say what it is."""

    def loading(self, framework: str | None) -> None:
        """The submission is being imported, and its framework with it."""

    def check_started(self, title: str, number: int, total: int) -> None:
        """A check begins: the `number`-th of `total`."""

    def calling(self, name: str, seed: int | None) -> None:
        """A function of the student's is called."""

    def trained(self, seconds: float) -> None:
        """A training has ended well, after so long."""

    def box_ends(self, needs: Callable[[], Needs]) -> None:
        """A box is about to be closed; `needs` says what it has taken, which takes a while to find out."""

    def check_finished(self, result: CheckResult) -> None:
        """A check has ended."""
