"""What a `restricted` box goes through, and the zygote it is forked from: for systems that refuse user namespaces.

No namespaces, so no root, processes or network of its own: everything of the machine keeps its name, and what may be
done with it is decided call by call. Runs inside the box.

    zygote   keeps three capabilities at most ─▶ no new privileges ─▶ landlock: libraries, /proc, the folder of all
             scratch folders ─▶ system call filter: no network ─▶ imports, warms up, serves
    worker   keeps six descriptors ─▶ its cgroups ─▶ a user id of its own, where the judge found one ─▶ its scratch
             folder ─▶ no capabilities ─▶ waits at the gate ─▶ rlimits ─▶ landlock: libraries, a few files of /proc, its
             own scratch folder ─▶ system call filter ─▶ sends the judge its listener ─▶ lets go of all but the channel
             ─▶ reads the submission, serves

There is no init. The zygote itself waits for the worker and tells the judge how it ended; the judge kills it by its
pidfd, and answers its refused calls (`answerer`). SECURITY: nothing can be left over, because the filter lets the
worker start no process; so there is no version of this box with processes.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
from pathlib import Path

import msgspec

from autograder.box import init, seal, zygote
from autograder.box.linux import capabilities, landlock, mounts, namespaces, policy, rlimits, seccomp, syscalls
from autograder.box.linux.policy import Allow, Profile, for_zygote
from autograder.box.linux.python import needed_folders
from autograder.box.seal import Descriptors, Layer, Prepared, SealRequest

_LEAST_LANDLOCK = 3  # where the box has a user's own id
_OPEN = b"1"  # what goes through the gate
HANDED_OVER = b"l"  # what comes with the filter's listener
_HANDING_OVER = ("sendmsg", "seccomp")
ZYGOTE_FOLDER = "zygote"  # of the folder of all scratch folders
_FOR_BOXES = (capabilities.SETUID, capabilities.SETGID, capabilities.KILL)
_ETC = tuple(f"/etc/{name}" for name in mounts.ETC)
_SYSTEM_FOLDERS = ("/lib", "/lib64", "/bin", "/sbin")

# Of the machine: what frameworks choose their kernels and their number of threads by.
_PROC = tuple(f"/proc/{name}" for name in ("cpuinfo", "meminfo", "stat", "version", "sys/vm/overcommit_memory"))
# Of the box's own process. SECURITY: one by one. A rule for the folder would take in net/ and mountinfo: the machine's
# connections, sockets and mounts.
_OWN_PROC = ("cmdline", "status", "stat", "statm", "maps", "environ", "limits", "auxv", "mem")
_OWN_PROC_LISTED = ("fd", "task")

# Where modules that the zygote has imported remember its scratch folder.
_REMEMBERED = (("tempfile", "tempdir"), ("keras.src.backend.config", "_KERAS_DIR"))


def main() -> None:
    """Take up the control socket, and serve until it ends."""
    control = socket.socket(fileno=int(sys.argv.pop()))
    control.set_inheritable(False)
    begin = msgspec.msgpack.decode(control.recv(zygote.MAX_MESSAGE_BYTES), type=zygote.Begin)
    folders = needed_folders([Path(__file__).resolve().parents[1]])
    enter_jail(folders, begin.scratch)
    zygote.import_and_warm(begin)
    prepared = Prepared(rules_for(folders, ()), {}, seal.thread_setters())
    Zygote(control, prepared, begin).serve()


# --- the zygote -------------------------------------------------------------------------------------------------------


def enter_jail(folders: tuple[str, ...], scratch: str) -> None:
    """Restrict this process, which will import and fork, to what it needs for that.

    Args:
        folders: that Python is read from.
        scratch: the folder of all scratch folders; its own is in it.
    """
    proc_self = namespaces.open_proc_self()
    seal.prefer_to_be_killed(proc_self)  # and so every box
    os.close(proc_self)
    os.chdir(Path(scratch, ZYGOTE_FOLDER, "work"))
    # As root it gives each box a user id of its own; then only root may end them.
    kept = [number for number in _FOR_BOXES if capabilities.holds(number)]
    capabilities.keep_only(*kept)
    syscalls.set_no_new_privileges()
    syscalls.set_dumpable(dumpable=False)
    landlock.apply(rules_for(folders, (scratch,))._replace(readable=(*_ETC, "/proc")))
    seccomp.apply(seccomp.encode(seccomp.program_of(for_zygote())))


def rules_for(folders: tuple[str, ...], writable: tuple[str, ...]) -> landlock.Rules:
    """Return which files may be opened.

    SECURITY: no folder's names may be listed but those of libraries and scratch: a rule counts for all that is below,
    and here below / lies the machine.
    """
    return landlock.Rules(
        libraries=(*folders, *_SYSTEM_FOLDERS),
        readable=(*_ETC, *_PROC, *(f"/proc/self/{name}" for name in _OWN_PROC)),
        listed=tuple(f"/proc/self/{name}" for name in _OWN_PROC_LISTED),
        writable=writable,
        devices=mounts.device_paths(),
    )


class Zygote(zygote.Zygote):
    """Forks boxes without namespaces, and tells how each of them ended.

    Args:
        control: requests come from it.
        prepared: what boxes are restricted by, but for their own folder.
        begin: names the folder of all scratch folders, and what has been imported.
    """

    def __init__(self, control: socket.socket, prepared: Prepared, begin: zygote.Begin) -> None:
        super().__init__(control, prepared, begin.frameworks)
        self._scratch = begin.scratch
        self._held: dict[int, list[int]] = {}  # by a box's pidfd: its status socket, then what `hold` opened
        # Never closed: these belong to the machine.
        self._proc = hold(_PROC)

    def _fork(self, request: SealRequest, descriptors: Descriptors) -> None:
        if (threads := seal.thread_count()) != 1:
            zygote.refuse(descriptors.status, f"{threads} threads before a fork")
            return
        gate, opener = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(opener)
            self._become_box(request, descriptors._replace(cgroups=(*descriptors.cgroups, gate)))
        os.close(gate)
        own = hold(tuple(f"/proc/{pid}/{name}" for name in (*_OWN_PROC, *_OWN_PROC_LISTED)))
        pidfd = self._watch(pid, descriptors)
        self._held[pidfd] = [os.dup(descriptors.status), *own]
        with contextlib.suppress(OSError):  # it has ended already, and said why
            os.write(opener, _OPEN)
        os.close(opener)

    def _enter(self, request: SealRequest, descriptors: Descriptors) -> None:
        enter(request, descriptors, self._prepared, self._scratch)

    def _ended(self, pidfd: int, status: int) -> None:
        told, *own = self._held.pop(pidfd)
        try:
            os.write(told, init.EXITED + init.NUMBER.pack(os.waitstatus_to_exitcode(status)))
        except OSError:  # the judge has given it up
            pass
        finally:
            for descriptor in (told, *own):
                os.close(descriptor)


def hold(paths: tuple[str, ...]) -> list[int]:
    """Return descriptors of files of /proc, for the time that a rule of landlock names them.

    A rule is tied to the file's object in the kernel. /proc makes a new one when a path is looked up after the old one
    has been forgotten, for lack of memory; as long as it is open somewhere, it is not forgotten.
    """
    there = (path for path in paths if Path(path).exists())
    return [os.open(path, os.O_PATH | os.O_CLOEXEC) for path in there]


# --- the worker -------------------------------------------------------------------------------------------------------


def enter(request: SealRequest, descriptors: Descriptors, prepared: Prepared, scratch: str) -> None:
    """Become the worker, restricted; return in it. A broken setup ends here: the status socket says why."""
    try:
        handover, *cgroups, gate = seal.keep_descriptors(descriptors).cgroups
        seal.join_cgroups(cgroups)
        os.setsid()
        give_up_rights(request)
        move_in(request.scratch, scratch)
        # Until the zygote holds this process's files in /proc, which the rules are about to name.
        _pass(gate)
        restrict(request, prepared, handover)
        seal.use_threads(request.threads, prepared)
    # Broad: whatever it is, the box must not come to life with a layer missing.
    except BaseException as error:  # noqa: BLE001
        seal.give_up(error)
    os.closerange(seal.STATUS, os.sysconf("SC_OPEN_MAX"))


def _pass(gate: int) -> None:
    if os.read(gate, 1) != _OPEN:
        raise OSError("the zygote has ended")


def give_up_rights(request: SealRequest) -> None:
    """Take the box's own user id, where there is one, and give back every capability.

    Why an own one: to the kernel this process is then a stranger to all others; it can't signal them, look into them,
    or read what they wrote, whatever the other layers say. And the limit on processes counts its threads only.
    """
    if request.user is not None and Layer.USER not in request.without:
        namespaces.become(request.user)
    if Layer.CAPABILITIES not in request.without:
        capabilities.keep_only()
    syscalls.set_dumpable(dumpable=True)  # /proc/self is its own
    # After the user id, which clears it.
    syscalls.die_with_parent()


def move_in(own: str, scratch: str) -> None:
    """Work in this box's scratch folder: nothing must remember the zygote's any more."""
    os.chdir(Path(own, "work"))
    old = str(Path(scratch, ZYGOTE_FOLDER))
    for name, value in os.environ.items():
        if value.startswith(old):
            os.environ[name] = own + value.removeprefix(old)
    os.environ["USER"] = os.environ["LOGNAME"] = "student"  # libraries ask /etc/passwd otherwise, and fail
    for module, attribute in _REMEMBERED:
        known = getattr(sys.modules.get(module), attribute, None)
        if isinstance(known, str) and known.startswith(old):
            setattr(sys.modules[module], attribute, own + known.removeprefix(old))
    tempfile.tempdir = None


def restrict(request: SealRequest, prepared: Prepared, handover: int | None = None) -> None:
    """Put on the layers that bind this process. The filter is last: it forbids to set up anything more."""
    # SECURITY: as in seal.limit, a thread that is there already would go on without them.
    if (threads := seal.thread_count()) != 1:
        raise OSError(f"{threads} threads before the filter")
    if request.processes:
        raise OSError("a restricted box can't have processes")
    without = request.without
    if Layer.RLIMITS not in without:
        # Where the user id is not its own, the kernel counts all of that user's threads.
        rlimits.apply(rlimits.Budget(request.memory_bytes, request.cpu_s, request.file_bytes, request.tasks))
    if Layer.LANDLOCK not in without:
        # SECURITY: never left out by itself. Here it is the only layer on files; a kernel without it has no such boxes.
        # Before version 3 whoever may read a file, and by its mode write to it, can empty it while opening it.
        if request.user is None and landlock.abi() < _LEAST_LANDLOCK:
            raise OSError(f"landlock {landlock.abi()}: version {_LEAST_LANDLOCK} is needed, which Linux 6.2 has")
        landlock.apply(prepared.rules._replace(writable=(request.scratch,)))
    if Layer.SECCOMP not in without:
        filter_calls(Profile(only_signals_to=os.getpid(), metadata=request.user is not None), handover)


def filter_calls(profile: Profile, handover: int | None) -> None:
    """Put on the system call filter; where the kernel can, one whose refusals whoever is at `handover` is told of.

    In two steps, for nobody may take the listener out of a process with a user id of its own: under the first filter
    the worker can send it away, and put on the second.
    """
    table, listener = policy.rules(profile), None
    if handover is not None:
        first = table | dict.fromkeys(_HANDING_OVER, Allow())
        with contextlib.suppress(OSError):  # no listener to be had here: the same is refused, and nobody is told
            listener = seccomp.apply(seccomp.encode(seccomp.program_of(first, told=policy.TOLD)), listen=True)
    if handover is None or listener is None:
        seccomp.apply(seccomp.encode(seccomp.program_of(table)))
        return
    with socket.socket(fileno=os.dup(handover)) as judge:
        socket.send_fds(judge, [HANDED_OVER], [listener])
    os.close(listener)
    # SECURITY: from here on the calls that were left to this are as the table has them. Of all filters the strictest
    # answer counts, so what this one allows is decided by the first.
    as_told = {name: table[name] for name in _HANDING_OVER}
    seccomp.add(seccomp.encode(seccomp.program_of(as_told, otherwise=seccomp.ALLOW)))


if __name__ == "__main__":
    main()
