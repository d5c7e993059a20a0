"""Run a command as an ordinary user who was made for it: `python tests/box/ordinary_user.py PROGRAM ARGUMENT…` (root).

In a mount namespace of its own, where the folder that Python is installed in is open to all: it may lie in root's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Become that user, and run the command."""
    sys.path.append(str(ROOT))
    from autograder.box.linux import mounts, namespaces

    namespaces.unshare(namespaces.Namespace.MOUNT)
    mounts.make_private()
    open_to_all(Path(sys.base_prefix))
    namespaces.become(namespaces.unused_id())
    os.execv(sys.argv[1], sys.argv[1:])


def open_to_all(folder: Path) -> None:
    """Cover the first folder on the way that others can't enter, and show the last one below it again."""
    from autograder.box.linux.mounts import Flag
    from autograder.box.linux.syscalls import call

    closed = next((one for one in reversed(folder.parents) if not one.stat().st_mode & 0o001), None)
    if closed is None:
        return
    kept = os.open(folder, os.O_PATH)
    call("mount", b"tmpfs", str(closed).encode(), b"tmpfs", 0, b"mode=755")
    folder.mkdir(parents=True)
    call("mount", f"/proc/self/fd/{kept}".encode(), str(folder).encode(), None, int(Flag.BIND | Flag.RECURSIVE), None)
    os.close(kept)


if __name__ == "__main__":
    main()
