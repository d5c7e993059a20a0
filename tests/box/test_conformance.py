"""What every backend promises: limits end what they bound, each death has its cause, nothing forged becomes a verdict,
and nothing is left.

One class, run for each backend of `conftest.BACKENDS`.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from autograder.box.causes import BoxDied, Cause
from autograder.results import Status
from tests.box.conftest import BACKENDS

if TYPE_CHECKING:
    from tests.box.conftest import Opener

LONG_S = 30.0
SHORT_S = 0.5  # for what never ends
MANY_MB = 700
ORDINARY_USER = hasattr(os, "getuid") and os.getuid() != 0
ENDLESS = "def loop():\n    while True: pass"

# How the student's code gets hold of the channel.
CHANNEL = """
    import os, socket, stat, struct
    def channel():
        for fd in map(int, os.listdir("/proc/self/fd")):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode): return fd
            except OSError: pass
    def send(message):
        from autograder.box.protocol import encode_message
        os.write(channel(), b"".join(encode_message(message, [])))
"""

# Where the scratch folder is a file system of the box's own it is gone with the box.
on_disk = pytest.mark.parametrize("backend", ["process"], indirect=True)
# Where the worker may start no process, nothing that one could do is promised.
with_processes = pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "restricted"], indirect=True)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the attack is Linux's")


class TestBoxConformance:
    """Every test opens boxes by `open_box`, which knows the backends."""

    # --- ordinary use ---------------------------------------------------------------------------------------------

    def test_a_function_is_called(self, open_box: Opener):
        assert open_box("def add(a, b): return a + b").call("add", 1, b=2) == 3

    def test_a_large_array_goes_in_and_comes_out(self, open_box: Opener):
        images = np.random.default_rng(0).integers(0, 256, (60_000, 28, 28), dtype=np.uint8)
        came = open_box("def negative(x): return 255 - x").call("negative", images)
        assert np.array_equal(came, 255 - images)

    def test_two_boxes_know_nothing_of_each_other(self, open_box: Opener):
        source = "state = []\ndef add(x):\n    state.append(x)\n    return len(state)"
        one, two = open_box(source), open_box(source)
        assert [one.call("add", 1), one.call("add", 2), two.call("add", 3)] == [1, 2, 1]
        assert one.client.generation != two.client.generation

    def test_student_code_may_start_threads_and_write_files(self, open_box: Opener):
        student = open_box(
            """
            import pathlib, tempfile, threading
            def work():
                pathlib.Path("model.bin").write_bytes(b"12")
                with tempfile.TemporaryFile() as file: file.write(b"3")
                sizes = []
                thread = threading.Thread(target=lambda: sizes.append(pathlib.Path("model.bin").stat().st_size))
                thread.start(); thread.join()
                return sizes + [str(pathlib.Path.home()), tempfile.gettempdir()]
            """
        )
        size, home, temporary = student.call("work")
        assert size == 2
        assert home != str(Path.home())
        assert temporary != tempfile.gettempdir()

    # --- limits -----------------------------------------------------------------------------------------------------

    def test_an_endless_loop_ends_at_the_calls_limit(self, open_box: Opener):
        student = open_box(ENDLESS, call_s=SHORT_S)
        cause = Cause(Status.TIMEOUT, "wall", "0.5")
        assert student.death_in("loop") == cause
        assert student.death_in("loop") == cause  # a box that is dead stays dead, of the same cause
        assert not student.client.alive
        assert student.client.died().cause == cause

    def test_a_limit_of_one_call_counts_for_that_call(self, open_box: Opener):
        assert open_box(ENDLESS).death_in("loop", timeout_s=SHORT_S) == Cause(Status.TIMEOUT, "wall", "0.5")

    def test_an_endless_import_ends_at_the_imports_limit(self, open_box: Opener):
        student = open_box("while True: pass", import_s=1)
        for _ in range(2):
            with pytest.raises(BoxDied) as caught:
                student.loaded()
            assert caught.value.cause == Cause(Status.TIMEOUT, "import_wall", "1")

    def test_security_code_that_ignores_signals_ends_at_the_limit_as_well(self, open_box: Opener):
        student = open_box(
            """
            import signal, time
            def sleep():
                for number in range(1, 65):
                    try: signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError): pass
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
                time.sleep(600)
            """
        )
        assert student.death_in("sleep", timeout_s=SHORT_S).status is Status.TIMEOUT

    @linux_only
    def test_security_code_that_stops_itself_ends_at_the_limit_as_well(self, open_box: Opener):
        student = open_box("import os, signal\ndef stop(): os.kill(os.getpid(), signal.SIGSTOP)")
        assert student.death_in("stop", timeout_s=SHORT_S).status is Status.TIMEOUT

    def test_security_an_answer_given_byte_by_byte_ends_at_the_limit(self, open_box: Opener):
        student = open_box(
            CHANNEL
            + """
    def drip():
        import time
        os.write(channel(), struct.pack("<IQ", 4000, 0))
        while True:
            os.write(channel(), b"x"); time.sleep(0.01)
"""
        )
        assert student.death_in("drip", timeout_s=SHORT_S).status is Status.TIMEOUT

    def test_cpu_time_beyond_the_limit_is_a_timeout(self, open_box: Opener):
        student = open_box(ENDLESS, box_cpu_s=1)
        assert student.death_in("loop") == Cause(Status.TIMEOUT, "cpu", "1")

    def test_memory_beyond_the_limit_is_the_students_memory_error(self, open_box: Opener):
        student = open_box(f"def take(): return len(bytearray({MANY_MB} << 20))", memory_mb=256)
        assert "MemoryError" in student.raised_by("take").mro
        student = open_box(f"import numpy as np\ndef take(): return np.ones({MANY_MB} << 17).sum()", memory_mb=256)
        assert "MemoryError" in student.raised_by("take").mro

    @linux_only
    def test_security_shared_memory_counts(self, open_box: Opener):
        student = open_box(
            f"""
            import mmap, time
            def take():
                shared = mmap.mmap(-1, {MANY_MB} << 20)
                for at in range(0, len(shared), 4096): shared[at] = 1
                time.sleep(600)
            """,
            memory_mb=256,
        )
        assert student.death_in("take", timeout_s=LONG_S) == Cause(Status.MEMORY, "memory", "256")

    @with_processes
    @linux_only
    def test_security_the_memory_of_child_processes_counts(self, open_box: Opener):
        student = open_box(
            """
            import os, time
            def take():
                for _ in range(4):
                    if os.fork() == 0:
                        held = os.urandom(1 << 20) * 130  # each by itself is within the limit
                        time.sleep(600)
                time.sleep(600)
            """,
            memory_mb=256,
            processes=8,
        )
        assert student.death_in("take", timeout_s=LONG_S) == Cause(Status.MEMORY, "memory", "256")

    def test_a_flood_of_output_ends_the_box(self, open_box: Opener):
        student = open_box("def flood():\n    while True: print('x' * 1000)", output_mb=1)
        assert student.death_in("flood") == Cause(Status.OUTPUT, "output", "1")
        assert set(student.client.take_output()) == {"x", "\n"}

    def test_much_output_within_the_limit_is_fine(self, open_box: Opener):
        student = open_box("def say():\n    for _ in range(900): print('x' * 1000)", output_mb=1)
        for _ in range(3):
            student.call("say")
            assert student.client.take_output()

    def test_a_file_beyond_the_limit_is_the_students_error(self, open_box: Opener):
        student = open_box("def write(): open('big', 'wb').write(bytes(2 << 20))", file_mb=1)
        assert student.raised_by("write").type_name == "OSError"

    # --- deaths -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("status", [0, 3])
    def test_leaving_is_a_crash_and_never_a_pass(self, open_box: Opener, status):
        student = open_box(f"import os\ndef leave():\n    print('bye', flush=True)\n    os._exit({status})")
        assert student.death_in("leave") == Cause(Status.CRASHED, "exit", str(status))
        assert student.client.take_output() == "bye\n"

    def test_leaving_while_it_is_imported_is_a_crash(self, open_box: Opener):
        with pytest.raises(BoxDied) as caught:
            open_box("import os\nos._exit(0)").loaded()
        assert caught.value.cause == Cause(Status.CRASHED, "exit", "0")

    @pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGKILL", "SIGTERM", "SIGBUS"])
    def test_a_signal_is_a_crash_that_names_it(self, open_box: Opener, name):
        student = open_box(f"import os, signal\ndef die(): os.kill(os.getpid(), signal.{name})")
        assert student.death_in("die") == Cause(Status.CRASHED, "signal", name)

    def test_a_segmentation_fault_is_a_crash(self, open_box: Opener):
        student = open_box("import ctypes\ndef die(): ctypes.string_at(0)")
        assert student.death_in("die") == Cause(Status.CRASHED, "signal", "SIGSEGV")

    def test_raising_the_exception_that_ends_programs_does_not_end_the_box(self, open_box: Opener):
        student = open_box("def leave(): raise SystemExit(0)\ndef one(): return 1")
        assert student.raised_by("leave").type_name == "SystemExit"
        assert student.call("one") == 1

    @with_processes
    @linux_only
    def test_security_a_daemon_that_keeps_the_channel_does_not_hide_the_death(self, open_box: Opener):
        student = open_box(
            "import os, time\ndef die():\n    if os.fork() == 0: time.sleep(600)\n    os._exit(5)", processes=1
        )
        assert student.death_in("die", timeout_s=LONG_S) == Cause(Status.CRASHED, "exit", "5")

    # --- forged answers -----------------------------------------------------------------------------------------------

    @linux_only
    @pytest.mark.parametrize(
        "forged",
        [
            "b'garbage' * 100",
            "bytes(12)",
            "struct.pack('<IQ', 0xffffffff, 0)",
            "struct.pack('<IQ', 5, 1 << 63) + b'12345'",
            "struct.pack('<IQ', 2, 0) + bytes([0x81, 0xa4])",
        ],
    )
    def test_security_garbage_on_the_channel_is_a_crash(self, open_box: Opener, forged):
        student = open_box(CHANNEL + f"    def forge(): os.write(channel(), {forged})")
        cause = student.death_in("forge")
        assert (cause.status, cause.kind) == (Status.CRASHED, "protocol")

    @linux_only
    @pytest.mark.parametrize("number", ["0", "-1", "10**6", "2**64 - 1"])
    def test_security_an_answer_to_another_question_is_a_crash(self, open_box: Opener, number):
        student = open_box(
            CHANNEL
            + f"""
    def forge():
        from autograder.box.protocol import Returned
        send(Returned(id={number}, value=100))
"""
        )
        assert student.death_in("forge") == Cause(Status.CRASHED, "protocol", "an answer to no question")

    @linux_only
    def test_security_an_answer_forged_ahead_is_a_value_and_then_a_crash(self, open_box: Opener):
        student = open_box(
            CHANNEL
            + """
    def forge():
        import sys
        from autograder.box.protocol import Returned
        send(Returned(id=sys._getframe(1).f_locals["request"].id, value="forged"))
        return "real"
"""
        )
        assert student.call("forge") == "forged"  # a claim like any other: the code could have returned it
        assert student.death_in("forge") == Cause(Status.CRASHED, "protocol", "an answer to no question")

    @linux_only
    def test_security_closing_the_channel_is_a_crash(self, open_box: Opener):
        student = open_box("import os\ndef close(): os.closerange(3, 256)")
        assert student.death_in("close").status is Status.CRASHED

    @with_processes
    @linux_only
    def test_security_a_child_that_answers_too_is_a_crash(self, open_box: Opener):
        student = open_box("import os\ndef twice(): return os.fork() and 1\ndef one(): return 1", processes=1)
        student.call("twice")

        def ask_on() -> None:
            end = time.monotonic() + LONG_S
            while time.monotonic() < end:  # until the second answer has come
                student.call("one")

        with pytest.raises(BoxDied) as caught:
            ask_on()
        assert caught.value.cause == Cause(Status.CRASHED, "protocol", "an answer to no question")

    # --- what is inside -----------------------------------------------------------------------------------------------

    def test_security_nothing_of_the_judges_environment_is_inside(self, open_box: Opener, monkeypatch):
        monkeypatch.setenv("GRADE_SECRET", "made-up-secret")
        monkeypatch.setenv("PYTHONPATH", f"{os.environ.get('PYTHONPATH', '')}{os.pathsep}/made-up-secret")
        student = open_box(
            """
            import os, sys
            def tell():
                own = open("/proc/self/environ").read() if sys.platform == "linux" else ""
                return [dict(os.environ), own, sys.argv, getattr(sys, 'orig_argv', []), sys.path]
            """
        )
        assert "made-up-secret" not in str(student.call("tell"))

    @linux_only
    def test_security_no_descriptor_of_the_judge_is_inside(self, open_box: Opener, tmp_path):
        hidden = tmp_path / "hidden"
        hidden.write_text("made-up secret")
        with hidden.open() as file:
            os.set_inheritable(file.fileno(), True)
            student = open_box(
                """
                import os
                def tell(): return {int(fd): link(fd) for fd in os.listdir("/proc/self/fd")}
                def link(fd):
                    try: return os.readlink(f"/proc/self/fd/{fd}").split(":")[0]
                    except OSError: return ""
                """
            )
            descriptors = student.call("tell")
        assert [descriptors[number] for number in (0, 1, 2)] == ["/dev/null", "pipe", "pipe"]
        assert sorted(kind for number, kind in descriptors.items() if number > 2 and kind) == ["socket"]

    @pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="POSIX process groups")
    def test_ctrl_c_is_for_the_judge(self, open_box: Opener):
        student = open_box("import os\ndef group(): return [os.getpgid(0), os.getsid(0)]")
        assert os.getpgid(0) not in student.call("group")

    # --- the end ----------------------------------------------------------------------------------------------------

    @on_disk
    def test_the_scratch_folder_is_removed(self, open_box: Opener, scratch_root):
        student = open_box("import os\ndef write(): open('a', 'w').close(); os.makedirs('deep/er')")
        student.call("write")
        assert list(scratch_root.iterdir())
        student.client.close()
        assert list(scratch_root.iterdir()) == []

    @on_disk
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_a_scratch_folder_with_a_locked_folder_is_removed(self, open_box: Opener, scratch_root):
        student = open_box("import os\ndef lock(): os.makedirs('deep/er'); os.chmod('deep', 0)")
        student.call("lock")
        student.client.close()
        assert list(scratch_root.iterdir()) == []

    @on_disk
    def test_the_scratch_folder_of_a_box_that_died_is_removed(self, open_box: Opener, scratch_root):
        student = open_box(ENDLESS)
        student.death_in("loop", timeout_s=SHORT_S)
        student.client.close()
        assert list(scratch_root.iterdir()) == []

    @on_disk
    def test_paths_with_spaces_and_chinese_are_fine(self, open_box: Opener, scratch_root, monkeypatch):
        folder = scratch_root / "测 试"
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        student = open_box(
            "import os, helper\ndef here(): return [os.getcwd(), helper.X]", files={"helper.py": "X = 1"}
        )
        cwd, value = student.call("here")
        assert value == 1
        assert "测 试" in cwd
        assert student.raised_by("here", 1).frames == []

    def test_close_can_be_called_twice_and_ends_the_box(self, open_box: Opener):
        student = open_box("def one(): return 1")
        assert student.call("one") == 1
        student.client.close()
        student.client.close()
        assert not student.client.alive
        assert student.death_in("one").status is Status.INTERNAL  # nobody's fault but whoever uses a closed box

    def test_close_while_it_is_imported(self, open_box: Opener, until):
        student = open_box("import time\nprint('asleep', flush=True)\ntime.sleep(600)")
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(student.loaded)
            assert until(lambda: b"asleep" in student.client._output._tail)
            student.client.close()
            assert isinstance(waiting.exception(LONG_S), BoxDied)
        assert not student.client.alive

    def test_close_from_elsewhere_ends_a_call(self, open_box: Opener, until):
        student = open_box("import time\ndef sleep():\n    print('asleep', flush=True)\n    time.sleep(600)")
        student.loaded()
        with ThreadPoolExecutor() as pool:
            waiting = pool.submit(student.call, "sleep")
            assert until(lambda: b"asleep" in student.client._output._tail)
            student.client.close()
            assert isinstance(waiting.exception(LONG_S), BoxDied)
