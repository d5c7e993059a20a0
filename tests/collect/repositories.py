"""Repositories as students have them, with commits at moments of our choice."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta

from tests.collect.wanted import DUE

CODE = "def add(a, b):\n    return a + b\n"
IN_TIME, LATE = DUE - timedelta(days=1), DUE + timedelta(days=1)


def git(folder, *arguments, at=IN_TIME, said=None):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    moment = f"{int(at.timestamp())} +0000"
    environment = clean | {
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_DATE": moment,
        "GIT_AUTHOR_DATE": moment, "GIT_AUTHOR_NAME": "s", "GIT_AUTHOR_EMAIL": "s@example.edu",
        "GIT_COMMITTER_NAME": "s", "GIT_COMMITTER_EMAIL": "s@example.edu",
    }  # fmt: skip
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments]
    came = subprocess.run(command, cwd=folder, env=environment, input=said, capture_output=True, check=True)
    return came.stdout.decode().strip()


def commit(folder, files, at=IN_TIME):
    """Commit files; None removes one. Returns the commit."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "work", at=at)
    return git(folder, "rev-parse", "HEAD")
