"""How a class's attempts are made."""

from __future__ import annotations

from autograder.box.interpreter import ours
from autograder.course import LoadedAssignment
from autograder.judge.isolation import Wanted, choose_isolation
from autograder.judge.options import AttemptOptions, private_folders


def options_for(assignment: LoadedAssignment, device: str, isolation: str) -> tuple[AttemptOptions, str]:
    """Return the options of a class's attempts, and the isolation that boxes without a GPU have.

    All seeds, hidden checks where there are any, and nothing weaker than a sealed box unless it is named.

    Raises:
        UsageError: no isolation that is strict enough works here.
    """
    wanted = Wanted(
        isolation, device, private=private_folders(assignment), processes=assignment.limits.processes, for_class=True
    )
    chosen = choose_isolation(wanted, ours()).isolation
    options = AttemptOptions(
        hidden=assignment.has_hidden, full=True, device=device, isolation=isolation, for_class=True
    )
    return options, chosen
