"""One remote: its newest commit and the last one before a deadline, as files in memory.

A bare repository is kept for each remote, so that the next collection fetches what is new. Fetched are as few commits
as will do, and of their files only those of the commits that are taken, where the remote can give parts (protocol 2
with `uploadpack.allowFilter`, as large hosts do). Nothing is checked out: trees are listed, blobs are read by hash.

Times: a commit's date is its author's word (`GIT_COMMITTER_DATE` sets it to anything), and git does not tell when a
commit was pushed. What can be known is what was not there yet: each collection notes the commit that it saw. A commit
that an earlier collection did not find was handed in after that collection, whatever its date says. So a collection
right after the deadline makes every later back-dating vain; without one, only dates that contradict each other show.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from hashlib import sha256
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from filelock import FileLock

from autograder.collect.found import moment_of
from autograder.collect.git_command import MOST_PACK_BYTES, Git, GitFailedError
from autograder.errors import UsageError
from autograder.messages import text
from autograder.submission import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, is_skipped, too_large
from autograder.zip_archive import decoded_name, safe_name

_SHALLOW = 64  # commits; where they don't reach back far enough, all are fetched
_ALL = (1 << 31) - 1  # git's own number for it
_TIP = "refs/heads/tip"
_MOST_COMMITS = 20_000
_LEAST_FREE_BYTES = 8 * MOST_PACK_BYTES  # the ledger needs room, too, and other remotes are fetched meanwhile
_PLAIN = {"100644", "100664", "100755"}
_LINK, _MODULE = "120000", "160000"
_LFS = b"version https://git-lfs.github.com/spec/"
_CLOCKS_DIFFER = timedelta(minutes=5)


class Commit(NamedTuple):
    """A commit on the way from the newest one back, by first parents."""

    id: str
    at: datetime
    """When its committer says it was made."""


@dataclass(frozen=True)
class Taken:
    """The files of a commit."""

    commit: str
    received: datetime
    files: dict[str, bytes]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where in a repository the work is: what its file is called, and the folders that are named for the assignment."""

    stems: frozenset[str]
    folders: frozenset[str]
    """In small letters."""

    def folder(self, names: Iterable[str]) -> str:
        """Return the folder to take, empty for all of it: as `grade check` looks for a student's file."""
        tops = [PurePosixPath(name) for name in names]
        if any(len(name.parts) == 1 and name.stem in self.stems and name.suffix in {".py", ".ipynb"} for name in tops):
            return ""
        return next(
            (name.parts[0] for name in tops if len(name.parts) > 1 and name.parts[0].lower() in self.folders), ""
        )


class GitRemote:
    """A remote and the repository kept for it.

    Args:
        git: that is run.
        address: of the remote.
        branch: empty for the remote's own.
        folder: for all such repositories.
        zone: by whose clock times are told.
    """

    def __init__(self, git: Git, address: str, branch: str, folder: Path, zone: tzinfo) -> None:
        self._git, self._address, self._branch, self._zone = git, address, branch, zone
        self._folder = folder / sha256(f"{address}\0{branch}".encode()).hexdigest()[:20]
        self._looks_file = self._folder / "looks.json"

    def take(self, place: Place, deadline: datetime | None, received: datetime | None, now: datetime) -> list[Taken]:
        """Return the files of the newest commit; where that is late, those of the last one in time come before it.

        Args:
            place: where the work is.
            deadline: of whose work it is.
            received: the last moment that counts: then what came later is not looked at. None: now.
            now: this moment.

        Raises:
            GitFailedError: git could not do it.
            UsageError: there is nothing in it, or too much.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(f"{self._folder}.lock"):  # two students may name one remote, and two may collect at a time
            try:
                self._fetch()
                return self._taken(place, deadline, received, now)
            except ValueError as error:  # whatever a repository holds that git has not looked at ends nobody else's
                raise GitFailedError(f"unexpected answer of git: {error}") from None
            finally:
                for unfinished in self._folder.glob("objects/pack/tmp_*"):
                    unfinished.unlink(missing_ok=True)

    # --- fetching

    def _run(self, *arguments: str) -> str:
        return self._git.run(self._folder, *arguments).decode(errors="surrogateescape")

    def _fetch(self) -> None:
        if shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
            raise UsageError(text("sources.git_no_room"))
        self._run("init", "--quiet", "--bare", "--template=", ".")
        self._run("config", "remote.origin.url", self._address)
        has_all = self._looks_file.exists() and not (self._folder / "shallow").exists()
        # SECURITY: always with a depth. Over HTTP without a git behind it objects come one by one, without end and as
        # anybody wrote them; where there is a depth git refuses that.
        self._fetch_commits(f"--depth={_ALL if has_all else _SHALLOW}")

    def _fetch_commits(self, how_many: str) -> None:
        source = f"refs/heads/{self._branch}" if self._branch else "HEAD"
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--refmap=", how_many)
        self._run("fetch", *options, "origin", f"+{source}:{_TIP}")

    def _fetch_files(self, wanted: Iterable[str]) -> dict[str, int]:
        """Return the sizes of files by their hashes, after they are all here."""
        sizes = self._sizes()
        if missing := sorted(set(wanted) - sizes.keys()):
            # As git itself does it when it meets a hash that a partial clone lacks, but all of them at once.
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none", "--refmap=")
            self._run("-c", "fetch.negotiationAlgorithm=noop", "fetch", *options, "origin", *missing)
            sizes = self._sizes()
        return sizes

    def _sizes(self) -> dict[str, int]:
        options = ("--batch-check=%(objectname) %(objectsize)", "--batch-all-objects", "--unordered", "--buffer")
        lines = (line.split() for line in self._run("cat-file", *options).splitlines())
        return {name: int(size) for name, size in lines}

    # --- what to take

    def _taken(self, place: Place, deadline: datetime | None, received: datetime | None, now: datetime) -> list[Taken]:
        until = min(received or now, now)
        looks = self._looks()
        times = _Times([(look.at, self._led_to(look.commit)) for look in looks], now, self._zone)
        history = self._history(_TIP)
        if self._is_cut_short(place, times, looks, min(moment for moment in (deadline, until) if moment)):
            self._fetch_commits("--unshallow")
            history = self._history(_TIP)
        self._note_look(looks, history[0], now)
        newest = next((one for one in history if times.of(one) <= until), None)
        if newest is None:
            raise UsageError(text("sources.git_nothing_yet", moment=_shown(until, self._zone)))
        made, unreadable = self._read_newest(newest, place, times)
        late = made[0].received if made else times.of(newest)
        if received is None and deadline is not None and late > deadline:
            in_time = next((one for one in history if times.of(one) <= deadline), None)
            if in_time is not None:
                made.insert(0, self._read(in_time, place, times))
        told = times.notes(history) + self._rewritten(looks, history)
        # What changed after the deadline may be another assignment's folder.
        made = [one for at, one in enumerate(made) if one.files and (at == 0 or one.files != made[0].files)]
        if not made:
            raise unreadable or UsageError(text("collect.nothing", name=text("sources.git_repository")))
        if unreadable:
            told = (text("sources.git_newest", commit=newest.id[:10], problem=unreadable.message), *told)
        return [Taken(one.commit, one.received, one.files, (*one.notes, *told)) for one in made]

    def _read_newest(self, newest: Commit, place: Place, times: _Times) -> tuple[list[Taken], UsageError | None]:
        """Return the newest commit, or what is wrong with it: that costs nobody the work handed in before."""
        try:
            return [self._read(newest, place, times)], None
        except UsageError as error:
            return [], error

    def _is_cut_short(self, place: Place, times: _Times, looks: list[_Look], moment: datetime) -> bool:
        """Whether what was fetched doesn't reach back to the work as it was then, and as it was last seen."""
        shallow = self._folder / "shallow"
        if not shallow.exists():
            return False
        cut = set(shallow.read_text().split())  # of these it is not known what they changed
        changes = [one for one in self._history(_TIP, place.folder(self._tree(_TIP))) if one.id not in cut]
        seen = all(self._has(_TIP, look.commit) for look in looks[-1:])
        return not seen or not any(times.of(one) <= moment for one in changes)

    def _read(self, commit: Commit, place: Place, times: _Times) -> Taken:
        tree = self._tree(commit.id)
        folder = place.folder(tree)
        changed = next(iter(self._history(commit.id, folder)), commit) if folder else commit
        inside = {name: entry for name, entry in tree.items() if name.startswith(f"{folder}/" if folder else "")}
        plain = {name: entry.id for name, entry in inside.items() if entry.mode in _PLAIN}
        notes = [*times.notes_of(changed), *_left_out(inside)]
        files = {name.removeprefix(f"{folder}/") if folder else name: content for name, content in self._files(plain)}
        if pointers := [name for name, content in files.items() if content.startswith(_LFS)]:
            notes.append(text("sources.git_lfs", files=_some(pointers)))
        return Taken(commit.id, times.of(changed), files, tuple(notes))

    def _tree(self, commit: str) -> dict[str, _Entry]:
        """Return what lies in a commit, by its path, without what is nobody's work."""
        said = self._git.run(self._folder, "ls-tree", "-r", "-z", "--full-tree", commit)
        found: dict[str, _Entry] = {}
        for line in said.split(b"\0"):
            about, tab, name = line.partition(b"\t")
            path = PurePosixPath(decoded_name(name))
            if tab and not is_skipped(path.parts):
                mode, _, hash_ = about.decode().split()
                found[safe_name(path, Path(text("sources.git_repository")))] = _Entry(mode, hash_)
        return found

    def _files(self, wanted: Mapping[str, str]) -> Iterable[tuple[str, bytes]]:
        if len(wanted) > MAX_FILES:
            raise too_large(text("sources.git_repository"))
        if not wanted:
            return ()
        sizes = self._fetch_files(wanted.values())
        if any(hash_ not in sizes for hash_ in wanted.values()):
            raise GitFailedError("missing blob")
        mine = [sizes[hash_] for hash_ in wanted.values()]
        if max(mine) > MAX_FILE_BYTES or sum(mine) > MAX_TOTAL_BYTES:
            raise too_large(text("sources.git_repository"))
        asked = "".join(f"{hash_}\n" for hash_ in wanted.values()).encode()
        most = sum(mine) + 200 * len(mine)  # a line before each
        said = self._git.run(self._folder, "cat-file", "--batch", "--buffer", said=asked, most_bytes=most)
        return zip(wanted, _batch(said), strict=True)

    # --- history

    def _history(self, commit: str, folder: str = "") -> list[Commit]:
        """Return the commits that led to one, the newest first; of a folder, those that changed it."""
        chosen = ("log", "--first-parent", f"--max-count={_MOST_COMMITS}", "--format=%H %ct", commit, "--")
        lines = (line.split() for line in self._run(*chosen, *([folder] if folder else [])).splitlines())
        return [Commit(hash_, moment_of(int(seconds))) for hash_, seconds in lines]

    def _led_to(self, commit: str) -> frozenset[str]:
        """Return a commit and all that it was made of, by any parent."""
        try:
            return frozenset(self._run("rev-list", f"--max-count={_MOST_COMMITS}", commit).split())
        except GitFailedError:
            return frozenset()

    def _has(self, newer: str, older: str) -> bool:
        try:
            self._run("merge-base", "--is-ancestor", older, newer)
        except GitFailedError:
            return False
        return True

    def _looks(self) -> list[_Look]:
        try:
            kept = json.loads(self._looks_file.read_text())
            return [_Look(datetime.fromisoformat(at), str(commit)) for at, commit in kept]
        except (OSError, ValueError, TypeError):
            return []

    def _note_look(self, looks: list[_Look], newest: Commit, now: datetime) -> None:
        """Note what was seen. Of several looks in a row that saw the same, the first and the last say all."""
        made = [*looks, _Look(now, newest.id)]
        kept = [
            one
            for at, one in enumerate(made)
            if not (0 < at < len(made) - 1 and made[at - 1].commit == one.commit == made[at + 1].commit)
        ]
        unfinished = self._looks_file.with_suffix(".part")
        unfinished.write_text(json.dumps([(one.at.isoformat(), one.commit) for one in kept]))
        unfinished.replace(self._looks_file)

    def _rewritten(self, looks: list[_Look], history: list[Commit]) -> tuple[str, ...]:
        if looks and not self._has(history[0].id, looks[-1].commit):
            return (text("sources.git_rewritten", moment=_shown(looks[-1].at, self._zone)),)
        return ()

    def forget(self) -> None:
        """Remove a repository that nothing was ever fetched into."""
        if not self._looks_file.exists():
            shutil.rmtree(self._folder, ignore_errors=True)


class _Entry(NamedTuple):
    mode: str
    id: str


class _Look(NamedTuple):
    """What an earlier collection saw."""

    at: datetime
    commit: str


class _Times:
    """When commits were handed in, as far as that can be known.

    Args:
        looks: of earlier collections: when, and which commits were there.
        now: this moment.
        zone: by whose clock times are told.
    """

    def __init__(self, looks: list[tuple[datetime, frozenset[str]]], now: datetime, zone: tzinfo) -> None:
        self._looks, self._now, self._zone = looks, now, zone

    def of(self, commit: Commit) -> datetime:
        """Return the commit's date; not before an earlier collection that did not find it, not after now."""
        missed: list[datetime] = []
        for at, there in self._looks:
            if commit.id in there:
                break
            missed.append(at)
        return min(max([commit.at, *missed]), self._now)

    def notes_of(self, commit: Commit) -> list[str]:
        """Return what is to be said of one commit's date."""
        known = self.of(commit)
        if known > commit.at:
            return [text("sources.git_not_there", said=_shown(commit.at, self._zone), moment=_shown(known, self._zone))]
        if commit.at - known > _CLOCKS_DIFFER:
            return [text("sources.git_future", said=_shown(commit.at, self._zone))]
        return []

    def notes(self, history: list[Commit]) -> tuple[str, ...]:
        """Return what is to be said of all of them, the newest first."""
        for newer, older in pairwise(history):
            if older.at - newer.at > _CLOCKS_DIFFER:
                return (text("sources.git_backwards", commit=newer.id[:10], said=_shown(newer.at, self._zone)),)
        return ()


def _left_out(inside: Mapping[str, _Entry]) -> list[str]:
    kinds = ((_LINK, "sources.links_left_out"), (_MODULE, "sources.git_modules"))
    named = ((key, [name for name, entry in inside.items() if entry.mode == mode]) for mode, key in kinds)
    return [text(key, files=_some(names)) for key, names in named if names]


_NAMED = 3


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")


def _batch(said: bytes) -> Iterable[bytes]:
    """Yield the contents in what `cat-file --batch` writes: a line with the size, that many bytes, a line's end."""
    at = 0
    while at < len(said):
        end = said.index(b"\n", at)
        size = int(said[at:end].rsplit(b" ", 1)[1])
        yield said[end + 1 : end + 1 + size]
        at = end + size + 2


def _shown(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"
