"""The worker: the process that holds the student's module and answers the judge. It runs inside the box.

Started by `plain.spawn` with a clean environment, in the scratch folder, by the Python that the student's code is to
run with: 3.9 or later, so no file that runs in here may need more. It imports the standard library, numpy and the wire
codec only (tests hold it to both): the less there is in this process, the less there is to read or to break. It reports
values and exceptions, never a verdict; those are the judge's.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import platform
import sys
from collections.abc import Callable, Collection
from pathlib import Path as FilePath
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, NoReturn

import numpy as np

from autograder.box import advice, devices, frameworks, importing, mounted, plotting, stand_in, tracebacks
from autograder.box.cells import CellLimits, Cells
from autograder.box.channel import Channel, ChannelClosed, connect
from autograder.box.outline import outline_of
from autograder.box.own_limits import limit_self
from autograder.box.protocol import (
    BROKEN,
    CHANNEL_LOST,
    ArrayReader,
    Call,
    Environment,
    Get,
    Handle,
    Load,
    Loaded,
    Outline,
    Path,
    Put,
    Raised,
    ReadFolder,
    Release,
    Reply,
    Request,
    Returned,
    Set,
    Sync,
    Synced,
    Take,
    Unsendable,
    Value,
    WriteFolder,
    decode_request,
)
from autograder.box.screen import Screen
from autograder.box.values import Decoder, Encoder

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIGKILL = 9


class Worker:
    """One submission, loaded once; answers one request after the other.

    Args:
        channel: to the judge.
        folder: the scratch folder, where the submission's files go.
        is_set_up: `set_up` has been called, by whatever this process was forked from.
    """

    def __init__(self, channel: Channel, folder: FilePath, *, is_set_up: bool = False) -> None:
        self._channel = channel
        self._folder = folder
        self._is_set_up = is_set_up
        self._module: ModuleType | None = None
        self._main = folder
        self._cells: Cells | None = None
        self._objects: dict[int, object] = {}
        self._next_number = 1
        self._generation = 0
        self._device = devices.Device(devices.CPU, devices.CPU)
        self._cpu_only = devices.is_cpu_only()

    def serve(self) -> None:
        """Answer until the judge closes the channel."""
        with contextlib.suppress(ChannelClosed):
            while True:
                self.serve_one()

    def serve_one(self) -> None:
        """Answer one request."""
        frame = self._channel.receive()
        request = decode_request(frame.header)
        reader = ArrayReader(frame.payload)
        reply, arrays = self._answer(request, Decoder(reader, self._resolve), reader)
        _flush()
        try:
            self._channel.send(reply, arrays)
        except Unsendable as error:
            self._channel.send(_unsendable(request.id, error), [])

    def _answer(
        self, request: Request, decoder: Decoder, reader: ArrayReader
    ) -> tuple[Reply, list[np.ndarray[Any, Any]]]:
        encoder = Encoder(self._keep)
        try:
            if isinstance(request, Load):
                reply: Reply = self._load(request, reader)
            elif isinstance(request, Release):
                reply = self._release(request)
            elif isinstance(request, Sync):
                reply = _sync(request)
            else:
                reply = Returned(id=request.id, value=encoder.value(self._perform(request, decoder)))
        except Unsendable as error:
            return _unsendable(request.id, error), []
        except _Missing as missing:
            return missing.as_reply(request.id), []
        # Broad on purpose: this is the box's edge. SystemExit, KeyboardInterrupt and whatever else the student's code
        # raises is an answer, not the end of the worker.
        except BaseException as error:  # noqa: BLE001
            return tracebacks.describe(error, self._folder, request.id), []
        return reply, encoder.arrays

    # --- requests -------------------------------------------------------------------------------------------------

    def _load(self, request: Load, reader: ArrayReader) -> Loaded:
        self._generation = request.generation
        files = {name: reader.take(node).tobytes() for name, node in zip(request.files, request.contents)}
        self._set_up(request)
        self._channel.most_sent_bytes = request.answer_bytes
        importing.write_files(files, self._folder)
        self._main = self._folder / request.main
        frameworks.seed_all(0, cpu_only=self._cpu_only)
        screen = Screen(request.show.encode())
        given = importing.notebook_names(screen.display) if request.notebook else {}
        if request.cells:
            source = self._main.read_text(encoding="utf-8")
            limits = CellLimits(request.cells_s, request.stopped)
            self._cells = Cells(source, request.cells, str(self._main), screen, limits)
            plotting.show_by(screen.show)
        mounted.while_importing(begins=True)
        self._module = importing.import_submission(self._folder, request.main, given, self._cells)
        mounted.while_importing(begins=False)
        framework = next((name for name in request.frameworks if frameworks.loaded(name)), None)
        available = devices.available(framework)
        self._device = devices.choose(request.device, available)
        return Loaded(
            id=request.id,
            names=importing.defined_names(self._module),
            figures=screen.figures,
            stopped=self._cells.stopped if self._cells else [],
            environment=Environment(
                python=platform.python_version(),
                platform=platform.platform(),
                numpy=np.__version__,
                torch=frameworks.version("torch"),
                tensorflow=frameworks.version("tensorflow"),
                threads=frameworks.thread_count(request.threads),
                device=self._device.kind,
                device_name=self._device.name,
                device_memory=self._device.memory_bytes,
                device_problem=available.problem,
            ),
        )

    def _set_up(self, request: Load) -> None:
        """Change this process for good, before the first file of the student's is there."""
        if not self._is_set_up:
            limit_self(request)
            set_up(request.frameworks)
        if request.gpu_share:
            devices.keep_to_share(request.gpu_share)
        if request.datasets:
            mounted.offer(request.datasets)

    def _perform(  # noqa: PLR0911 - one return a kind
        self, request: Get | Set | Call | Put | Take | WriteFolder | ReadFolder, decoder: Decoder
    ) -> object:
        if isinstance(request, Get):
            holder = self._resolve(request.target)
            return self._attribute(holder, request.name) if request.name else holder
        if isinstance(request, Set):
            setattr(self._resolve(request.target), request.name, decoder.value(request.value))
            return None
        if isinstance(request, Put):
            return self._handle(decoder.value(request.value))
        if isinstance(request, Take):
            return self._resolve(request.target)
        if isinstance(request, WriteFolder):
            return importing.write_new_folder(decoder.value(request.files), self._folder)
        if isinstance(request, ReadFolder):
            return importing.read_folder(FilePath(request.folder))
        return self._call(request, decoder)

    def _call(self, request: Call, decoder: Decoder) -> object:
        function = self._resolve(request.target)
        args = [decoder.value(node) for node in request.args]
        kwargs = {name: decoder.value(node) for name, node in request.kwargs.items()}
        self._fit_to_signature(function, kwargs)
        # Seeding must not fail a call because the student's code has replaced one of the generators.
        with contextlib.suppress(Exception):
            frameworks.seed_all(request.seed, cpu_only=self._cpu_only)
        result = function(*args, **kwargs)
        return self._handle(result) if request.keep else result

    def _fit_to_signature(self, function: Any, kwargs: dict[str, object]) -> None:
        """Drop `seed` where the function has no such parameter; add `device` where it has one."""
        names, takes_any = _parameters_of(function)
        if "seed" not in names and not takes_any:
            kwargs.pop("seed", None)
        if "device" in names:
            kwargs.setdefault("device", self._device.argument)

    def _release(self, request: Release) -> Returned:
        for number in request.numbers:
            self._objects.pop(number, None)
        return Returned(id=request.id, value=None)

    # --- objects --------------------------------------------------------------------------------------------------

    def _resolve(self, target: Handle | Path) -> Any:
        if isinstance(target, Handle):
            return self._objects[target.number]
        return self._attribute(self._module, target.name)

    def _attribute(self, holder: object, name: str) -> object:
        try:
            return getattr(holder, name)
        except AttributeError:
            if hasattr(type(holder), name):  # a property of the student's that raised by itself
                raise
            if holder is self._module and self._cells and (raised := self._cells.blame(name)):
                raise raised from raised.__cause__
            if isinstance(holder, ModuleType):
                own = importing.own_names(holder, self._folder)
                raise _Missing(name, own, "", self._outline(name)) from None
            raise _Missing(name, _names_of(holder), type(holder).__name__[:200]) from None

    def _outline(self, missing: str) -> Outline | None:
        # Broad: the student's code may have removed the file, or replaced what reading it takes.
        with contextlib.suppress(Exception):
            return outline_of(self._main.read_text(encoding="utf-8"), missing)
        return None

    def _keep(self, value: object) -> Value | np.ndarray[Any, Any]:
        if isinstance(value, Handle):
            return value
        array = frameworks.tensor_as_array(value)
        return self._handle(value) if array is None else array

    def _handle(self, value: object) -> Handle:
        number = self._next_number
        self._next_number += 1
        self._objects[number] = value
        return Handle(number, self._generation, type(value).__name__[:200], callable(value))


class _Parameters(NamedTuple):
    names: Collection[str]
    takes_any: bool  # further ones by name


def _parameters_of(function: Any) -> _Parameters:
    """Return what a function may be called with; nothing for a builtin without a signature."""
    if type(function) is FunctionType and not vars(function):
        # The same as below for a plain function that nothing has wrapped, in a microsecond and not in twenty.
        code = function.__code__
        named = code.co_argcount + code.co_kwonlyargcount
        takes_rest, takes_any = bool(code.co_flags & inspect.CO_VARARGS), bool(code.co_flags & inspect.CO_VARKEYWORDS)
        return _Parameters(code.co_varnames[: named + takes_rest + takes_any], takes_any)
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return _Parameters((), takes_any=False)
    return _Parameters(parameters, any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values()))


class _Missing(Exception):
    """The student's module or object has no such attribute."""

    def __init__(self, name: str, names: list[str], owner: str, outline: Outline | None = None) -> None:
        super().__init__(name)
        self.name, self.names, self.owner, self.outline = name, names, owner, outline

    def as_reply(self, request_id: int) -> Raised:
        return Raised(
            id=request_id,
            type_name="AttributeError",
            mro=["AttributeError", "Exception"],
            text=self.owner,
            frames=[],
            names=self.names,
            outline=self.outline,
            missing=self.name,
        )


def _names_of(holder: object) -> list[str]:
    try:
        return [name for name in dir(holder) if not name.startswith("__")][:500]
    except Exception:  # noqa: BLE001 - __dir__ is the student's code
        return []


def _unsendable(request_id: int, error: Unsendable) -> Raised:
    return Raised(
        id=request_id,
        type_name="TypeError",
        mro=["TypeError"],
        text=str(error),
        frames=[],
        unsendable=True,
        answer_bytes=error.payload_bytes,
    )


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # The student's code may have closed or replaced it.
        with contextlib.suppress(Exception):
            stream.flush()


def _sync(request: Sync) -> Synced:
    _flush()
    with contextlib.suppress(OSError):
        os.write(1, request.marker.encode())
    return Synced(id=request.id, notes=advice.take())


def set_up(names: list[str]) -> None:
    """Import frameworks, and change what is the same for all submissions."""
    plotting.draw_with_agg()
    advice.note_numeric_warnings()
    importing.import_frameworks(names)
    stand_in.offer()
    frameworks.compile_eagerly()


def _tie_to_judge() -> None:
    """Die with the judge, also when it is killed, and adopt what the student's code leaves behind (Linux).

    The signal comes when the *thread* that started this process ends, so the judge starts boxes from its main thread.
    """
    if sys.platform != "linux":
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> None:
    """Take up the channel and serve."""
    argument = sys.argv.pop()  # the student's code sees an argv without it
    secret = sys.stdin.buffer.read()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    _tie_to_judge()
    serve(lambda: connect(argument, secret))


def serve(connected: Callable[[], Channel], *, is_set_up: bool = False) -> NoReturn:
    """Serve on a channel in the working directory, and end the process."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    status = BROKEN
    try:
        Worker(connected(), FilePath.cwd(), is_set_up=is_set_up).serve()
        status = CHANNEL_LOST
    # Broad: the student's code may have replaced anything that this process works with.
    except BaseException:
        if "GRADE_BOX_DEBUG" in os.environ:
            raise
    finally:
        # Not sys.exit: threads and atexit functions of the student's code must not keep the process.
        os._exit(status)


if __name__ == "__main__":
    main()
