"""What a check holds of the student's module: proxies whose every use is a request to the box.

`submission.f` is always the student's attribute `f`. So that nothing of ours is in the way, proxies have no public
attributes of their own; what the judge wants to know of one it asks by the functions below. Dunders are local: pytest
and numpy probe `__array__`, `__eq__`, `__bool__` and the like on everything they see, and the student's code must not
be run, let alone believed, by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from autograder.box.protocol import Handle, Path
from autograder.judge import claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from autograder.box.client import BoxClient
    from autograder.judge.boxes import Boxes


_SLOTS = frozenset(["_RemoteObject__core", "_Submission__boxes", "_Submission__pinned"])


class Core:
    """What a proxy stands for. A path is resolved in whichever box a call goes to; a handle lives in one box.

    Args:
        boxes: of the attempt.
        box: the one that the object lives in.
        handle: its number there.
        path: the module's attribute it is, where it is one that can be called.
        pinned: it is that of `box`, although it has a path (`moved`).
    """

    __slots__ = ("box", "boxes", "handle", "path", "pinned")

    def __init__(self, boxes: Boxes, box: BoxClient, handle: Handle, path: str = "", *, pinned: bool = False) -> None:
        self.boxes, self.box, self.handle, self.path, self.pinned = boxes, box, handle, path, pinned

    @property
    def is_anywhere(self) -> bool:
        """Whether every box has it."""
        return bool(self.path) and not self.pinned

    @property
    def target(self) -> Handle | Path:
        """How a request names it."""
        return Path(self.path) if self.path else self.handle

    def __copy__(self) -> Core:
        raise TypeError("an object in the box can't be copied here")

    def __deepcopy__(self, memo: object) -> Core:
        raise TypeError("an object in the box can't be copied here")

    def __del__(self) -> None:
        self.box.forget(self.handle.number)


class RemoteObject:
    """An object of the student's that stays in the box: an instance, a function, a class, a module-level callable."""

    __slots__ = ("__core",)
    __core: Core

    def __init__(self, core: Core) -> None:
        object.__setattr__(self, "_RemoteObject__core", core)

    def __getattr__(self, name: str) -> Any:
        if _is_local(name):
            raise AttributeError(name)
        return self.__core.boxes.get(self.__core, name)

    def __setattr__(self, name: str, value: object) -> None:
        self.__core.boxes.set(self.__core, name, value)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        """Call it in the box."""
        return self.__core.boxes.call(self.__core, args, kwargs)

    def __repr__(self) -> str:
        core = self.__core
        return f"<{core.path or claims.plain(core.handle.type_name)} in the box>"


class Submission:
    """The student's module: in the box of the check that is running, or in the one it is tied to."""

    __slots__ = ("__boxes", "__pinned")
    __boxes: Boxes
    __pinned: BoxClient | None

    def __init__(self, boxes: Boxes, pinned: BoxClient | None = None) -> None:
        object.__setattr__(self, "_Submission__boxes", boxes)
        object.__setattr__(self, "_Submission__pinned", pinned)

    def __getattr__(self, name: str) -> Any:
        if _is_local(name):
            raise AttributeError(name)
        return self.__boxes.get_global(name, self.__pinned)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a check can't set submission.{name}: all public checks share the student's module")

    def __repr__(self) -> str:
        return "<the submission>"


def core_of(remote: RemoteObject) -> Core:
    """Return what a proxy stands for."""
    return cast("Core", object.__getattribute__(remote, "_RemoteObject__core"))


def type_name(remote: RemoteObject) -> str:
    """Return the name of the object's class, as the box tells it."""
    return claims.plain(core_of(remote).handle.type_name)


def remotes_in(value: object) -> list[Core]:
    """Return what the proxies inside a value (lists, tuples, dicts) stand for."""
    if isinstance(value, RemoteObject):
        return [core_of(value)]
    if isinstance(value, list | tuple):
        return [core for item in value for core in remotes_in(item)]
    if isinstance(value, dict):
        return [core for item in value.values() for core in remotes_in(item)]
    return []


def fresh(function: RemoteObject) -> Callable[..., Any]:
    """Return the student's function without the memo: each call really trains."""
    core = core_of(function)
    return lambda *args, **kwargs: core.boxes.call(core, args, kwargs, memo=False)


def boxed(submission: Submission, value: object) -> RemoteObject:
    """Put a value into the box and return a handle to it; `unboxed` shows what the student's code did to it."""
    boxes = cast("Boxes", object.__getattribute__(submission, "_Submission__boxes"))
    return boxes.put(value)


def unboxed(remote: RemoteObject) -> Any:
    """Return a copy of a boxed value as it is now."""
    core = core_of(remote)
    return core.boxes.take(core)


def new_folder(beside: RemoteObject) -> str:
    """Return the path of a new, empty folder in the box that holds an object: for `save(model, folder)`."""
    core = core_of(beside)
    return core.boxes.new_folder(core)


def moved(beside: RemoteObject, folder: str) -> tuple[Submission, str]:
    """Copy a folder into a fresh box, where nothing else is left of what was done before.

    Args:
        beside: the object that `new_folder` was given.
        folder: what it returned.

    Returns:
        The submission, newly imported there, and the path of the folder's copy. The box ends with the check.
    """
    core = core_of(beside)
    box, path = core.boxes.move_folder(core, folder)
    return Submission(core.boxes, box), path


def _is_local(name: str) -> bool:
    """Whether a name is never the student's: a dunder, or our own slot, which a proxy made by copy.copy lacks."""
    return (name.startswith("__") and name.endswith("__")) or name in _SLOTS
