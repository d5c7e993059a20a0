import os
import sys

import numpy
from common import gained, write


def attack(facts):
    """Change what later boxes will run."""
    return gained(
        usr=lambda: write("/usr/evil"),
        etc=lambda: write("/etc/evil"),
        passwd=lambda: write("/etc/passwd"),
        numpy=lambda: write(numpy.__file__),
        worker=lambda: write(sys.modules["autograder.box.worker"].__file__),
        cache=lambda: os.makedirs(os.path.join(os.path.dirname(numpy.__file__), "__pycache__", "evil")),
        prefix=lambda: write(sys.prefix + "/evil"),
        root=lambda: write("/evil"),
        dev=lambda: write("/dev/evil"),
        remove=lambda: os.unlink(numpy.__file__),
        rename=lambda: os.rename("/usr", "/usr2"),
        mode=lambda: os.chmod("/usr", 0o777),
    )
