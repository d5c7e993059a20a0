"""The process that reads a .7z or .rar: each layer of what closes it is proved by the same thing done without it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from autograder.box.linux import landlock
from autograder.collect import reading
from autograder.collect.reader_process import END, FILE, FRAME, NO_LIBRARY
from autograder.errors import UsageError
from autograder.zip_archive import Caps, TooLarge
from tests.collect.archives import sevened

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's layers")

CAPS = Caps(500, 20 << 20, 100 << 20)
OPENS = "open('/etc/passwd').read(1)"
WRITES = "import os, tempfile; file = tempfile.TemporaryFile(); PUT_ON(); os.write(file.fileno(), b'x')"
CONNECTS = "import socket; PUT_ON(); socket.socket(socket.AF_INET, socket.SOCK_STREAM)"
FORKS = "import os; PUT_ON(); os.fork() or os._exit(0)"
SIGNALS = "import os; PUT_ON(); os.kill(os.getppid(), 0)"
FILLS = "import mmap; PUT_ON(); mmap.mmap(-1, 2 << 30)"
COMPUTES = "import time; PUT_ON()\nwhile time.process_time() < 1.3: pass"


def ended(layer, code):
    """How a process ends that puts on a layer and does something."""
    code = code if "PUT_ON()" in code else f"PUT_ON(); {code}"
    script = f"from autograder.collect import closing\nimport sys\n{code.replace('PUT_ON()', layer)}\n"
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        pytest.param(
            "closing.open_nothing()", OPENS, marks=pytest.mark.skipif(not landlock.abi(), reason="no landlock here")
        ),
        ("closing.call_little(closing.filter_of_calls())", OPENS),
        ("closing.call_little(closing.filter_of_calls())", CONNECTS),
        ("closing.call_little(closing.filter_of_calls())", FORKS),
        ("closing.call_little(closing.filter_of_calls())", SIGNALS),
        ("closing.limit(30)", OPENS),
        ("closing.limit(30)", WRITES),
        ("closing.limit(30)", FILLS),
        ("closing.limit(1)", COMPUTES),
    ],
)
def test_security_each_layer_forbids_what_is_possible_without_it(layer, code):
    assert ended("None", code) == 0
    assert ended(layer, code) != 0


@pytest.mark.parametrize("code", [OPENS, WRITES, CONNECTS, FORKS, SIGNALS, FILLS])
def test_security_all_of_it_together_forbids_all_of_that(code):
    assert ended("closing.close(30)", code) != 0


def test_security_the_reader_s_environment_has_no_secret_and_no_working_directory_to_import_from(tmp_path, monkeypatch):
    (tmp_path / "libarchive.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_PASSWORD", "geheim")
    seen = {}
    started = subprocess.Popen
    monkeypatch.setattr(reading.subprocess, "Popen", lambda *a, **how: seen.update(how["env"]) or started(*a, **how))
    path = tmp_path / "a.7z"
    path.write_bytes(sevened({"mlp.py": b"x = 1\n"}))
    with path.open("rb") as file:
        assert [one.name for one in reading.entries(file, "7z", "a.7z", CAPS)] == ["mlp.py"]
    assert "COURSE_PASSWORD" not in seen
    assert not (tmp_path / "owned").exists()


# --- what a reader says that is the archive's by now ------------------------------------------------------------------


def told_by(code, monkeypatch, tmp_path, timeout_s=None):
    """What comes of a reader that says anything it likes."""
    started = subprocess.Popen

    def start(_command, **how):
        return started([sys.executable, "-c", f"import os, struct, sys\n{code}"], **how)

    monkeypatch.setattr(reading.subprocess, "Popen", start)
    if timeout_s is not None:
        monkeypatch.setattr(reading, "_LEAST_S", timeout_s)
    with (tmp_path / "a").open("w+b") as file:
        return list(reading.entries(file, "7z", "a.7z", CAPS))


def says(frames):
    return f"sys.stdout.buffer.write({frames!r})"


HUGE = FRAME.pack(FILE, 4, 0, 1 << 62)
LONG_NAME = FRAME.pack(FILE, 1 << 30, 0, 0)
MANY = (FRAME.pack(FILE, 1, 0, 0) + b"a") * 600


@pytest.mark.parametrize("frames", [HUGE, LONG_NAME, MANY], ids=["a huge file", "a long name", "many"])
def test_security_what_a_reader_announces_is_not_believed(frames, monkeypatch, tmp_path):
    with pytest.raises(TooLarge):
        told_by(says(frames), monkeypatch, tmp_path)


CRASHES = {
    "nothing": ("pass", "brought down"),
    "half a frame": (says(FRAME.pack(FILE, 4, 0, 10) + b"a.py1"), "brought down"),
    "crash": ("os.abort()", "brought down"),
    "no end": (says(FRAME.pack(FILE, 1, 0, 0) + b"a"), "brought down"),
    "nonsense": (says(b"?" * 21), "more than|damaged"),
    "no library": (f"sys.exit({NO_LIBRARY})", "libarchive"),
}


@pytest.mark.parametrize(("code", "said"), CRASHES.values(), ids=[*CRASHES])
def test_security_however_the_reader_ends_it_is_one_line(code, said, monkeypatch, tmp_path):
    with pytest.raises((UsageError, TooLarge)) as caught:
        told_by(code, monkeypatch, tmp_path)
    if isinstance(caught.value, UsageError):
        assert any(part in caught.value.message for part in said.split("|"))


def test_security_a_reader_that_never_ends_is_ended(monkeypatch, tmp_path):
    with pytest.raises(UsageError, match="takes longer"):
        told_by("import time; time.sleep(1000)", monkeypatch, tmp_path, timeout_s=0.2)


def test_a_reader_that_says_what_is_right_is_believed(monkeypatch, tmp_path):
    frames = FRAME.pack(FILE, 4, 7, 2) + b"a.py1\n" + FRAME.pack(END, 0, 0, 0)
    assert told_by(says(frames), monkeypatch, tmp_path) == [reading.Entry("a.py", 7, b"1\n")]


def test_without_the_library_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("LIBARCHIVE", "/nowhere.so")
    with pytest.raises(UsageError, match="libarchive") as caught:
        list(_entries_of(tmp_path))
    assert "libarchive13" in caught.value.hint


def _entries_of(folder):
    path = folder / "a.7z"
    path.write_bytes(b"7z\xbc\xaf\x27\x1c")
    with path.open("rb") as file:
        yield from reading.entries(file, "7z", "a.7z", CAPS)
