"""nbgrader's step that runs notebooks, for tests that lie in their cells: in a box, and with a grade at every end.

    c.Autograde.autograde_preprocessors = ["autograder.notebook.safe_execute.SafeExecute", …]

Stock Execute loses a student's whole grade where the kernel dies or can't be interrupted, and gives nothing for a cell
that prints a warning. Here the cell in which the notebook ended earns nothing, and so do those after it; those before
it keep what they earned. What a cell's outputs are worth stays nbgrader's to say (`nbgrader.utils.determine_grade`): it
takes the first output that is an error, text on stderr, or a result, in full where that is no number. `settle` makes
these say what happened: text on stderr is text, and an error counts wherever it stands.
"""

from __future__ import annotations

from typing import Any

from nbclient.exceptions import CellTimeoutError
from nbformat.v4 import new_output
from nbgrader.preprocessors import Execute
from nbgrader.utils import is_grade, is_solution
from traitlets import Int, default

from autograder.box.kernels import KernelRefused
from autograder.errors import ConfigError
from autograder.limits import MB
from autograder.messages import detect_language, set_language, text
from autograder.notebook import provisioner
from autograder.notebook.released import GRADED, has_our_checks

_MOST_SHOWN = 40  # characters of a value


class SafeExecute(Execute):  # type: ignore[misc]  # nbgrader has no types
    """Runs a notebook's cells by a kernel in a box."""

    output_mb = Int(32, help="What a notebook may print, pictures too.").tag(config=True)

    @default("shutdown_kernel")  # type: ignore[untyped-decorator]  # traitlets's types are not read
    def _shutdown_kernel(self) -> str:
        return "immediate"  # what a submission has left to do at its end is of no use

    def create_kernel_manager(self) -> Any:
        """Return a kernel manager whose kernel runs in a box; JupyterLab's and other commands' stay as they are."""
        manager = super().create_kernel_manager()
        provisioner.register()
        spec = manager.kernel_spec
        spec.metadata = {**spec.metadata, "kernel_provisioner": {"provisioner_name": provisioner.NAME, "config": {}}}
        return manager

    def preprocess(self, nb: Any, resources: Any, km: Any = None) -> tuple[Any, Any]:
        """Run one notebook; one that has its scores already is left as it is.

        Raises:
            ConfigError: no kernel can be closed here, or the notebook's tests are not in its cells: nothing is run, and
                nbgrader records nothing.
        """
        names = resources["nbgrader"]
        if names.get(GRADED):
            return nb, resources
        set_language(detect_language([]))
        if has_our_checks(names["db_url"], names["assignment"], names["notebook"]):
            # SECURITY: a cell for hidden checks holds a comment; nbgrader gives all points where there is no error.
            raise ConfigError(text("plain.not_plain", id=names["assignment"]), hint=text("plain.not_plain_hint"))
        self._ended = False
        self._printed_bytes = 0
        try:
            nb, resources = super().preprocess(nb, resources, km)
        except KernelRefused as error:
            raise ConfigError(str(error)) from None
        for cell in nb.cells:
            settle(cell)
        return nb, resources

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:
        """Run one cell; where the notebook has ended, say so in it."""
        if cell.cell_type != "code" or not cell.source.strip():
            return cell, resources
        if self._ended:
            cell.outputs = [_error(text("plain.not_run"))]
            return cell, resources
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
        # Broad: the submission's code has the kernel's key, and so sends what it likes. Whatever that breaks here costs
        # this cell and those after it; stock Execute would give no grade at all, or end the whole batch.
        except Exception as error:
            self.log.debug("cell %d", index, exc_info=True)
            self._ended = True
            cell.outputs.append(_error(self._why_ended(error)))
            self._box().end_for("time")
        return cell, resources

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take what a cell prints, up to a limit: it is this process's memory that it fills."""
        self._printed_bytes += len(repr(msg.get("content")))
        if self._printed_bytes > self.output_mb * MB:
            self._box().end_for("output")
            return None
        return super().process_message(msg, cell, cell_index)

    def _why_ended(self, error: Exception) -> str:
        box = self._box()
        if (why := box.ended_for) is not None:
            numbers = {"total_s": box.total_s, "memory_mb": box.memory_mb, "output_mb": self.output_mb}
            return text(f"plain.ended.{why}", **numbers)
        # A cell that was interrupted for its time, and went on.
        return text("plain.ended.hangs" if isinstance(error, CellTimeoutError) else "plain.ended.died")

    def _box(self) -> provisioner.GradeBoxProvisioner:
        found = self.km.provisioner
        assert isinstance(found, provisioner.GradeBoxProvisioner)  # noqa: S101 - create_kernel_manager asked for it
        return found


def settle(cell: Any) -> None:
    """Have a test cell's outputs say what the cell earned, in the way that nbgrader reads them.

    - Text on stderr becomes text on stdout: a warning of a library is no error.
    - An error counts, wherever it stands; stock nbgrader ignores one that comes after a result.
    - A result above the cell's points is an error. Stock nbgrader would stop there, and record no grade.
    - A result without a text, which stock nbgrader stops at as well, is a picture: full points, as without a result.
    A result that is no number, or a negative one, gives full points as ever.
    """
    if cell.cell_type != "code" or not is_grade(cell) or is_solution(cell):
        return
    has_failed = any(output.output_type == "error" for output in cell.outputs)
    for output in cell.outputs:
        if output.output_type == "stream":
            output.name = "stdout"
        elif output.output_type == "execute_result" and (has_failed or not output.data.get("text/plain")):
            output.output_type = "display_data"
            del output["execution_count"]
    result = next((output for output in cell.outputs if output.output_type == "execute_result"), None)
    points = float(cell.metadata["nbgrader"]["points"])
    if result is not None and _number(said := str(result.data["text/plain"])) > points:
        cell.outputs.insert(0, _error(text("plain.over", value=said[:_MOST_SHOWN], points=f"{points:g}")))


def _number(said: str) -> float:
    """Return the number that a result is; below all others where it is none."""
    try:
        return float(said)
    except ValueError:
        return float("-inf")


def _error(line: str) -> Any:
    return new_output("error", ename="NotGraded", evalue=line, traceback=[line])
