"""What the standard library has no function for: a fork of which Python is not told."""

from __future__ import annotations

import subprocess
import sys

FORKS = """
import os, threading
from autograder.box.linux.syscalls import fork_bare

os.register_at_fork(after_in_child=lambda: os.write(1, b"told "))
child = fork_bare()
if child == 0:
    os.write(1, b"child ")
    grandchild = os.fork()
    if grandchild == 0:
        thread = threading.Thread(target=os.write, args=(1, b"thread "))
        thread.start()
        thread.join()
        os._exit(7)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_python_is_told_of_the_fork_after_a_bare_one():
    """As in a box: init is forked bare, and the worker by init."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["child", "told", "thread", "7"]
