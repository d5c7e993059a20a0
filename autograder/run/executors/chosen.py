"""Which executor is meant. Dask is imported for no other than its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from autograder.errors import UsageError
from autograder.messages import text
from autograder.run.executors import Executor, Notice
from autograder.run.executors.local import LocalExecutor

Name = Literal["local", "dask"]


class Where(NamedTuple):
    """What was said of where attempts are to be made."""

    executor: Name = "local"
    scheduler: str | None = None
    slurm: bool = False


def open_executor(where: Where, private: Path, notice: Notice, *, plan_only: bool = False) -> Executor:
    """Return the executor that is meant, connected.

    Args:
        where: what was said.
        private: a folder that nobody else may read.
        notice: told what the instructor should know.
        plan_only: nothing will be run, so no job is submitted.

    Raises:
        UsageError: it can't be had, or two of them are meant.
    """
    if where.executor == "local":
        if where.scheduler or where.slurm:
            raise UsageError(text("cluster.not_dask"), hint=text("cluster.not_dask_hint"))
        return LocalExecutor()
    if where.scheduler and where.slurm:
        raise UsageError(text("cluster.both"), hint=text("cluster.which_hint"))
    if where.slurm and plan_only:
        return LocalExecutor()
    from autograder.run.executors.cluster import DaskExecutor, configured_address, connected

    if where.slurm:
        from autograder.run.executors.slurm import SlurmExecutor

        return SlurmExecutor(private, notice)
    return DaskExecutor(connected(where.scheduler or configured_address(), notice), notice)
