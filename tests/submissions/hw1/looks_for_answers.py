import os
import sys
from pathlib import Path

from finished import *

# What it could learn of the judge: by the environment, arguments, the folders around, modules.
assert not {"GRADE_LANG", "PYTHONPATH", "PYTEST_CURRENT_TEST"} & set(os.environ)
assert not [text for text in (*os.environ.values(), *sys.argv) if "hw1" in text or "assignments" in text]
assert not list(Path.cwd().parent.glob("**/test_*.py"))
assert not [name for name in sys.modules if name.startswith(("autograder.judge", "pytest", "_pytest"))]
