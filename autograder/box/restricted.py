"""The `restricted` backend, the judge's side: boxes without namespaces, each with a scratch folder on the disk.

What such a box is and goes through: `restrict`. What no layer of the kernel bounds for it, its disk and, without a
control group, its memory, is looked at from here.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import psutil

from autograder.box import leftovers, sealed
from autograder.box.answerer import Answerer
from autograder.box.backends import RESTRICTED, Evidence
from autograder.box.init import Room
from autograder.box.linux import cgroup, namespaces
from autograder.box.scratch import DATASETS, held_in, make_scratch, put_datasets, room_of
from autograder.box.seal import Layer, SealRequest
from autograder.box.spec import BoxSpec
from autograder.box.zygotes import Zygote, zygote_for

_ROOM_TASKS = 1024  # for what else the user starts while the box runs


def start(spec: BoxSpec, without: tuple[Layer, ...] = ()) -> RestrictedBox:
    """Start a restricted box and return at once.

    Args:
        spec: what it is for.
        without: layers to leave out; for the tests that show what each is good for.
    """
    zygote = zygote_for(sealed.key_for(spec, RESTRICTED))
    request = sealed.request_for(spec.limits, without)
    group = sealed.make_group(request.memory_bytes, request.processes)
    return RestrictedBox(zygote, request, group, spec.datasets)


class RestrictedBox(sealed.SealedBox):
    """One box, from the request to its end."""

    isolation = RESTRICTED

    def __init__(
        self,
        zygote: Zygote,
        request: SealRequest,
        group: cgroup.Group | None,
        datasets: Mapping[str, Path],
    ) -> None:
        self._zygote = zygote
        self._is_watched = False
        self._full = False
        self._held: Room | None = None  # what it had when it was ended for that, files without a name with it
        with contextlib.ExitStack() as taken:
            self._user = taken.enter_context(_own_user_taken())
            self._scratch = make_scratch(zygote.folder, self._user)
            taken.callback(leftovers.remove_tree, self._scratch)
            self._answerer = Answerer()
            taken.callback(self._close_answerer)
            self._copied = copied = put_datasets(datasets, self._scratch / DATASETS)
            self._request = msgspec.structs.replace(
                request, disk_bytes=request.disk_bytes + copied.disk_bytes, files=request.files + copied.files
            )
            placed = msgspec.structs.replace(self._request, scratch=str(self._scratch), user=self._user, tasks=0)
            if self._user is None:
                placed = msgspec.structs.replace(placed, tasks=count_tasks(os.getuid()) + _ROOM_TASKS)
            super().__init__(zygote, placed, group, [self._answerer.theirs.fileno()])
            self._answerer.theirs.close()
            self._taken = taken.pop_all()

    def end(self) -> None:
        """Kill it, wait until it is gone, and remove its scratch folder."""
        super().end()
        self._taken.close()

    def evidence(self) -> Evidence:
        """Return what is known of its end."""
        return super().evidence()._replace(disk_exceeded=self._full, refused=self._answerer.take())

    def room(self) -> Room | None:
        """Return what its files take, but for the datasets that were put there."""
        if self._full:
            return self._held
        with contextlib.suppress(OSError):  # what can't be looked at is more than it may have
            return self._beside_datasets(room_of(self._scratch))
        return None

    def dataset_folder(self, name: str) -> str:
        """Return where the worker finds the files of a dataset."""
        return str(self._scratch / DATASETS / name)

    def watch_memory(self, max_bytes: int, on_excess: Callable[[], None]) -> RestrictedWatch:
        """Have `on_excess` called when it takes more memory; end it when it takes more disk; answer its calls."""
        self._is_watched = True
        return RestrictedWatch(self, self._group, max_bytes, on_excess, self._answerer)

    def memory_bytes(self) -> int:
        """Return what it has beyond what it was forked with: it is one process, and began as a copy of the zygote."""
        with contextlib.suppress(psutil.Error):
            inherited = int(psutil.Process(self._zygote.pid).memory_info().rss)
            return sum(int(member.memory_info().rss) for member in self.process.members()) - inherited
        return 0

    def end_if_full(self) -> None:
        """End it where its scratch folder, which is a part of the machine's disk, has outgrown the limit."""
        try:
            held = held_in(self._scratch, (member.pid for member in self.process.members()), self._request.files)
        except OSError:  # a folder that can't be looked into, one too deep, files only mapped: nobody knows how much
            if self._scratch.exists():
                self._end_for(None)
            return
        if held.disk_bytes > self._request.disk_bytes or held.files > self._request.files:
            self._end_for(self._beside_datasets(held))

    def _end_for(self, held: Room | None) -> None:
        if not self._full:
            self._held, self._full = held, True
        self.kill()

    def _beside_datasets(self, room: Room) -> Room:
        return Room(room.disk_bytes - self._copied.disk_bytes, room.files - self._copied.files)

    def _close_answerer(self) -> None:
        if not self._is_watched:  # else by the watch's thread
            self._answerer.close()


class RestrictedWatch(sealed.SealedMemoryWatch):
    """Looks at a box's memory and disk, five times a second, and answers its refused calls in between."""

    def __init__(
        self,
        box: RestrictedBox,
        group: cgroup.Group | None,
        max_bytes: int,
        on_excess: Callable[[], None],
        answerer: Answerer,
    ) -> None:
        self._box = box
        self._answerer = answerer
        super().__init__(box.process, group, max_bytes, on_excess)

    def stop(self) -> None:
        """End the watch; it does not outlive the box."""
        super().stop()
        self._answerer.wake()

    def _watch(self) -> None:
        try:
            super()._watch()
        finally:
            self._answerer.close()

    def _pause(self) -> bool:
        self._answerer.serve(self._EVERY_S)
        return self._stop.is_set()

    def _exceeded(self) -> bool:
        self._box.end_if_full()
        return self._group.memory_exceeded() if self._group else self._box.memory_bytes() > self._max_bytes


# --- a user id for each box -------------------------------------------------------------------------------------------

_users: set[int] = set()  # of the boxes that there are


def own_user() -> int | None:
    """Return a user id that nobody has, where the judge may give one and Python can be read by whoever has it."""
    from autograder.box.probe import no_own_user

    if os.getuid() or no_own_user() is not None:
        return None
    # By chance: another judge, of which nothing is known here, takes them, too.
    return random.choice(sorted(namespaces.unused_ids() - _users))  # noqa: S311 - no secret


@contextlib.contextmanager
def _own_user_taken() -> Iterator[int | None]:
    user = own_user()
    if user is not None:
        _users.add(user)
    try:
        yield user
    finally:
        if user is not None:
            _users.discard(user)


def count_tasks(user: int) -> int:
    """Return how many threads a user's processes have: the kernel's limit counts them all."""
    count = 0
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and process.stat().st_uid == user:
                count += process.joinpath("task").stat().st_nlink - 2
    return count
