"""Homework where students work: in their home folders on a JupyterHub, or any machine that they share.

    hub:/home/{id}/hw2
    hub:/home/jupyter-{email_user}/{assignment}        The Littlest JupyterHub
    hub:/srv/homes/{alias:hub}/hw2#any-owner           where all home folders belong to one user, as in containers

Whose it is, the path says, and the owner of the files must agree: the user's name has to be the student's number, mail
name, or alias `hub` or `login`. Otherwise the submission is doubtful, and nobody's. A folder holds what is in it now:
collect at the deadline. Times are those of the files, which their owner can set; where the file system saw a change
after the deadline and the files say otherwise, that is noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path, PurePosixPath

from autograder.collect.accounts import Accounts, user_name
from autograder.collect.found import Found, Refused
from autograder.collect.hostile_tree import NoFolderError, Tree, opened, read_tree
from autograder.collect.matching import Student
from autograder.collect.opening import Wanted
from autograder.collect.template import GAP, NoValueError, filled, no_value, require_known, values_of
from autograder.collect.unpack import unpack
from autograder.errors import UsageError
from autograder.late_policy import utc
from autograder.messages import joined, text

SCHEME = "hub:"
ANY_OWNER = "any-owner"


class HubSource:
    """Home folders of students.

    Args:
        template: of the path of each student's work.
        wanted: what is collected.
        any_owner: whether files may belong to anybody.
    """

    def __init__(self, template: str, wanted: Wanted, *, any_owner: bool) -> None:
        self.label = SCHEME + template
        self._template, self._wanted, self._any_owner = template, wanted, any_owner
        self._accounts = Accounts(wanted.students)

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield what is in each student's folder."""
        for student in self._wanted.students:
            try:
                yield self._take(student)
            except NoValueError as error:
                yield Refused(student.id, student.id, no_value(error), (student.id,), is_nothing=True)
            except UsageError as error:
                nothing = isinstance(error, NoFolderError)
                yield Refused(
                    student.id, student.id, joined(error.message, error.hint), (student.id,), is_nothing=nothing
                )

    def _take(self, student: Student) -> Found:
        trusted, parts = self._way(student)
        shown = str(Path(trusted, *parts))
        with opened(trusted, *parts) as descriptor:
            tree = read_tree(descriptor, shown)
        strangers = {} if self._any_owner else self._strangers(tree, student)
        own = next(iter(tree.owners))  # of the folder itself
        for name, owner in tree.linked.items():
            if owner in strangers or (self._any_owner and owner != own):
                raise UsageError(text("sources.hard_link", file=name, owner=user_name(owner)))
        cleaned: list[str] = []
        files = unpack(tree.files, shown, cleaned.append)
        notes = (*tree.notes(), *cleaned, *self._time_notes(tree, student))
        if not strangers:
            return Found(student.id, shown, tree.modified, files, (student.id,), notes=notes)
        owner, name = next(iter(strangers.items()))
        candidates = tuple(dict.fromkeys((student.id, *self._accounts.students(user_name(owner)))))
        doubt = text("sources.owned_by", file=name or PurePosixPath(shown).name, owner=user_name(owner))
        return Found(student.id, shown, tree.modified, files, (), doubt=doubt, candidates=candidates, notes=notes)

    def _strangers(self, tree: Tree, student: Student) -> dict[int, str]:
        """Return who else owns something in it, by the user's number, with the first such file."""
        return {
            owner: name
            for owner, name in tree.owners.items()
            if self._accounts.students(user_name(owner)) != (student.id,)
        }

    def _time_notes(self, tree: Tree, student: Student) -> tuple[str, ...]:
        deadline = self._wanted.deadlines.get(student.id)
        return changed_later(tree.modified, tree.changed, deadline, self._wanted.zone) if deadline else ()

    def _way(self, student: Student) -> tuple[Path, tuple[str, ...]]:
        """Return the folder that only the instructor can change, and the way from there to the student's work."""
        trusted, rest = _parted(self._template)
        values = values_of(student, self._wanted.assignment)
        return trusted, tuple(filled(part, values) for part in rest)


def open_hub(said: str, wanted: Wanted) -> HubSource:
    """Return the source for an address.

    Raises:
        UsageError: it is the same for everybody.
    """
    template, _, option = said.removeprefix(SCHEME).strip().partition("#")
    if option not in {"", ANY_OWNER} or not GAP.search(template) or ".." in PurePosixPath(template).parts:
        raise UsageError(text("sources.no_gap", address=said), hint=text("sources.hub_hint"))
    require_known(template, wanted.students, wanted.assignment)
    return HubSource(template, wanted, any_owner=option == ANY_OWNER)


def _parted(template: str) -> tuple[Path, list[str]]:
    parts = Path(template).expanduser().absolute().parts
    first = next(at for at, part in enumerate(parts) if GAP.search(part))
    return Path(*parts[:first]), list(parts[first:])


def changed_later(said: datetime, changed: datetime, deadline: datetime, zone: tzinfo) -> tuple[str, ...]:
    """Return a note where files say that they are in time, and the file system saw a change after the deadline."""
    if said > utc(deadline) or changed <= utc(deadline):
        return ()
    told, moment = (f"{one.astimezone(zone):%Y-%m-%d %H:%M %Z}" for one in (said, changed))
    return (text("sources.changed_later", said=told, moment=moment),)
