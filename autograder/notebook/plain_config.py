"""The lines of nbgrader_config.py by which notebooks are graded in boxes."""

from __future__ import annotations

from autograder.limits import Limits

OURS = "autograder.notebook.preprocessor.GradeNotebook"
_PLAIN = (
    "autograder.notebook.safe_execute.SafeExecute",  # in the place of Execute; the others are nbgrader's own, in order
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
)


def plain_config_lines(limits: Limits, total_s: int) -> list[str]:
    """Return what belongs into nbgrader_config.py for notebooks with their tests in cells.

    It counts for `nbgrader autograde` and formgrader's button; kernels of JupyterLab, and those of other commands, stay
    what they are.

    Args:
        limits: the course's, of one box.
        total_s: seconds for a whole notebook.
    """
    return [*_steps(*_PLAIN), *_limits(limits, total_s)]


def config_lines(limits: Limits, total_s: int) -> list[str]:
    """Return what belongs there for both kinds: notebooks with check cells of ours, and with their tests in cells.

    Args:
        limits: the course's, of one box.
        total_s: seconds for a whole notebook of the second kind.
    """
    return [*_steps(OURS, *_PLAIN), *_limits(limits, total_s)]


def _steps(*names: str) -> list[str]:
    return ["c.Autograde.autograde_preprocessors = [", *(f'    "{name}",' for name in names), "]"]


def _limits(limits: Limits, total_s: int) -> list[str]:
    return [
        f"c.GradeBoxProvisioner.memory_mb = {limits.memory_mb}",
        f"c.GradeBoxProvisioner.total_s = {total_s}",
        f"c.GradeBoxProvisioner.threads = {limits.threads}",
    ]
