"""A Jupyter kernel provisioner whose kernels run in boxes: the entry point `grade-box`.

For notebooks whose tests lie in their cells (nbgrader's own way). Stock nbgrader runs them as the instructor; here the
kernel sees the submission's files and nothing else of the machine, the course or other students. It runs the tests and
the student's code in one process all the same: docs/nbgrader-plain.md says what that leaves open.

    JUPYTER_DEFAULT_PROVISIONER_NAME=grade-box     for every kernel of a process
    SafeExecute (safe_execute)                     for those that nbgrader's autograde starts, and no others
"""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner
from traitlets import Int, List, Unicode

from autograder.box.kernels import Ended, Kernel, KernelSpec
from autograder.limits import Limits

NAME = "grade-box"
_DEFAULTS = Limits()


class GradeBoxProvisioner(LocalProvisioner):  # type: ignore[misc]  # jupyter_client may not be installed
    """Starts kernels in boxes."""

    isolation = Unicode(
        "auto", help="auto (bwrap, or else restricted), bwrap, restricted, or process: nothing closed."
    ).tag(config=True)
    memory_mb = Int(_DEFAULTS.memory_mb, help="Memory of all processes of a kernel together.").tag(config=True)
    total_s = Int(600, help="Seconds for a whole notebook, from the kernel's start.").tag(config=True)
    cpu_s = Int(0, help="Seconds of processor time; 0: total_s for each thread.").tag(config=True)
    file_mb = Int(_DEFAULTS.file_mb, help="The largest file that may be written.").tag(config=True)
    disk_mb = Int(0, help="All files that a kernel writes, together with the submission's; 0: as file_mb.").tag(
        config=True
    )
    files = Int(_DEFAULTS.files, help="Files and folders together; counted in restricted kernels.").tag(config=True)
    processes = Int(16, help="Processes that code may start, other programs too; none in restricted kernels.").tag(
        config=True
    )
    threads = Int(_DEFAULTS.threads, help="Threads to compute with.").tag(config=True)
    folders = List(Unicode(), help="Folders that kernels read besides Python's: another language's.").tag(config=True)
    unseen = List(
        Unicode(),
        ["*.ipynb", ".ipynb_checkpoints", "submission_secret*.txt", "gradebook.db*", "nbgrader_config.py", ".git"],
        help="Patterns of what is not copied for the kernel; notebooks hold the hidden tests.",
    ).tag(config=True)

    kernel: Kernel | None = None

    @property
    def ended_for(self) -> Ended | None:
        """What the kernel took too much of; None where it ended by itself, or runs."""
        return None if self.kernel is None else self.kernel.why_it_ended()

    def end_for(self, why: Ended) -> None:
        """End the kernel because it took too much of something."""
        if self.kernel is not None:
            self.kernel.end_for(why)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Have the kernel reached by sockets in a folder, which lead through the wall of a network namespace.

        Raises:
            KernelRefused: the folder's path is too long for that.
        """
        self.kernel = Kernel()
        manager = self.parent
        manager.transport = "ipc"
        manager.connection_file = str(self.kernel.connection_file)
        manager.ip = self.kernel.ip
        self.kernel_spec.interrupt_mode = "message"  # a signal would end bwrap, and reach no process behind it
        return dict(await super().pre_launch(**kwargs))

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> dict[str, Any]:
        """Start the kernel.

        Raises:
            KernelRefused: none can be started that is closed.
        """
        kernel = self.kernel
        assert kernel is not None  # noqa: S101 - pre_launch has made it
        submission = Path(kwargs.get("cwd") or Path.cwd())
        spec = KernelSpec(
            command=cmd,
            submission=submission,
            limits=self._limits(),
            isolation=self.isolation,
            unseen=self.unseen,
            folders=self.folders,
        )
        try:
            self.process = kernel.start(spec)
        except BaseException:
            kernel.end()
            raise
        self.pid = self.pgid = self.process.pid  # it has a session of its own
        self.cwd = submission
        return dict(self.connection_info)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - jupyter_client's signature
        """End what is left of the kernel, and remove what was made for it."""
        await super().cleanup(restart=restart)
        if self.kernel is not None:
            self.kernel.end()

    def _limits(self) -> Limits:
        return Limits(
            memory_mb=self.memory_mb,
            attempt_s=self.total_s,
            box_cpu_s=self.cpu_s,
            file_mb=self.file_mb,
            disk_mb=self.disk_mb,
            files=self.files,
            processes=self.processes,
            threads=self.threads,
        )


def register() -> None:
    """Make the provisioner known by its name where this package is not installed, but found on a path."""
    value = f"{__name__}:{GradeBoxProvisioner.__name__}"
    group = KernelProvisionerFactory.GROUP_NAME
    KernelProvisionerFactory.provisioners.setdefault(NAME, EntryPoint(NAME, value, group))
