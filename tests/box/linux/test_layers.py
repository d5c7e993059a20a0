"""Each layer alone: what it stops, and that the same attack succeeds where the layer is switched off."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.box import kernel, seal
from autograder.box.linux import capabilities, landlock, mounts, namespaces, rlimits, seccomp, syscalls
from autograder.box.linux.landlock import Rules
from autograder.box.linux.namespaces import INSIDE_ID, Namespace
from autograder.box.linux.policy import Profile
from autograder.box.linux.python import needed_folders
from autograder.box.restrict import restrict as restrict_box
from autograder.box.restrict import rules_for
from tests.box.linux.conftest import in_fork, own_namespaces

MB = 1 << 20


# --- namespaces -------------------------------------------------------------------------------------------------------


def interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def test_security_a_network_namespace_has_no_network():
    assert len(in_fork(interfaces).value) >= 1
    inside = in_fork(own_namespaces, lambda: Path("/proc/net/route").read_text().count("\n"))
    assert inside.value <= 1  # its heading


def test_security_a_pid_namespace_hides_and_protects_the_other_processes():
    def attack() -> list[int]:
        pid = os.fork()
        if pid == 0:
            try:
                os.kill(victim.pid, 0)
            except ProcessLookupError:
                os._exit(os.getpid())  # 1: the first process of its namespace
            os._exit(99)
        return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

    victim = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    try:
        assert in_fork(attack).value == [99]
        assert in_fork(lambda: own_namespaces(Namespace.PID), attack).value == [1]
    finally:
        victim.kill()
        victim.wait()


def test_security_root_becomes_nobody_for_good():
    if os.getuid() != 0:
        pytest.skip("for root")

    def come_back() -> None:
        os.setuid(0)

    assert in_fork(come_back).error == ""
    assert in_fork(lambda: namespaces.become(namespaces.unused_id()), come_back).errno == errno.EPERM
    left = in_fork(
        lambda: namespaces.become(namespaces.unused_id()),
        lambda: [os.getgroups(), len({*os.getresuid(), *os.getresgid()})],
    )
    assert left.value == [[], 1]


def test_security_the_list_of_the_machines_users_is_not_read(monkeypatch):
    """It would be in the memory of every box."""
    monkeypatch.setattr(namespaces.pwd, "getpwall", lambda: pytest.fail("all of them"))
    monkeypatch.setattr(namespaces.pwd, "getpwuid", {64_000: "taken"}.__getitem__)
    assert namespaces.unused_id() == 64_001


def test_security_a_user_namespace_knows_one_user_who_is_not_root():
    inside = in_fork(own_namespaces, lambda: [os.getuid(), os.getgid(), Path("/proc/1").stat().st_uid])
    assert inside.value[:2] == [INSIDE_ID, INSIDE_ID]
    assert inside.value[2] not in {0, INSIDE_ID}


def test_security_the_host_name_says_nothing():
    assert in_fork(own_namespaces, namespaces.name_host, socket.gethostname).value == "box"
    assert in_fork(own_namespaces, socket.gethostname).value == socket.gethostname()


# --- mounts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file in it, that every user may change."""
    for folder in (tmp_path.parent, tmp_path):
        folder.chmod(0o755)
    made = tmp_path / "tree"
    made.mkdir(mode=0o777)
    made.chmod(0o777)
    (made / "file").write_text("old")
    (made / "file").chmod(0o666)
    (made / "below").mkdir()
    return made


def reachable(folder: Path) -> None:
    """Root's own folders (a test's temporary one) are closed to the user it becomes: show it at another place."""
    mounts.make_private()
    syscalls.call("mount", str(folder).encode(), b"/mnt", None, int(mounts.Flag.BIND | mounts.Flag.RECURSIVE), None)


def write_to(path: str) -> Callable[[], Any]:
    return lambda: Path(path).write_text("new")


def in_namespaces(folder: Path) -> None:
    if os.getuid() == 0:
        namespaces.unshare(Namespace.MOUNT)
        reachable(folder)
        own_namespaces()
    else:
        own_namespaces()
        reachable(folder)


@pytest.mark.parametrize("old_kernel", [False, True])
def test_security_what_is_bound_is_read_only_with_all_that_is_mounted_below(tree, old_kernel, monkeypatch):
    if old_kernel:
        known = syscalls.call

        def call(name: str, *arguments: Any) -> int:
            if name == "mount_setattr":
                raise OSError(errno.ENOSYS, name)
            return known(name, *arguments)

        monkeypatch.setattr(mounts, "call", call)

    def prepare() -> None:
        in_namespaces(tree)
        syscalls.call("mount", b"tmpfs", b"/mnt/below", b"tmpfs", 0, None)

    def bind() -> None:
        mounts.bind_read_only("/mnt", "/mnt")

    for target in ("/mnt/file", "/mnt/made", "/mnt/below/made"):
        assert in_fork(prepare, write_to(target)).error == "", target
        assert in_fork(prepare, bind, write_to(target)).errno == errno.EROFS, target
    assert in_fork(prepare, bind, lambda: Path("/mnt/file").read_text()).error == ""


def test_security_the_scratch_folder_ends_where_its_quota_ends(tree, monkeypatch):
    scratch = Path("/mnt/below")
    monkeypatch.setattr(mounts, "SCRATCH", scratch)

    def mount() -> None:
        mounts.mount_scratch(mounts.Quota(2 * MB, 20))

    def fill() -> None:
        (scratch / "big").write_bytes(bytes(3 * MB))

    def litter() -> None:
        for number in range(30):
            (scratch / str(number)).touch()

    def execute() -> None:
        program = scratch / "program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        subprocess.run([program], check=True)

    def without() -> None:
        in_namespaces(tree)
        syscalls.call("mount", b"tmpfs", b"/mnt/below", b"tmpfs", 0, None)

    for attack, error in ((fill, errno.ENOSPC), (litter, errno.ENOSPC), (execute, errno.EACCES)):
        assert in_fork(without, attack).error == "", attack
        assert in_fork(lambda: in_namespaces(tree), mount, attack).errno == error, attack


def test_security_datasets_can_be_read_and_not_changed(tree, monkeypatch):
    place = Path("/mnt/below")
    monkeypatch.setattr(mounts, "DATASETS", place)
    source = tree / "file"
    content = os.urandom(3 * MB + 1)
    source.write_bytes(content)
    descriptor = os.open(source, os.O_RDONLY)
    os.lseek(descriptor, 0, os.SEEK_END)  # where another box's copy has left it

    def copied() -> bool:
        return (place / "set" / "one.gz").read_bytes() == content

    def mount() -> None:
        mounts.mount_datasets({"set/one.gz": descriptor, "other/two.gz": descriptor})

    def plain() -> None:
        syscalls.call("mount", b"tmpfs", b"/mnt/below", b"tmpfs", 0, None)
        (place / "set").mkdir()
        (place / "set" / "one.gz").write_bytes(content)

    def change() -> None:
        (place / "set" / "one.gz").write_bytes(b"")

    def add() -> None:
        (place / "more").touch()

    def execute() -> None:
        subprocess.run([place / "set" / "one.gz"], check=True)

    assert in_fork(lambda: in_namespaces(tree), mount, copied).value is True
    for attack, error in ((change, errno.EROFS), (add, errno.EROFS), (execute, errno.EACCES)):
        assert in_fork(lambda: in_namespaces(tree), mount, attack).errno == error, attack
        if attack is not execute:
            assert in_fork(lambda: in_namespaces(tree), plain, attack).error == "", attack
    os.close(descriptor)


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/venv", ["/venv", "/venv/lib", "/venv/a b"]),
        ("/ven", []),
        ("/venv/lib", ["/venv/lib"]),
    ],
)
def test_all_mounts_below_a_folder_are_found(folder, found):
    mountinfo = "\n".join(
        f"{number} 1 0:1 / {place} rw - tmpfs tmpfs rw"
        for number, place in enumerate(("/", "/venv", "/venv2", "/venv/lib", r"/venv/a\040b"))
    )
    assert mounts.mounts_below(folder, mountinfo) == found


# --- capabilities -----------------------------------------------------------------------------------------------------


def test_security_without_capabilities_nothing_can_be_mounted():
    def attack() -> None:
        syscalls.call("mount", b"tmpfs", b"/mnt", b"tmpfs", 0, None)

    assert in_fork(own_namespaces, attack).error == ""
    assert in_fork(own_namespaces, capabilities.drop_all, attack).errno == errno.EPERM


def test_security_no_set_of_capabilities_has_any():
    def sets() -> list[str]:
        lines = Path("/proc/self/status").read_text().splitlines()
        return [line.split()[1] for line in lines if line.startswith("Cap")]

    assert any(int(each, 16) for each in in_fork(own_namespaces, sets).value)
    assert {int(each, 16) for each in in_fork(own_namespaces, capabilities.drop_all, sets).value} == {0}


def test_security_capabilities_do_not_come_back_with_root():
    def attack() -> None:
        namespaces.unshare(Namespace.UTS)

    assert in_fork(own_namespaces, attack).error == ""
    assert in_fork(own_namespaces, capabilities.drop_all, attack).errno == errno.EPERM


# --- who may look into a process --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dumpable", [True, False])
def test_security_a_process_that_is_not_dumpable_is_closed_to_its_peers(dumpable):
    def attack() -> int:
        ready, say = os.pipe()
        pid = os.fork()
        if pid == 0:
            syscalls.set_dumpable(dumpable=dumpable)
            os.write(say, b"1")
            os.read(ready, 0)
            signal_pause()
        os.read(ready, 1)
        try:
            return len(Path(f"/proc/{pid}/environ").read_bytes()[:1]) + 1
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)

    def signal_pause() -> None:
        import signal

        signal.pause()

    said = in_fork(own_namespaces, capabilities.drop_all, attack)
    assert (said.errno == 0) is dumpable


def test_security_no_new_privileges_can_not_be_taken_back():
    def state() -> str:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("NoNewPrivs"))

    assert in_fork(syscalls.set_no_new_privileges, state).value == "1"


# --- rlimits ----------------------------------------------------------------------------------------------------------

BUDGET = rlimits.Budget(memory_bytes=64 * MB, cpu_s=1, file_bytes=MB, processes=0)


def limit() -> None:
    rlimits.apply(BUDGET)


def allocate() -> int:
    return len(bytearray(200 * MB))


def share() -> int:
    return len(mmap.mmap(-1, 16 * 64 * MB))


def write_large() -> int:
    import signal
    import tempfile

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with tempfile.TemporaryFile() as file:
        return file.write(bytes(2 * MB)) - len(os.strerror(file.flush() or 0)) * 0


def open_many() -> int:
    return len([os.open("/dev/null", os.O_RDONLY) for _ in range(300)])


@pytest.mark.parametrize("attack", [allocate, share, write_large, open_many], ids=lambda attack: attack.__name__)
def test_security_rlimits_refuse_what_is_beyond_the_budget(attack):
    before = in_fork(attack)
    assert (before.value, before.error) != (None, "")
    if attack is not open_many or resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 310:
        assert before.error == ""
    assert in_fork(limit, attack).error


def test_security_rlimits_end_an_endless_loop():
    def loop() -> None:
        while True:
            pass

    assert in_fork(limit, loop).status == -24


@pytest.mark.parametrize("kind", ["RLIMIT_DATA", "RLIMIT_CPU", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_CORE"])
def test_security_a_limit_is_not_raised_again(kind):
    def attack() -> None:
        number = getattr(resource, kind)
        hard = resource.getrlimit(number)[1]
        resource.setrlimit(number, (hard + 1, hard + 1))

    assert in_fork(own_namespaces, limit, capabilities.drop_all, attack).error


def test_security_a_crash_starts_no_program_that_collects_crashes():
    """Of size 0 a core dump still goes to such a program, of size 1 it does not: the kernel's own guard of it."""
    assert in_fork(limit, lambda: resource.getrlimit(resource.RLIMIT_CORE)).value == [1, 1]


def test_a_budget_counts_from_what_is_mapped_already():
    held: list[bytearray] = []

    def grow() -> None:
        held.append(bytearray(100 * MB))

    assert in_fork(grow, limit, lambda: len(bytearray(48 * MB))).value == 48 * MB


# --- landlock ---------------------------------------------------------------------------------------------------------

needs_landlock = pytest.mark.skipif(landlock.abi() < 1, reason="no landlock in this kernel")
RULES = Rules(libraries=("/usr",), readable=("/etc",), listed=(), writable=("/mnt/below",), devices=("/dev/null",))


def restrict() -> None:
    syscalls.set_no_new_privileges()
    landlock.apply(RULES)


@needs_landlock
@pytest.mark.parametrize(
    ("attack", "error"),
    [
        (lambda: Path("/mnt/file").read_text(), errno.EACCES),
        (write_to("/mnt/file"), errno.EACCES),
        (write_to("/mnt/made"), errno.EACCES),
        (lambda: [str(one) for one in Path("/mnt").iterdir()], errno.EACCES),
        (lambda: Path("/mnt/file").unlink(), errno.EACCES),
        (lambda: os.truncate("/mnt/file", 0), errno.EACCES),
        (lambda: os.link("/mnt/file", "/mnt/linked"), errno.EXDEV),
        (lambda: Path("/mnt/link").symlink_to("/etc"), errno.EACCES),
    ],
    ids=["read", "write", "create", "list", "remove", "truncate", "link", "symlink"],
)
def test_security_landlock_closes_files_that_are_there(tree, attack, error):
    tree.joinpath("below").chmod(0o777)
    assert in_fork(lambda: in_namespaces(tree), attack).error == ""
    (tree / "file").write_text("old")
    for made in ("made", "link", "linked"):
        (tree / made).unlink(missing_ok=True)
    assert in_fork(lambda: in_namespaces(tree), restrict, attack).errno in {error, errno.EACCES}


@needs_landlock
def test_landlock_leaves_open_what_the_rules_name(tree):
    tree.joinpath("below").chmod(0o777)

    def use() -> str:
        Path("/mnt/below/file").write_text("mine")
        Path("/dev/null").write_text("nothing")
        return Path("/mnt/below/file").read_text() + str(Path("/usr/bin").is_dir())

    assert in_fork(lambda: in_namespaces(tree), restrict, use).value == "mineTrue"


@pytest.mark.skipif(landlock.abi() < 6, reason="this kernel's landlock knows no scopes")
def test_security_landlock_keeps_signals_within_the_box():
    parent = os.getpid()

    def attack() -> None:
        os.kill(parent, 0)

    assert in_fork(attack).error == ""
    assert in_fork(restrict, attack).errno == errno.EPERM


@pytest.mark.parametrize(
    ("version", "size", "files"),
    [(1, 8, 13), (2, 8, 14), (3, 8, 15), (4, 16, 15), (5, 16, 16), (6, 24, 16), (9, 24, 16)],
)
def test_an_older_landlock_is_asked_only_for_what_it_knows(version, size, files):
    attributes = landlock.ruleset_attributes(version)
    assert len(attributes) == size
    assert int.from_bytes(attributes[:8], "little") == (1 << files) - 1


def test_where_the_kernel_has_no_landlock_it_is_said(monkeypatch):
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(OSError, match="not in this kernel"):
        landlock.apply(RULES)


# --- seccomp ----------------------------------------------------------------------------------------------------------


def filtered(**profile: Any) -> Callable[[], None]:
    encoded = seccomp.encode(seccomp.program(Profile(**profile)))
    return lambda: seccomp.apply(encoded)


def fork_once() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def memfd() -> int:
    return os.memfd_create("x")


def of_libc(name: str, *arguments: Any) -> Callable[[], int]:
    def call() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        result = getattr(libc, name)(*arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), name)
        return int(result)

    return call


@pytest.mark.parametrize(
    ("attack", "error"),
    [
        (fork_once, errno.EPERM),
        (memfd, errno.EPERM),
        (lambda: subprocess.run(["/bin/true"], check=True) and None, errno.EPERM),
        (lambda: socket.socket(socket.AF_INET).close(), errno.EAFNOSUPPORT),
        (lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(), errno.EAFNOSUPPORT),
        (of_libc("ptrace", 0, 0, 0, 0), errno.EPERM),
        (of_libc("unshare", 0), errno.EPERM),
        (of_libc("personality", -1), errno.EPERM),
        (lambda: resource.prlimit(0, resource.RLIMIT_CORE, (0, 0)) and None, errno.EPERM),
        (lambda: os.chown("/proc/self/fd/0", -1, -1), errno.EPERM),
    ],
    ids=["fork", "memfd", "exec", "inet", "netlink", "ptrace", "unshare", "personality", "setrlimit", "chown"],
)
def test_security_the_filter_refuses_and_nothing_else_would_have(attack, error):
    assert in_fork(attack).error == ""
    assert in_fork(filtered(), attack).errno == error


def test_the_profile_with_processes_allows_them():
    assert in_fork(filtered(processes=True), fork_once).error == ""


def test_what_ordinary_code_does_passes_the_filter(tmp_path):
    def work() -> str:
        import threading

        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append("thread"))
        thread.start()
        thread.join()
        left, right = socket.socketpair()
        left.sendall(b"pair")
        found.append(right.recv(4).decode())
        (tmp_path / "file").write_text("file")
        found.append((tmp_path / "file").read_text())
        (tmp_path / "file").chmod(0o600)
        found.append(str(resource.getrlimit(resource.RLIMIT_CPU)[0] != 0))
        return " ".join(found)

    assert in_fork(filtered(), work).value == "thread pair file True"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the other ABI is x86's")
def test_security_a_32_bit_call_kills():
    # mov eax, 20 (getpid); int 0x80; ret
    code = bytes([0xB8, 20, 0, 0, 0, 0xCD, 0x80, 0xC3])

    def attack() -> int:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))
        return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())

    assert in_fork(attack).status == 0
    assert in_fork(filtered(), attack).status == -31


def test_security_a_folder_is_not_shown_because_python_imports_from_it(monkeypatch, tmp_path):
    """The course's own is one, wherever a command was typed in it."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert not any(tmp_path.is_relative_to(folder) for folder in needed_folders([]))
    assert str(tmp_path) in needed_folders([tmp_path])


def _restricted() -> None:
    request = seal.SealRequest(
        threads=1, memory_bytes=1 << 30, cpu_s=9, file_bytes=MB, disk_bytes=MB, files=9, scratch="/nowhere", user=64_000
    )
    restrict_box(request, seal.Prepared(rules_for(("/usr",), ()), {}))


def _a_kernel() -> None:
    kernel.restrain(
        kernel.KernelRequest(
            command=("python", "-m", "made_up"), sockets="/nowhere", given="/nowhere", scratch="/nowhere", threads=1,
            memory_bytes=1 << 30, cpu_s=9, file_bytes=MB, processes=0, has_namespaces=True,
        )
    )  # fmt: skip


def _sealed() -> None:
    request = seal.SealRequest(threads=1, memory_bytes=1 << 30, cpu_s=9, file_bytes=MB, disk_bytes=MB, files=9)
    seal.limit(request, seal.prepare(()))


@pytest.mark.parametrize("closed", [_sealed, _restricted, _a_kernel])
def test_security_a_process_with_a_second_thread_is_not_sealed(closed):
    """The filter would bind one of them only."""

    def start_thread() -> None:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

    def limit() -> None:
        syscalls.set_no_new_privileges()
        closed()

    assert in_fork(limit).error == ""
    assert "2 threads" in in_fork(start_thread, limit).error
