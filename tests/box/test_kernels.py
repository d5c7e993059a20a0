"""Kernels in boxes: each layer keeps something out that comes in without it.

No Jupyter here: what is run in the place of a kernel is a program that tries something, and tells by a socket of its
own what came of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from autograder.box import kernels, probe
from autograder.box.backends import BWRAP, PROCESS, RESTRICTED
from autograder.box.kernel import KernelRequest, filter_of
from autograder.box.kernels import Kernel, KernelRefused, KernelSpec, choose, copy_submission
from autograder.box.linux.policy import Allow, Refuse
from autograder.box.probe import Missing
from autograder.box.seal import Layer
from autograder.limits import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are closed on Linux only")

ROOT = Path(__file__).resolve().parents[2]
WORKING = [name for name in (BWRAP, RESTRICTED) if sys.platform == "linux" and probe.lacking(name) is None]
closed = pytest.mark.parametrize("isolation", WORKING)
TELL = """
import json, os, socket, sys
folder = os.path.dirname(json.load(open(sys.argv[1]))["ip"])
server = socket.socket(socket.AF_UNIX)
server.bind(folder + "/out")
server.listen()
try:
{tried}
except BaseException as error:
    answer = type(error).__name__
connection, _ = server.accept()
connection.sendall(json.dumps(answer).encode())
connection.close()
server.accept()
"""


@contextlib.contextmanager
def running(tried, folder, isolation, *without, **limits):
    """Yield a kernel in which something is tried, which puts what came of it into `answer`."""
    kernel = Kernel()
    lines = "\n".join(f"    {line}" for line in tried.splitlines())
    kernel.connection_file.write_text(json.dumps({"ip": kernel.ip}))
    spec = KernelSpec(
        [sys.executable, "-c", TELL.format(tried=lines), str(kernel.connection_file)], folder,
        Limits(**{"memory_mb": 512, "threads": 1, **limits}), isolation, without=without,
    )  # fmt: skip
    try:
        kernel.start(spec)
        yield kernel
    finally:
        kernel.end()
    assert not kernel.folder.exists()


def told_by(kernel):
    path, deadline = kernel.folder / "s" / "out", time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(str(path))
            return json.loads(client.makefile().read())
        time.sleep(0.05)
    pytest.fail("no answer")


def answer_to(tried, folder, isolation, *without, **limits):
    with running(tried, folder, isolation, *without, **limits) as kernel:
        return told_by(kernel)


@closed
def test_it_works_in_a_copy_of_the_submission(isolation, tmp_path):
    (tmp_path / "data.txt").write_text("from the course")
    (tmp_path / "hw.ipynb").write_text("hidden tests")
    tried = "answer = [sorted(os.listdir()), open('data.txt').read()]\nopen('made.txt', 'w').write('x')"
    with running(tried, tmp_path, isolation) as kernel:
        assert told_by(kernel) == [["data.txt", "hw.ipynb"], "from the course"]
        assert kernel.isolation == isolation
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.txt", "hw.ipynb"]


# --- what stays outside -----------------------------------------------------------------------------------------------


@closed
def test_security_files_of_the_machine_are_closed(isolation, tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("grades")
    (tmp_path / "mine").mkdir()
    tried = f"answer = open({str(secret)!r}).read()"
    assert answer_to(tried, tmp_path / "mine", isolation) in {"FileNotFoundError", "PermissionError"}
    assert answer_to(tried, tmp_path / "mine", PROCESS) == "grades"


@pytest.mark.skipif(RESTRICTED not in WORKING, reason="no restricted boxes here")
def test_security_without_mounts_landlock_keeps_files_closed(tmp_path):
    secret = tmp_path / "gradebook.db"
    secret.write_text("grades")
    (tmp_path / "mine").mkdir()
    tried = f"answer = open({str(secret)!r}).read()"
    assert answer_to(tried, tmp_path / "mine", RESTRICTED) == "PermissionError"
    if os.getuid() or probe.no_own_user() is not None:  # a user id of its own would keep it closed as well
        assert answer_to(tried, tmp_path / "mine", RESTRICTED, Layer.LANDLOCK) == "grades"


@closed
def test_security_its_folder_of_sockets_holds_nothing_else(isolation, tmp_path):
    """It lies on the machine's disk, and has no size of its own."""
    tried = "open(folder + '/big', 'wb').write(b'x' * 4096)\nanswer = 'written'"
    assert answer_to(tried, tmp_path, isolation) == "PermissionError"
    assert answer_to(tried, tmp_path, isolation, Layer.LANDLOCK) == "written"
    link = "os.symlink('/run/service', folder + '/k-1')\nanswer = 'linked'"
    assert answer_to(link, tmp_path, isolation) == "PermissionError"


@pytest.mark.parametrize(
    ("has_namespaces", "user", "may"), [(True, 64_000, False), (False, None, False), (False, 1, True)]
)
def test_security_modes_are_changed_only_where_a_user_of_its_own_has_the_files(has_namespaces, user, may):
    """Bubblewrap's devices are the machine's own, and root's number owns them."""
    request = KernelRequest(
        command=("made-up",), sockets="", given="", scratch="", threads=1, memory_bytes=1, cpu_s=1, file_bytes=1,
        processes=0, has_namespaces=has_namespaces, user=user,
    )  # fmt: skip
    assert filter_of(request, 42)["fchmodat"] == (Allow() if may else Refuse(0))


@closed
def test_security_no_network_is_in_reach(isolation, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tried = f"socket.create_connection(('127.0.0.1', {port}), 5)\nanswer = 'connected'"
        assert answer_to(tried, tmp_path, isolation) == "OSError"
        without = (Layer.SECCOMP, Layer.LANDLOCK)  # a newer landlock closes TCP by itself
        if isolation == BWRAP:  # there are other machines in no network namespace
            assert answer_to(tried, tmp_path, isolation, *without) == "ConnectionRefusedError"
        assert answer_to(tried, tmp_path, isolation, *without, Layer.NETWORK) == "connected"


@pytest.mark.skipif(RESTRICTED not in WORKING, reason="no restricted boxes here")
def test_security_services_of_the_machine_are_not_called(tmp_path):
    path = tmp_path / "service"
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(path))
        service.listen()
        path.chmod(0o777)
        tried = f"socket.socket(socket.AF_UNIX).connect({str(path)!r})\nanswer = 'called'"
        (tmp_path / "mine").mkdir()
        assert answer_to(tried, tmp_path / "mine", RESTRICTED) == "OSError"
        if os.getuid() or probe.no_own_user() is not None:
            assert answer_to(tried, tmp_path / "mine", RESTRICTED, Layer.SECCOMP) == "called"


@pytest.mark.skipif(RESTRICTED not in WORKING, reason="no restricted boxes here")
def test_security_where_nothing_would_end_a_process_none_is_started(tmp_path):
    tried = "answer = os.fork() >= 0\nif answer and not os.getpid(): os._exit(0)"
    assert answer_to(tried, tmp_path, RESTRICTED) == "PermissionError"


@pytest.mark.skipif(BWRAP not in WORKING, reason="bwrap does not work here")
@pytest.mark.parametrize("processes", [0, 4])
def test_processes_are_started_where_they_may_be(processes, tmp_path):
    # A program in the place of the kernel may run programs in any case; it is the fork that decides.
    tried = "import subprocess\nanswer = subprocess.run(['true']).returncode"
    assert answer_to(tried, tmp_path, BWRAP, processes=processes) == (0 if processes else "PermissionError")


@closed
def test_security_nothing_of_the_runner_is_inherited(isolation, tmp_path, monkeypatch):
    monkeypatch.setenv("TOKEN_OF_THE_INSTRUCTOR", "secret")
    tried = "answer = ['TOKEN_OF_THE_INSTRUCTOR' in os.environ, len(os.listdir('/proc/self/fd'))]"
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        found, descriptors = answer_to(tried, tmp_path, isolation)
    assert not found
    assert descriptors == 5  # three of the null device, its own socket, and the listing's


@closed
def test_security_too_much_memory_is_an_error_where_it_is_asked_for(isolation, tmp_path):
    private = "flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS"  # never touched, so that no control group sees it
    tried = f"import mmap\nmmap.mmap(-1, 3 << 30, {private})\nanswer = 'taken'"
    assert answer_to(tried, tmp_path, isolation) == "OSError"
    assert answer_to(tried, tmp_path, isolation, Layer.RLIMITS) == "taken"


@closed
def test_security_what_all_processes_take_together_is_bounded(isolation, tmp_path):
    """By a control group, or by looking; the limits of each process are out of the way here."""
    with running("bytearray(3 << 30)\nanswer = 'taken'", tmp_path, isolation, Layer.RLIMITS) as kernel:
        assert wait_for(lambda: kernel.why_it_ended() == "memory")


# --- how it ends ------------------------------------------------------------------------------------------------------


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@closed
def test_security_the_whole_notebook_has_a_time_limit(isolation, tmp_path):
    with running("answer = 1", tmp_path, isolation, attempt_s=1) as kernel:
        assert wait_for(lambda: kernel.why_it_ended() == "time")


@pytest.mark.skipif(BWRAP not in WORKING, reason="bwrap does not work here")
def test_security_nothing_outlives_it(tmp_path):
    seconds = str(10**9 + secrets.randbelow(10**9))

    def left():
        return [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", seconds]]

    tried = f"import subprocess\nsubprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\nanswer = 1"
    with running(tried, tmp_path, BWRAP, processes=4) as kernel:
        told_by(kernel)
        assert wait_for(left)  # it becomes another program in its own time
    assert wait_for(lambda: not left())


@closed
def test_security_all_that_it_writes_has_a_size(isolation, tmp_path):
    tried = "for number in range(100): open(f'f{number}', 'wb').write(b'x' * (1 << 20))\nanswer = 'written'"
    with running(tried, tmp_path, isolation, disk_mb=4) as kernel:
        if isolation == BWRAP:  # its file system is full
            assert told_by(kernel) == "OSError"
        else:  # looked at, five times a second
            assert wait_for(lambda: kernel.why_it_ended() == "disk")


@pytest.mark.skipif(RESTRICTED not in WORKING, reason="restricted does not work here")
def test_security_what_it_writes_to_files_without_a_name_counts(tmp_path):
    tried = """\
import tempfile
files = [tempfile.TemporaryFile() for number in range(20)]
for file in files: file.write(b'x' * (1 << 20)); file.flush()
answer = 'written'"""
    with running(tried, tmp_path, RESTRICTED, disk_mb=4) as kernel:
        assert wait_for(lambda: kernel.why_it_ended() == "disk")


@closed
def test_security_its_folder_of_sockets_is_not_filled(isolation, tmp_path):
    tried = "for number in range(3000): socket.socket(socket.AF_UNIX).bind(f'{folder}/{number}')\nanswer = 'filled'"
    with running(tried, tmp_path, isolation) as kernel:
        assert wait_for(lambda: kernel.why_it_ended() == "disk")


# --- what it is given -------------------------------------------------------------------------------------------------


def test_security_links_are_copied_and_not_followed(tmp_path):
    mine, secret = tmp_path / "mine", tmp_path / "secret"
    mine.mkdir()
    secret.write_text("hidden tests")
    (mine / "link").symlink_to(secret)
    (mine / "HW.ipynb").write_text("{}")
    (mine / "data.txt").write_text("1")
    os.mkfifo(mine / "pipe")  # would hold up whoever opens it
    copy_submission(mine, tmp_path / "copy", ["*.ipynb"])
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["data.txt", "link"]
    assert (tmp_path / "copy" / "link").is_symlink()


@closed
def test_a_submission_that_is_too_large_is_refused(isolation, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * (2 << 20))
    with pytest.raises(KernelRefused, match="more than 1 MB"), running("answer = 1", tmp_path, isolation, disk_mb=1):
        pass


def test_security_where_nothing_can_be_closed_nothing_is_run(monkeypatch):
    monkeypatch.setattr(kernels.probe, "lacking", lambda name: Missing("restricted", f"{name} refused"))
    with pytest.raises(KernelRefused, match="No kernel can be closed") as caught:
        choose("auto")
    assert "restricted refused" in str(caught.value)
    assert choose(PROCESS) == PROCESS
    with pytest.raises(KernelRefused, match="no isolation called"):
        choose("jail")


@closed
def test_a_kernel_that_can_not_be_run_is_said(isolation, tmp_path):
    kernel = Kernel()
    kernel.connection_file.write_text(json.dumps({"ip": kernel.ip}))
    try:
        with pytest.raises(KernelRefused, match="no-such-language"):
            kernel.start(KernelSpec(["/opt/no-such-language"], tmp_path, isolation=isolation))
    finally:
        kernel.end()


def test_a_long_folder_for_temporary_files_is_said(monkeypatch, tmp_path):
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(KernelRefused, match="TMPDIR"):
        Kernel()
    assert list(Path(folder).glob("grade-box*")) == []


# --- whoever started it is killed -------------------------------------------------------------------------------------

STARTER = """
import json, sys, time
from pathlib import Path
from autograder.box.kernels import Kernel, KernelSpec
from autograder.limits import Limits

kernel = Kernel()
kernel.connection_file.write_text(json.dumps({"ip": kernel.ip}))
sleep = [sys.executable, "-c", "import time; time.sleep(1000)", sys.argv[2]]
kernel.start(KernelSpec([*sleep, str(kernel.connection_file)], Path.cwd(), Limits(threads=1), sys.argv[1]))
print("started", flush=True)
time.sleep(1000)
"""


@closed
def test_security_a_kernel_ends_with_whoever_started_it(isolation, tmp_path):
    mark = secrets.token_hex(8)

    def left():
        return [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or ())]

    (tmp_path / "work").mkdir()
    command = [sys.executable, "-c", STARTER, isolation, mark]
    with subprocess.Popen(
        command, cwd=tmp_path / "work", env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        try:
            assert starter.stdout.readline() == b"started\n"
            assert wait_for(lambda: len(left()) > 1)  # it is sealed, and about to be the kernel
        finally:
            starter.kill()
    assert wait_for(lambda: not left())
