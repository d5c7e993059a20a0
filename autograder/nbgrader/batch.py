"""`grade nbgrader autograde`: what `nbgrader autograde` does, on all cores and past no student's failure.

    repaired ── nbgrader sanitises ──▶ autograded/… ── judges, several at a time ──▶ report ── nbgrader autogrades

nbgrader's own converter does its part for each student, before and after the attempt: what it writes, and what stands
in its gradebook, is the same. Between the two a student's attempt runs beside others'.
"""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from autograder.course import LoadedAssignment, find_course
from autograder.errors import GradeError, UsageError
from autograder.judge.judges import Judges, Pending, open_judges
from autograder.judge.options import AttemptOptions
from autograder.ledger.people import now
from autograder.ledger.records import HandedIn
from autograder.messages import Language, speaking, text
from autograder.nbgrader.staging import RepairingExporter, hand_ins
from autograder.results import Report, Status
from autograder.run.grading import Done, Result, Tell
from autograder.run.keys import Key
from autograder.run.options import options_for
from autograder.run.planning import Work
from autograder.run.progress import running
from autograder.run.room import Room, attempts_at_once, room_for
from autograder.submission import Submission

try:
    import nbformat
    from nbgrader.api import Gradebook, MissingEntry
    from nbgrader.apps.autogradeapp import AutogradeApp
    from nbgrader.converters import Autograde
    from nbgrader.converters.base import NbGraderException
    from nbgrader.utils import rmtree, setenv
    from sqlalchemy.exc import SAWarning
    from traitlets.config import Config

    from autograder.notebook.preprocessor import REPORT, gradable
    from autograder.notebook.released import feedback_language, has_our_checks
except ModuleNotFoundError as missing:
    raise UsageError(
        text("nbgrader.not_installed", package=missing.name), hint=text("nbgrader.not_installed_hint")
    ) from None

_OURS = "autograder.notebook.preprocessor.GradeNotebook"


class Asked(NamedTuple):
    """What is to be graded, and how."""

    assignment_id: str
    students: tuple[str, ...] = ()
    """Only these; none: all."""
    force: bool = False
    """Those, too, who have been graded, and have handed in nothing since."""
    jobs: int | None = None
    """Attempts at a time; None: as many as there are cores."""
    device: str | None = None
    """None: as nbgrader's configuration says of its own command."""
    isolation: str | None = None
    """The same."""


class Graded(NamedTuple):
    """What became of a class."""

    works: list[Work]
    done: list[Done]
    repaired: tuple[str, ...]
    """Whose hand-ins, of those graded now, were repaired, and how: a line each."""


def autograde(asked: Asked, *, shown: bool) -> Graded:
    """Grade an assignment in the nbgrader course of the working directory.

    Args:
        asked: what, and how.
        shown: show how it goes.

    Raises:
        GradeError: it can't be graded here.
    """
    app = _configured(asked)
    ours = _with_our_checks(app.coursedir, asked.assignment_id)
    folder = app.config.GradeNotebook.get("course", "") or app.coursedir.root
    assignment = find_course(Path(folder)).assignment(asked.assignment_id)
    given = app.config.GradeNotebook
    device, isolation = asked.device or given.get("device", "auto"), asked.isolation or given.get("isolation", "auto")
    options = replace(options_for(assignment, device, isolation)[0], show_cells=True)
    at_once = attempts_at_once(assignment, options, asked.jobs)
    converter = Batch(coursedir=app.coursedir, parent=app, force=asked.force)
    converter.attempts = Attempts(assignment, options, at_once, room_for(assignment, options, at_once))
    converter.students, converter.shown, converter.ours = asked.students, shown, ours
    converter.language = feedback_language(app.config, app.coursedir, asked.assignment_id)
    with speaking(converter.language):
        judges = open_judges(at_once)
    try:
        with _without_sql_warnings(), judges as converter.judges:
            converter.start()
    except NbGraderException as error:
        raise UsageError(str(error), hint=text("nbgrader.batch_hint", id=assignment.id)) from None
    staged = converter.exporter.staged
    lines = staged.repaired if staged else {}
    graded = sorted(done.work.students[0] for done in converter.ended if done.ended != "known")
    return Graded(converter.works, converter.ended, tuple(lines[one] for one in graded if one in lines))


@contextmanager
def _without_sql_warnings() -> Iterator[None]:
    """Keep what SQLAlchemy warns of in nbgrader's own code to itself: six lines for each new student."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield


def _with_our_checks(coursedir: Any, assignment_id: str) -> frozenset[str]:
    """Return which of an assignment's notebooks were released with checks of ours."""
    try:
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            names = [notebook.name for notebook in gradebook.find_assignment(assignment_id).notebooks]
    except MissingEntry:  # nbgrader says so itself
        return frozenset()
    ours = frozenset(name for name in names if has_our_checks(coursedir.db_url, assignment_id, name))
    if names and not ours:
        raise UsageError(text("nbgrader.plain", id=assignment_id), hint=text("nbgrader.plain_hint", id=assignment_id))
    return ours


def _configured(asked: Asked) -> Any:
    """Return nbgrader's own program, which has read nbgrader's configuration."""
    config = Config()
    config.CourseDirectory.assignment_id = asked.assignment_id
    # What nbgrader says of each step is not for people who watch a class being graded.
    app = AutogradeApp(log_level=logging.ERROR)
    app.update_config(config)
    app.initialize([])
    app.coursedir.assignment_id = asked.assignment_id
    if _OURS not in map(str, app.config.Autograde.get("autograde_preprocessors", [])):
        raise UsageError(
            text("nbgrader.not_set_up", folder=app.coursedir.root),
            hint=text("nbgrader.not_set_up_hint", folder=app.coursedir.root),
        )
    return app


@dataclass(frozen=True)
class Attempts:
    """How attempts are made."""

    assignment: LoadedAssignment
    options: AttemptOptions
    at_once: int
    room: Room


@dataclass(eq=False)  # each is one of a kind
class Student:
    """A student's hand-in on its way through nbgrader."""

    work: Work
    source: str
    """The folder, as nbgrader knows it."""
    notebooks: list[str] = field(default_factory=list)
    """Of the released ones, those that are there."""
    waiting: deque[tuple[str, Submission]] = field(default_factory=deque)
    """Those still to be checked, by their names."""
    reports: dict[str, Report] = field(default_factory=dict)
    tried_again: bool = False

    @property
    def id(self) -> str:
        """As nbgrader knows the student."""
        return self.work.students[0]


class Batch(Autograde):  # type: ignore[misc]  # nbgrader has no types
    """nbgrader's converter, with the attempts of several students at a time between its two halves."""

    attempts: Attempts
    judges: Judges
    language: Language = "en"
    """Of the reports; progress is told in that of whoever grades."""
    students: Sequence[str] = ()
    ours: frozenset[str] = frozenset()
    """The notebooks with checks of ours."""
    shown = False

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.exporter_class = RepairingExporter
        self.works: list[Work] = []
        self.ended: list[Done] = []
        self._reports: dict[str, Report] = {}

    def convert_notebooks(self) -> None:
        """Convert what there is of all students, where nbgrader would convert one after the other."""
        waiting = deque(self._chosen())
        self.works = [student.work for student in waiting]
        with running(self.works, enabled=self.shown) as tell:
            self._run(waiting, tell)

    def _chosen(self) -> Iterator[Student]:
        found = {student: str(path) for student, path in hand_ins(self.coursedir) if str(path) in self.assignments}
        for student in self.students:
            if student not in found:
                raise UsageError(text("nbgrader.no_hand_in", student=student, id=self.coursedir.assignment_id))
        for number, (student, path) in enumerate(found.items()):
            if not self.students or student in self.students:
                names = ", ".join(Path(notebook).name for notebook in sorted(self.assignments[path]))
                yield Student(
                    Work(
                        "run", HandedIn(number, self.coursedir.assignment_id, "", names, now()), (student,), Key("", "")
                    ),
                    path,
                )

    def _run(self, waiting: deque[Student], tell: Tell) -> None:
        room, going = self.attempts.room, dict[Pending, Student]()
        try:
            while waiting or going:
                while waiting and self._has_room(len(going), tell):
                    self._begin(waiting.popleft(), going, tell)
                for pending in self.judges.wait(list(going)) if going else ():
                    student = going.pop(pending)
                    room.give_back(pending)
                    self._go_on(student, pending, going, tell)
        except BaseException:  # the same for those whose attempts still run
            for student in going.values():
                self._remove(student)
            raise

    def _has_room(self, count: int, tell: Tell) -> bool:
        if count >= self.attempts.at_once:
            return False
        why_not = self.attempts.room.why_not(count)
        if why_not:
            tell.waits(why_not)
        return not why_not

    # --- one student

    def _begin(self, student: Student, going: dict[Pending, Student], tell: Tell) -> None:
        """Have nbgrader take a hand-in in, and start its first attempt."""
        with self._at(student, tell):
            # nbgrader's own state: which notebooks it is at.
            self.notebooks = sorted(self.assignments[student.source])
            if not self.init_destination(self.coursedir.assignment_id, student.id):
                self._tell(tell, Done("known", student.work))
                return
            tell.started(student.work)
            self.run_pre_convert_hook()
            self.init_assignment(self.coursedir.assignment_id, student.id)
            student.notebooks = list(self.notebooks)
            for path in student.notebooks:
                self._convert(path, sanitizing=True)
                self._queue(student, Path(path).stem)
            self._next(student, going, tell)

    def _queue(self, student: Student, name: str) -> None:
        if name not in self.ours:
            return  # SafeExecute runs it, when nbgrader finishes
        path = Path(self._format_dest(self.coursedir.assignment_id, student.id), f"{name}.ipynb")
        try:
            submission = gradable(path, nbformat.read(path, as_version=4))
        except UsageError:  # GradeNotebook comes to the same, and says so in the notebook
            return
        student.waiting.append((name, submission))

    def _next(self, student: Student, going: dict[Pending, Student], tell: Tell) -> None:
        """Start a student's next attempt, or have nbgrader finish where there is none."""
        if not student.waiting:
            self._finish(student, tell)
            return
        _, submission = student.waiting[0]
        made = self.attempts
        with speaking(self.language):
            pending = made.room.start(self.judges, made.assignment, submission, made.options)
        going[pending] = student

    def _go_on(self, student: Student, pending: Pending, going: dict[Pending, Student], tell: Tell) -> None:
        with self._at(student, tell):
            report = _outcome(pending)
            doubtful = isinstance(report, str) or any(_is_doubtful(check) for check in report.checks)
            if doubtful and not student.tried_again:  # once more: what went wrong may have been the crowd
                student.tried_again = True
            elif isinstance(report, str):
                raise GradeError(report)
            else:
                student.reports[student.waiting.popleft()[0]] = report
            self._next(student, going, tell)

    def _finish(self, student: Student, tell: Tell) -> None:
        self.notebooks = student.notebooks
        self._reports = student.reports
        with setenv(NBGRADER_EXECUTION="autograde"):
            for path in student.notebooks:
                self._convert(str(Path(self._format_dest(self.coursedir.assignment_id, student.id), Path(path).name)))
        self.set_permissions(self.coursedir.assignment_id, student.id)
        self.run_post_convert_hook()
        self._tell(tell, self._done(student))

    def _done(self, student: Student) -> Done:
        found = list(student.reports.values())
        if not found:
            return Done("unreadable", student.work, problem=text("nbgrader.nothing_to_grade"))
        score, most = sum(one.score for one in found), sum(one.max_points for one in found)
        took = sum(one.duration_s for one in found)
        return Done("graded", student.work, Result(score, most, str(found[0].status), took))

    def _convert(self, path: str, *, sanitizing: bool = False) -> None:
        """Run one half of what nbgrader does with a notebook."""
        self._sanitizing = sanitizing
        self._init_preprocessors()
        try:
            # Not Autograde's, which does both halves one after the other.
            super(Autograde, self).convert_single_notebook(path)
        finally:
            self._sanitizing = True

    def init_single_notebook_resources(self, notebook_filename: str) -> dict[str, Any]:
        """Return what nbgrader's preprocessors are told: the report, too, where there is one."""
        resources: dict[str, Any] = super().init_single_notebook_resources(notebook_filename)
        resources["nbgrader"][REPORT] = self._reports.get(Path(notebook_filename).stem)
        return resources

    @contextmanager
    def _at(self, student: Student, tell: Tell) -> Iterator[None]:
        """Let a student's failure be that student's only: nothing is recorded of it, and what there was goes away."""
        try:
            yield
        # Broad: what a notebook makes nbgrader and its libraries raise is anybody's guess. nbgrader does the same.
        except Exception as error:  # noqa: BLE001
            self._remove(student)
            problem = error.message if isinstance(error, GradeError) else f"{type(error).__name__}: {error}"
            self._tell(tell, Done("internal", student.work, problem=problem))
        except BaseException:  # interrupted: what is half done is not there
            self._remove(student)
            raise

    def _remove(self, student: Student) -> None:
        folder = self._format_dest(self.coursedir.assignment_id, student.id)
        if Path(folder).exists():
            rmtree(folder)

    def _tell(self, tell: Tell, done: Done) -> None:
        self.ended.append(done)
        tell.done(done)


def _outcome(pending: Pending) -> Report | str:
    """Return the report of an attempt, or why there is none."""
    try:
        return pending.result()
    except GradeError as error:
        return error.message
    except OSError as error:
        return str(error)


def _is_doubtful(check: Any) -> bool:
    return check.status is Status.INTERNAL or bool(check.killed)
