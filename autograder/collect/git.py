"""Homework in git: a remote for each student.

    git:https://git.example.edu/hw/{id}.git            {id} {name} {email_user} {assignment} {alias:github}
    git:git@git.example.edu:hw/{id}.git#main           a branch; without one the remote's own
    git:/srv/git/{id}.git
    git:remotes.csv                                    columns id (学号) and remote (仓库)
    git:classroom_roster.csv git@github.com:org/{assignment}-{github}.git

The table of the last form is GitHub Classroom's roster: `identifier,github_username,github_id,name`, where the
identifier is whatever the course chose: a name, a number or a mail address
(https://docs.github.com/en/education/manage-coursework-with-github-classroom/get-started-with-github-classroom/glossary,
https://abc-classroom.readthedocs.io/en/latest/get-started/classroom-roster.html). Any other table works so, too: its
columns fill the gaps.

Of each remote the newest commit is taken, whenever it was made: the course's late policy says what late work is worth.
Where it is later than the student's own deadline, the last commit in time is taken as a submission of its own, before
it. So `counts: best` has both to choose from, `last` takes the late one, `first` and a hard stop the one in time. Where
both hold the same files of this assignment (work on another one went on in the same repository), there is one
submission, and it is in time. With `--received TIME` only the last commit up to that moment is taken.

A remote that can't be read is one line, and the rest goes on. When commits were made: see `git_remote`.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from autograder import table_file
from autograder.collect.found import Found, Refused
from autograder.collect.git_command import (
    Git,
    GitFailedError,
    GitTimeoutError,
    GitTooLargeError,
    is_allowed,
    is_local,
    without_secrets,
)
from autograder.collect.git_remote import GitRemote, Place, Taken
from autograder.collect.matching import Matcher
from autograder.collect.opening import Wanted
from autograder.collect.template import GAP, NoValueError, filled, no_value, require_known, values_of
from autograder.collect.unpack import unpack
from autograder.errors import UsageError
from autograder.late_policy import utc
from autograder.messages import joined, text

SCHEME = "git:"
_TABLE = re.compile(r"^(?P<table>.+?\.(?:csv|xlsx))(?: +(?P<template>.+))?$", re.IGNORECASE)
_AT_A_TIME = 8  # remotes; hosts refuse more connections of one user
_NO_ACCESS = (
    r"not found|does not exist|not appear to be a git repository|could not read (?:Username|Password)"
    r"|Authentication failed|Permission denied|Access denied|no such (?:file|path)|(?:error|code):? 40[134]"
)
_KNOWN_PROBLEMS = (
    (re.compile(r"dubious ownership"), "sources.git_owner"),
    (re.compile(r"couldn't find remote ref"), "sources.git_empty"),
    (re.compile(_NO_ACCESS, re.IGNORECASE), "sources.git_no_access"),
)
_NOTHING = {"sources.git_empty", "sources.git_no_access"}
_MOST_SAID = 200  # characters of what git wrote
_REMOTE_COLUMN = "{remote}"
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "studentid", "studentnumber", "identifier", "学号", "学生学号"),
    "remote": ("remote", "repository", "repo", "url", "giturl", "cloneurl", "仓库", "远程仓库", "仓库地址", "地址"),
    "github": ("githubusername", "github"),
    "name": ("name", "fullname", "姓名", "学生姓名"),
    "email": ("email", "mail", "邮箱", "电子邮箱"),
}


@dataclass(frozen=True)
class _Asked:
    """One remote, and whose it is."""

    who: str
    """As it is shown: a number, or what the table says."""
    student: str | None
    remote: str
    texts: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...] = ()


class GitSource:
    """Remotes of students.

    Args:
        label: of the source, without secrets.
        asked: the remotes, and those that are refused without being asked.
        git: that is run.
        branch: empty for each remote's own.
        wanted: what is collected.
    """

    def __init__(self, label: str, asked: list[_Asked | Refused], git: Git, branch: str, wanted: Wanted) -> None:
        self.label = label
        self._asked, self._git, self._branch, self._wanted = asked, git, branch, wanted
        self._now = datetime.now(UTC)
        self._place = place_of(wanted)
        self._shared = Counter(one.remote for one in asked if isinstance(one, _Asked))

    def __iter__(self) -> Iterator[Found | Refused]:
        """Yield what the remotes hold, in their order; a few are asked at a time."""
        threads = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="git")
        waiting: deque[Future[list[Found | Refused]]] = deque()
        try:
            for one in self._asked:
                # No further ahead: what was read stays in memory until it is taken.
                if len(waiting) == _AT_A_TIME:
                    yield from waiting.popleft().result()
                waiting.append(threads.submit(self._take, one))
            while waiting:
                yield from waiting.popleft().result()
        finally:
            if waiting:  # somebody has interrupted it
                self._git.stop()
            threads.shutdown(cancel_futures=True)

    def _take(self, one: _Asked | Refused) -> list[Found | Refused]:
        if isinstance(one, Refused):
            return [one]
        folder = self._wanted.folder / "git"
        remote = GitRemote(self._git, one.remote, self._branch, folder, self._wanted.zone)
        deadline = self._wanted.deadlines.get(one.student) if one.student else self._latest_deadline()
        at = self._wanted.received
        try:
            taken = remote.take(self._place, utc(deadline) if deadline else None, utc(at) if at else None, self._now)
            return [self._found(one, it) for it in taken]
        except GitFailedError as error:
            remote.forget()
            problem, is_nothing = _said(error)
            return [_refused(one, problem, is_nothing=is_nothing)]
        except UsageError as error:
            return [_refused(one, joined(error.message, error.hint))]

    def _found(self, one: _Asked, it: Taken) -> Found:
        shown = without_secrets(one.remote)
        key, notes, short = shown, it.notes, _short(shown)
        if self._shared[one.remote] > 1:
            key, notes = f"{shown} ({one.who})", (*notes, text("sources.git_shared"))
        cleaned: list[str] = []
        files = unpack(it.files, short, cleaned.append)
        notes = (*notes, *cleaned)
        return Found(key, f"{short} {it.commit[:10]}", it.received, files, one.texts, one.aliases, notes=notes)

    def _latest_deadline(self) -> datetime | None:
        return max(self._wanted.deadlines.values(), key=utc, default=None)


def open_git(said: str, wanted: Wanted) -> GitSource:
    """Return the source for an address.

    Raises:
        UsageError: it can't be understood, there is no git, or the table can't be read.
    """
    address, _, branch = said.removeprefix(SCHEME).strip().partition("#")
    if branch and (branch.startswith("-") or not re.fullmatch(r"[\w./-]+", branch)):
        raise UsageError(text("sources.git_branch", branch=branch))
    found = _TABLE.match(address)
    if found is None:
        template, local, hosts_told = address, _is_local(address), False
        _require_gap(template)
        require_known(template, wanted.students, wanted.assignment)
        asked = [_of_student(template, wanted, number) for number in range(len(wanted.students))]
    else:
        template = found["template"] or _REMOTE_COLUMN
        _require_gap(template)
        # SECURITY: a table's remotes may be what students wrote into a form: no path of this machine is read for them.
        local = found["template"] is not None and _is_local(template)
        hosts_told = found["template"] is None
        asked = list(_of_table(Path(found["table"]).expanduser(), template, wanted))
    made = [_checked(one, local=local) for one in asked]
    git = Git(local=local, hosts_told=hosts_told)
    return GitSource(SCHEME + without_secrets(said.removeprefix(SCHEME)), made, git, branch, wanted)


def place_of(wanted: Wanted) -> Place:
    """Return where in a repository an assignment's work is looked for."""
    assignment = wanted.course.assignment(wanted.assignment)
    stems = frozenset(Path(name).stem for name in (assignment.spec.entry.file, *assignment.stub_names))
    return Place(stems, frozenset({assignment.id.lower(), assignment.folder.name.lower()}))


def _is_local(template: str) -> bool:
    return is_local(GAP.sub("x", template))  # the colon of {alias:github} is none of an address


def _require_gap(template: str) -> None:
    if not GAP.search(template):
        raise UsageError(text("sources.no_gap", address=without_secrets(template)), hint=text("sources.git_hint"))


def _of_student(template: str, wanted: Wanted, number: int) -> _Asked | Refused:
    student = wanted.students[number]
    try:
        remote = filled(template, values_of(student, wanted.assignment))
    except NoValueError as error:
        return _refused(_Asked(student.id, student.id, template, (student.id,)), no_value(error), is_nothing=True)
    return _Asked(student.id, student.id, remote, (student.id,))


def _of_table(path: Path, template: str, wanted: Wanted) -> Iterator[_Asked | Refused]:
    rows = table_file.read(path)
    named = [cell.strip().lower() for cell in rows[0]] if rows else []
    header = [re.sub(r"[\s_]", "", cell) for cell in named]
    columns = dict(zip(named, itertools.count(), strict=False)) | {
        name: header.index(one) for name, known in _COLUMNS.items() for one in known[::-1] if one in header
    }
    needed = {"id", *({"remote"} if template == _REMOTE_COLUMN else ())} - columns.keys()
    if needed:
        raise UsageError(text("sources.git_table", file=path), hint=text("sources.git_table_hint"))
    matcher, by_id = Matcher(wanted.students), {student.id: student for student in wanted.students}
    for cells in rows[1:]:
        row = {name: cells[at].strip() for name, at in columns.items() if at < len(cells)}
        if not any(row.values()):
            continue
        aliases = tuple((source, row[source]) for source in ("github", "email") if row.get(source))
        # GitHub Classroom's identifier may be a mail address, a name or a number.
        aliases = (*aliases, ("email", row["id"])) if "@" in row.get("id", "") else aliases
        texts = (row.get("id", ""), row.get("name", ""))
        student = matcher.match("", aliases, texts).student
        # The roster's number and name go before the table's: GitHub Classroom's identifier can be anything.
        known = values_of(by_id[student], wanted.assignment) if student else {"assignment": wanted.assignment}
        values = known | {name: said for name, said in row.items() if name not in known or name == "github"}
        who = row.get("id") or row.get("name") or row.get("github", "")
        if template == _REMOTE_COLUMN:
            yield _Asked(who, student, row.get("remote", ""), texts, aliases)
            continue
        try:
            yield _Asked(who, student, filled(template, values), texts, aliases)
        except NoValueError as error:
            yield _refused(_Asked(who, student, template, texts, aliases), no_value(error), is_nothing=True)


def _checked(one: _Asked | Refused, *, local: bool) -> _Asked | Refused:
    if isinstance(one, Refused):
        return one
    if not one.remote:
        return _refused(one, text("sources.git_no_remote"), is_nothing=True)
    if not is_allowed(one.remote, local=local):
        return _refused(one, text("sources.git_not_allowed", remote=without_secrets(one.remote)))
    # A path in the working directory, where the instructor typed it, and not in that of git.
    remote = one.remote if not local or "://" in one.remote else str(Path(one.remote).expanduser().absolute())
    return _Asked(one.who, one.student, remote, one.texts, one.aliases)


def _refused(one: _Asked, problem: str, *, is_nothing: bool = False) -> Refused:
    return Refused(without_secrets(one.remote), one.who, problem, one.texts, one.aliases, is_nothing)


def _short(remote: str) -> str:
    """Return the last part of a remote, which is its name as a rule."""
    return re.split(r"[/:\\]", remote.rstrip("/"))[-1]


def _said(error: GitFailedError) -> tuple[str, bool]:
    """Return what is wrong with a remote, in words, and whether there is just nothing yet."""
    said = error.said
    if isinstance(error, GitTimeoutError):
        return text("sources.git_timeout"), False
    if isinstance(error, GitTooLargeError):
        return text("sources.git_too_large"), False
    for pattern, key in _KNOWN_PROBLEMS:
        if pattern.search(said):
            return text(key), key in _NOTHING
    # The first line has the cause; what follows it are consequences, and advice.
    lines = (line.strip() for line in said.splitlines())
    told = next((line for line in lines if line and not line.startswith(("warning:", "hint:"))), "?")
    return text("sources.git_failed", problem=without_secrets(told)[:_MOST_SAID]), False
