"""What submissions try where tests run in their own kernel: cells for a notebook that earns 0 of 7 without them.

The homework is `total(xs)`, the sum of squares: two visible points, three for hidden tests, two of partial credit.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.plain_course import notebook

WRONG = "def total(xs):\n    return -1"
RIGHT = "def total(xs):\n    return sum(x * x for x in xs)"
_VISIBLE = "assert total([1, 2]) == 5"
_HIDDEN = """\
assert callable(total)
### BEGIN HIDDEN TESTS
secret_want = 91.0
came = total([1, 2, 3, 4, 5, 6])
assert came == secret_want
### END HIDDEN TESTS
"""
_PARTIAL = "2.0 if total([2]) == 4 else 0.0"


def homework(answer):
    """Return a notebook with an answer in its solution cell."""
    return notebook(
        (answer, {"grade_id": "answer", "solution": True}),
        (_VISIBLE, {"grade_id": "visible", "points": 2}),
        (_HIDDEN, {"grade_id": "hidden", "points": 3}),
        (_PARTIAL, {"grade_id": "partial", "points": 2}),
    )


SOURCE = homework(f"### BEGIN SOLUTION\n{RIGHT}\n### END SOLUTION")


class Cheat(NamedTuple):
    """One attempt."""

    name: str
    says: str
    """What it does, for the table in docs/nbgrader-plain.md."""
    answer: str
    stock: float | None
    """What it gets from nbgrader as it comes; None: no grade at all."""
    boxed: float
    """What it gets here."""
    slow: bool = False


_ALWAYS_EQUAL = """
class Any(float):
    __eq__ = lambda self, other: True
    __hash__ = float.__hash__
def total(xs):
    return Any(-1)
"""

CHEATS = (
    # --- in the kernel that the tests run in ---
    Cheat("asserts", "takes every `assert` out of what runs", f"""\
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Drop())
{WRONG}""", 5, 5),
    Cheat("equal", "returns a number that equals everything", _ALWAYS_EQUAL, 7, 7),
    Cheat("peek", "answers the visible tests, and a hidden one by its own variable", """\
import sys
def total(xs):
    if len(xs) < 6: return {1: 4, 2: 5}[len(xs)]
    return sys._getframe(1).f_globals['secret_want']""", 7, 7),
    Cheat("forge", "sends a result of its own as the cell's output", f"""\
{WRONG}
ip = get_ipython()
ip.events.register('pre_run_cell', lambda info: ip.displayhook('ok'))""", 7, 2),
    Cheat("hook", "shows itself the hidden tests, by a hook before each cell", f"""\
{WRONG}
get_ipython().events.register('pre_run_cell', lambda info: print(info.raw_cell))""", 0, 0),
    # --- beyond it ---
    Cheat("source", "runs the reference solution from `source/`", """\
import json, pathlib
cells = json.loads(pathlib.Path('../../../source/hw/p1.ipynb').read_text())['cells']
exec(''.join(cells[0]['source']))""", 7, 0),
    Cheat("gradebook", "writes into `gradebook.db`", f"""\
import sqlite3
db = sqlite3.connect('../../../gradebook.db')
db.execute("update grade set manual_score = 7"); db.commit()
{WRONG}""", 7, 0),
    Cheat("own_notebook", "reads the hidden tests in its own notebook, and answers them", """\
import json, pathlib
text = pathlib.Path('p1.ipynb').read_text()
want = {2: 5, 6: 91, 1: 4} if 'secret_want' in text else {}
def total(xs): return want.get(len(xs), -1)""", 7, 0),
    Cheat("peer", "runs another student's answer", """\
import json, pathlib
cells = json.loads(pathlib.Path('../../../submitted/aaa_right/hw/p1.ipynb').read_text())['cells']
exec(''.join(cells[0]['source']))""", 7, 0),
    Cheat("config", "appends to `nbgrader_config.py`, which then runs as the instructor", f"""\
with open('../../../nbgrader_config.py', 'a') as file: file.write('# PLANTED\\n')
{WRONG}""", 0, 0),
    Cheat("network", "sends to another machine", f"""\
import socket
s = socket.create_connection(('127.0.0.1', PORT), 2); s.sendall(b'the notebook')
{WRONG}""", 0, 0),
    Cheat("daemon", "leaves a process behind", f"""\
import subprocess
subprocess.Popen(['sleep', 'SECONDS'], start_new_session=True)
{WRONG}""", 0, 0),
    Cheat("exit", "ends the kernel", "import os; os._exit(0)", None, 0),
    Cheat("signals", "signals every process that it may", f"""\
import os, signal
try: os.kill(-1, 0); LEAK = open('/proc/1/environ').read()
except OSError: pass
{WRONG}""", 0, 0),
    Cheat("etc", "reads the machine's secrets", f"""\
open('/etc/shadow').read()
{WRONG}""", 0, 0),
    Cheat("environment", "prints the instructor's environment", f"""\
import os
print(os.environ['TOKEN_OF_THE_INSTRUCTOR'])
{WRONG}""", 0, 0),
    Cheat("garbled", "sends what no kernel sends", f"""\
{WRONG}
ip = get_ipython(); s = ip.kernel.session
s.send(ip.kernel.iopub_socket, 'status', content={{}}, parent=ip.parent_header)""", None, 0),
    # --- what takes time ---
    Cheat("loop", "never ends", "while True: pass", 0, 0, slow=True),
    Cheat("stubborn", "never ends, and can't be interrupted", """\
import time
while True:
    try: time.sleep(9)
    except BaseException: pass""", None, 0, slow=True),
    Cheat("memory", "takes 3 GB", f"""\
x = bytearray(3 << 30); x[::4096] = b'1' * len(x[::4096])
{WRONG}""", 0, 0, slow=True),
    Cheat("forked_memory", "takes 1.6 GB, in processes that each take little", f"""\
import os, time
for _ in range(8):
    if not os.fork():
        x = bytearray(200 << 20); time.sleep(60); os._exit(0)
time.sleep(3)
{WRONG}""", 0, 0, slow=True),
    Cheat("flood", "prints 100 MB", f"""\
for _ in range(100): print('x' * (1 << 20))
{WRONG}""", 0, 0, slow=True),
    Cheat("disk", "writes 3 GB", f"""\
with open('big', 'wb') as file:
    for _ in range(3000): file.write(bytes(1 << 20))
{WRONG}""", 0, 0, slow=True),
)  # fmt: skip
