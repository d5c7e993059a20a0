"""The one place that runs git: with its own settings, within limits, and never asking anybody anything.

SECURITY: what a remote sends is hostile. Nothing of it is checked out, so no hook, filter, link, submodule or
attribute in it can act; and each layer here closes one more way.

- Settings: those of the machine and the user are not read (a filter, an alias or a hook in them would act on students'
  files), but for three kinds that a private remote can't be read without: `credential.*`, `http.*`, `safe.directory`.
- Environment: the instructor's own, for agents, proxies and credential helpers need it, less every GIT_ variable:
  those of a hook or a debugger would lead git elsewhere.
- Protocols: https, http, ssh and git; files only where the instructor named a path; `ext::` never: it is a command.
- Limits: time for each command, memory, and the size of every file it writes, which is that of a pack.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from autograder.errors import UsageError
from autograder.messages import text

MOST_PACK_BYTES = 256 << 20  # of what one fetch brings: two submissions of the largest size, and their history
_MOST_MEMORY_KB = 4 << 20
_MOST_SAID_BYTES = 16 << 20
_FETCH_S = 120.0
_TAKEN_OVER = r"^(credential\.|http\.|safe\.directory$)"
_FOR_EVERY_HOST = "http.extraheader"  # a token, as a rule; hosts may be what students wrote into a table
_OWN_COMMAND = ("!", "/", "~")  # and not the name of one of git's
_OLDEST = (2, 32)  # earlier ones don't know GIT_CONFIG_GLOBAL and GIT_CONFIG_COUNT: nothing below would hold
_ALLOWED = ("https", "http", "ssh", "git")
_SETTINGS = {
    "protocol.allow": "never",
    **{f"protocol.{name}.allow": "always" for name in _ALLOWED},
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.bigFileThreshold": "16m",  # what is larger is hashed piece by piece, and not unpacked into memory
    "transfer.fsckObjects": "true",
    "fetch.fsck.zeroPaddedFilemode": "warn",  # old programs wrote them; every host takes them
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "fetch.unpackLimit": "1",  # always a pack: one file, which the limit of a file's size holds
    "gc.auto": "0",  # what a student replaced stays here, as evidence
    "maintenance.auto": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
}
# `ulimit` is the shell's own: a limit set from Python would need code between fork and exec, beside other threads.
_LIMITED = 'ulimit -f "$1"; ulimit -v "$2" 2>/dev/null || :; shift 2; exec "$@"'
_BLOCK_BYTES = 512  # POSIX's unit of `ulimit -f`
_ENDED_BY_LIMIT = re.compile(r"signal 25|File too large|invalid index-pack output|[Oo]ut of memory")
_SIGXFSZ = 25  # what ends a process that writes beyond it; Windows lacks the name


class GitFailedError(Exception):
    """Git could not do it; `said` is what it wrote to stderr."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class GitTimeoutError(GitFailedError):
    """It took too long."""


class GitTooLargeError(GitFailedError):
    """It would have been larger than it may be."""


class Git:
    """Runs git, in several threads at once if need be.

    Args:
        local: whether remotes may be paths of this machine.
        hosts_told: whether remotes may be of hosts that students named.
        timeout_s: for one command.

    Raises:
        UsageError: there is no git here.
    """

    def __init__(self, *, local: bool, hosts_told: bool = False, timeout_s: float = _FETCH_S) -> None:
        program = shutil.which("git")
        if program is None:
            raise UsageError(text("sources.no_git"), hint=text("sources.no_git_hint"))
        if _version(program) < _OLDEST:
            raise UsageError(text("sources.old_git", least=".".join(map(str, _OLDEST))))
        self._program, self._timeout_s = program, timeout_s
        self._environment = _environment(program, local=local, hosts_told=hosts_told)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, folder: Path, *arguments: str, said: bytes = b"", most_bytes: int = _MOST_SAID_BYTES) -> bytes:
        """Run a command in a folder and return what it wrote.

        Args:
            folder: a bare repository, or an empty folder.
            arguments: of git.
            said: for its stdin.
            most_bytes: that it may write.

        Raises:
            GitFailedError: it failed, took too long or wrote too much.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            code = self._wait(folder, arguments, said, (out, errors))
            problem = _head(errors, 10_000).decode(errors="replace")
            is_bad = "fsck error" in problem  # that ends the command in the same words
            if code in {-_SIGXFSZ, 128 + _SIGXFSZ} or (_ENDED_BY_LIMIT.search(problem) and not is_bad):
                raise GitTooLargeError(problem)
            if code:
                raise GitFailedError(problem)
            came = _head(out, most_bytes + 1)
            if len(came) > most_bytes:
                raise GitTooLargeError(problem)
            return came

    def stop(self) -> None:
        """End what is running, and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)

    def _wait(self, folder: Path, arguments: Sequence[str], said: bytes, files: tuple[IO[bytes], IO[bytes]]) -> int:
        limits = [str(MOST_PACK_BYTES // _BLOCK_BYTES), str(_MOST_MEMORY_KB)]
        shell = [] if os.name == "nt" else ["/bin/sh", "-c", _LIMITED, "sh", *limits]
        command = [*shell, self._program, "--literal-pathspecs", "--no-pager", *arguments]
        # The folder or nothing: the course may be a repository itself, and its settings are not for students' work.
        environment = self._environment | {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
        with self._lock:
            if self._stopped:
                raise GitFailedError("")
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=files[0], stderr=files[1],
                start_new_session=True,  # no terminal that ssh could ask at; and all it starts can be ended with it
            )  # fmt: skip
            self._running.add(process)
        try:
            process.communicate(said, timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            raise GitTimeoutError("") from None
        finally:
            with self._lock:
                _kill(process)
                process.wait()
                self._running.discard(process)
        return process.returncode


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a command with all that it has started; nothing where it has ended by itself."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _head(file: IO[bytes], most_bytes: int) -> bytes:
    file.seek(0)
    return file.read(most_bytes)


def _version(program: str) -> tuple[int, ...]:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else (0, 0)


def _environment(program: str, *, local: bool, hosts_told: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    settings = [*_taken_over(program, kept, hosts_told=hosts_told), *_SETTINGS.items()]
    settings.append(("protocol.file.allow", "always" if local else "never"))
    made = kept | {
        "LC_ALL": "C",  # what it says is looked at
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",  # set, or a window of SSH_ASKPASS opens
        "GIT_NO_LAZY_FETCH": "1",  # nothing is fetched by the way, and no remote on this machine fetches for us
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_SSH_COMMAND": os.environ.get(
            "GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oForwardAgent=no -oConnectTimeout=20"
        ),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    # In the environment and not among the arguments: an http.extraHeader is a secret, and everybody sees arguments.
    for number, (name, value) in enumerate(settings):
        made |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return made


def _taken_over(program: str, environment: dict[str, str], *, hosts_told: bool) -> Iterator[tuple[str, str]]:
    """Yield the user's own settings that a private remote can't be read without.

    SECURITY: a command of the user's own that is asked for every host may give its password to each, a student's, too.
    Git's helpers look at the host.
    """
    command = [program, "config", "--null", "--get-regexp", _TAKEN_OVER]
    asked = subprocess.run(command, cwd=Path.home().anchor, env=environment, capture_output=True, check=False)
    for entry in asked.stdout.decode(errors="surrogateescape").split("\0"):
        name, _, value = entry.partition("\n")
        is_anybodys = hosts_told and name == "credential.helper" and value.startswith(_OWN_COMMAND)
        if name and name != _FOR_EVERY_HOST and not is_anybodys:
            yield name, value


# --- remotes ----------------------------------------------------------------------------------------------------------

_HELPER = re.compile(r"^[\w.+-]*::")
_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9.+-]*)://(?:[^/@]*@)?(?P<host>[^/]*)")
_SCP = re.compile(r"^(?:[^/:@]*@)?(?P<host>[^/:]+):(?P<path>.+)$")
_WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")


def is_local(remote: str) -> bool:
    """Whether a remote is a path of this machine."""
    if url := _URL.match(remote):
        return url["scheme"].lower() == "file"
    return bool(_WINDOWS_DRIVE.match(remote)) or not (_HELPER.match(remote) or _SCP.match(remote))


def is_allowed(remote: str, *, local: bool) -> bool:
    """Whether a remote may be asked. `ext::sh -c …` is a command, `-oProxyCommand=…` as a host's name is one, too."""
    if not remote or remote.startswith("-") or not remote.isprintable() or _HELPER.match(remote):
        return False
    if is_local(remote):
        return local
    if url := _URL.match(remote):
        return url["scheme"].lower() in _ALLOWED and not url["host"].startswith("-")
    ssh = _SCP.match(remote)
    return ssh is not None and not ssh["host"].startswith("-") and not ssh["path"].startswith("-")


def without_secrets(said: str) -> str:
    """Return a text without what stands before the @ of an address in it: names and tokens."""
    return re.sub(r"://[^/@\s]*@", "://", said)
