"""Workers as Slurm jobs, by dask-jobqueue and its own configuration: cores, memory, partition, what a job loads first.

The scheduler runs within `grade run`, for as long as that takes. Traffic is encrypted, with certificates made for this
one run, unless Dask's configuration names others.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from autograder.course import LoadedAssignment
from autograder.errors import UsageError
from autograder.messages import text
from autograder.run.executors import Asked, Notice, Setting
from autograder.run.executors.cluster import DaskExecutor, missing_package, quiet

try:
    import dask
    from dask_jobqueue import SLURMCluster
    from distributed import Client
except ModuleNotFoundError as missing:
    raise missing_package(missing) from None

_DASHBOARD = "127.0.0.1:0"  # it has no password; Dask would open it to everybody
_PROCESSES = 1  # workers in a job: their judges are processes of their own anyway


class SlurmExecutor(DaskExecutor):
    """Attempts by workers that Slurm starts; they end with the run.

    Args:
        private: a folder that the nodes see, too, and nobody else may read.
        notice: told what the instructor should know.
    """

    _patient = True  # a job waits in a queue for as long as that takes

    def __init__(self, private: Path, notice: Notice) -> None:
        self._cluster = slurm_cluster(private)
        super().__init__(Client(self._cluster, set_as_default=False), notice)

    def settle(self, assignment: LoadedAssignment, asked: Asked) -> Setting:
        """Submit jobs with room for the attempts that are asked for at a time, and settle with their workers."""
        self._cluster.scale(jobs=jobs_for(asked.jobs, assignment.limits.threads))
        return super().settle(assignment, asked)


def slurm_cluster(private: Path) -> SLURMCluster:
    """Return a cluster without jobs yet.

    Args:
        private: for the certificates' keys.

    Raises:
        UsageError: the configuration does not say how large a job is.
    """
    quiet()
    settings: dict[str, Any] = {"processes": _processes(), "scheduler_options": {"dashboard_address": _DASHBOARD}}
    # SECURITY: nodes are shared with others' jobs, and whoever reaches a scheduler's port runs code as its owner.
    settings["protocol"] = "tls://"
    if not dask.config.get("distributed.comm.tls.ca-file", None):
        settings |= {"security": True, "shared_temp_directory": str(private)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of options that were renamed: by Dask, for Dask's users
        try:
            return SLURMCluster(**settings)
        except (ValueError, OSError, RuntimeError) as error:
            raise UsageError(
                text("cluster.slurm", problem=str(error).splitlines()[0]), hint=text("cluster.slurm_hint")
            ) from None


def job_script(private: Path) -> str:
    """Return what would be submitted for each job.

    Raises:
        UsageError: the configuration does not say how large a job is.
    """
    with slurm_cluster(private) as cluster:
        return str(cluster.job_script())


def jobs_for(attempts: int | None, threads: int) -> int:
    """Return how many jobs have room for so many attempts at a time; one where nothing is said."""
    cores = int(dask.config.get("jobqueue.slurm.cores"))
    room = _processes() * max(1, cores // _processes() // threads)
    return -(-(attempts or 1) // room)


def _processes() -> int:
    return int(dask.config.get("jobqueue.slurm.processes", None) or _PROCESSES)
