"""What a student's process can reach in a sealed box, tried in one: `python -m tests.box.audit > docs/box-audit.md`.

What depends on the machine is named by its role, so that the page says what is promised and no more.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autograder.box import plain, seal
from autograder.box.backends import NAMESPACES
from autograder.box.client import BoxClient
from autograder.box.linux import mounts, numbers
from autograder.box.linux.policy import Allow, Bits, IsNull, OneOf, Profile, Refuse, Rule, SomeNotDone, rules
from autograder.box.linux.python import needed_folders
from autograder.box.spec import BoxSpec
from autograder.limits import Limits
from tests.box.conftest import Driven, close

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("audited.py").read_bytes()
MACHINE = "x86_64"  # whose calls the page lists; others have some of them under other names
# uretprobe and uprobe: newer kernels (6.13) answer them before any filter. Who is not at a probe gets a SIGILL.
BEFORE_FILTERS = {335, 336}
LIMITS = Limits()
INSTALLED = "<installed>"
CLOSED = (
    *(f"/proc/1/{name}" for name in ("environ", "mem", "maps", "fd", "root", "cwd", "exe", "ns/pid")),
    *(
        f"/proc/{name}"
        for name in ("kcore", "kmsg", "kpagecount", "kpageflags", "keys_all", "sysrq-trigger", "vmallocinfo")
    ),
    "/sys",
    "/root",
    "/home",
    "/run",
    "/var",
    "/mnt",
    "/opt",
)

HEAD = """\
# What a student's process can reach

Made by `python -m tests.box.audit > docs/box-audit.md`: a submission in a sealed box (`namespaces`) tries, and this is
what came of it. `tests/box/test_audit.py` makes it anew, as root and as an ordinary user, and fails where it differs.
`<installed>` stands for the folders that Python and its packages are installed in, besides `/usr`. What it is good for:
[the box](box.md).
"""


def main() -> None:
    """Print the page."""
    sys.stdout.write(page(NAMESPACES))


def page(isolation: str) -> str:
    """Return the page: what was found in one box, and what strace saw of attempts."""
    box = open_box(isolation)
    try:
        found = [section(box, heading) for heading in SECTIONS]
    finally:
        close(box.client)
    rows = [traced_row(assignment, traced(assignment)) for assignment in TRACED]
    return "\n".join([HEAD, *found, f"## {OUTSIDE}\n\n{table(TRACED_HEAD, rows)}\n"])


def open_box(isolation: str) -> Driven:
    """Return a box with the audit's submission in it."""
    spec = BoxSpec({"audited.py": SOURCE}, "audited.py", (), "cpu", LIMITS, isolation=isolation)
    return Driven(BoxClient(spec))


def section(box: Driven, heading: str) -> str:
    """Return one of the page's sections, found out anew."""
    return f"## {heading}\n\n{SECTIONS[heading](box)}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def yes(value: object) -> str:
    return "yes" if value else "no"


# --- files ------------------------------------------------------------------------------------------------------------


def installed_folders() -> tuple[str, ...]:
    """Return the folders that are shown whole, but for /usr and what is a link into it on some machines."""
    package = Path(seal.__file__).resolve().parents[1]
    return tuple(folder for folder in needed_folders([package]) if folder != "/usr")


def role(path: str) -> str:
    """Return a path's name on the page; empty where it only leads to an installed folder."""
    for folder in installed_folders():
        if path == folder or path.startswith(f"{folder}/"):
            return INSTALLED
        if folder.startswith(f"{path.rstrip('/')}/") and path not in {"/", "/tmp"}:
            return ""
    return path


def files(box: Driven) -> str:
    whole = [*installed_folders(), "/usr", "/proc", *(f"/{name}" for name in SYSTEM)]
    found = box.call("walk", whole)
    rows = {}
    for path, can in found.items():
        name = role(path)
        if name and not (name[1:] in SYSTEM or name.startswith("/scratch/")) and name not in OPTIONAL:
            if name == "/tmp" and can["kind"] == "folder":  # where Python is installed below it
                can = {"kind": "folder" if can["write"] else "link"}  # noqa: PLW2901
            rows[name] = (f"`{name}`", WHAT.get(name, ""), can["kind"], shown(can.get("read")), shown(can.get("write")))
    below = [place for folder in ("/usr", *installed_folders()) for place in box.call("writable_below", folder)]
    # The page shows all; what leads to an installed folder on this machine has that folder in it and nothing else.
    readable = [path for path in box.call("closed", list(CLOSED)) if role(path)]
    in_proc = [path for path in box.call("writable_below", "/proc", ["fd"]) if path not in COVERED]
    return "\n".join([
        table(("path", "what it is", "kind", "read", "write"), (rows[name] for name in sorted(rows))),
        "",
        "`/bin`, `/lib` and their like are what they are on the machine: links into `/usr`, or read-only folders. Of",
        "`/etc`, `localtime`, `timezone`, `ld.so.cache` and `mime.types` are there where the machine has them.",
        "",
        f"- Below `/usr` and `{INSTALLED}`, what can be written: {shown_list(below)}.",
        f"- Below `/proc`, what can be written: {shown_list(in_proc)} (its own descriptors aside).",
        f"- Covered by the null device, where the kernel has them: {shown_list(sorted(COVERED))}.",
        f"- What can be read of {', '.join(f'`{path}`' for path in CLOSED)}: {shown_list(readable)}.",
    ])  # fmt: skip


COVERED = {f"/proc/{name}" for name in mounts.COVERED}
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
OPTIONAL = tuple(f"/etc/{name}" for name in ("localtime", "timezone", "ld.so.cache", "mime.types"))
WHAT = {
    "/": "a root of the box's own",
    "/usr": "the machine's programs and libraries",
    INSTALLED: "Python and its packages",
    "/scratch": "the box's own; everything below can be written, within its size",
    "/tmp": "leads into the scratch folder; a folder that can't be written where Python is installed below it",
    "/dev/shm": "leads into the scratch folder",
    "/etc/passwd": "made: one user",
    "/etc/group": "made: one group",
    "/etc/hosts": "made: localhost",
    "/etc/nsswitch.conf": "made: files only",
    "/proc": "its own processes",
    "/datasets": "copies of the datasets that the assignment lists; empty here",
}


def shown(can: bool | None) -> str:
    return "" if can is None else yes(can)


def shown_list(found: list[str]) -> str:
    return ", ".join(f"`{one}`" for one in found[:20]) or "nothing"


def mounted(box: Driven) -> str:
    """Say what is mounted, and how; mounts below a folder that is shown whole are as it is."""
    rows: dict[str, tuple[str, ...]] = {}
    for line in box.call("mounts").splitlines():
        head, _, tail = line.partition(" - ")
        path, options = head.split()[4:6]
        kind = tail.split()[0]
        name = role(path)
        if name in COVERED:
            continue
        name = "/usr" if path.startswith("/usr/") or path[1:].split("/")[0] in SYSTEM else name
        ours = kind if name in {"/", "/scratch", "/proc"} else "the machine's"
        flags = tuple(yes(flag in options.split(",")) for flag in ("ro", "nosuid", "nodev", "noexec"))
        # A device is a file that is mounted: whether `nodev` is set there is the machine's.
        row = (f"`{name}`", ours, *(flags if not name.startswith("/dev/") else ("", *flags[1:2], "", "")))
        if name in rows and rows[name] != row and name not in {"/proc", "/scratch"}:
            raise AssertionError(f"{name} is mounted in two ways: {rows[name]} {row}")
        rows[name] = row  # the last one covers those before
    return table(
        ("place", "file system", "read-only", "nosuid", "nodev", "noexec"), (rows[name] for name in sorted(rows))
    )


def landlock(_: Driven) -> str:
    """Say which files may be opened by landlock's rules, once more and whatever is mounted."""
    granted = seal.prepare((INSTALLED, "/usr")).rules._asdict()
    what = {
        "libraries": "read, mapped for execution",
        "readable": "read",
        "listed": "names only",
        "writable": "everything but devices and execution",
        "devices": "read and written",
    }
    rows = ((", ".join(f"`{path}`" for path in granted[name]), what[name]) for name in what)
    return (
        table(("below", "may be"), rows) + "\n\nNothing else. No TCP port; signals and abstract sockets within the box."
    )


# --- process ----------------------------------------------------------------------------------------------------------


def descriptors(box: Driven) -> str:
    what = ["stdin: nothing", "stdout: counted", "stderr: counted", "to the judge: frames"]
    rows = (
        (number, *kind, dict(enumerate(what)).get(int(number), "")) for number, kind in box.call("descriptors").items()
    )
    return table(("number", "kind", "access", "what it is"), rows)


def processes(box: Driven) -> str:
    rows = [("1", "init of the box; its memory, environment and descriptors are closed")]
    rows += [(str(number), "the student's") for number in box.call("processes") if number != 1]
    return table(("number", "what it is"), rows)


def rights(box: Driven) -> str:
    process, namespaces = box.call("process"), box.call("namespaces")
    # Groups that an ordinary user can't give up are nobody's in here.
    process["Groups"] = " ".join(sorted({*process["Groups"].split()} - {"65534"})) or "none that has a name"
    rows = [(f"`{name}`", " ".join(value.split())) for name, value in process.items()]
    neighbour = open_box(box.client.isolation)
    try:
        theirs = neighbour.call("namespaces")
    finally:
        close(neighbour.client)
    # Those that new children would be put into say nothing of this process.
    kinds = [name for name in namespaces if not name.endswith("_for_children")]
    judges = {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in kinds}
    own = ((f"`{name}`", yes(namespaces[name] not in {judges[name], theirs[name]})) for name in kinds)
    return "\n\n".join([table(("of the process", "value"), rows), table(("namespace", "its own"), own)])


def limits(box: Driven) -> str:
    """Say the limits of one process; memory is counted from what was mapped before, which depends on the machine."""
    found = box.call("limits")
    fixed = ("CORE", "CPU", "FSIZE", "MEMLOCK", "MSGQUEUE", "NOFILE", "NPROC", "STACK")
    rows = [(f"`{name}`", *map(str, found[f"RLIMIT_{name}"])) for name in fixed]
    for name, factor in (("AS", 8), ("DATA", 1)):
        beyond = found[f"RLIMIT_{name}"][0] - factor * LIMITS.memory_mb * 2**20
        said = f"what the zygote had mapped + {factor} × `memory_mb`" if 0 < beyond < 2**36 else f"{beyond} more"
        rows.append((f"`{name}`", said, "the same"))
    return table(("limit", "soft", "hard"), rows) + "\n\nWith the defaults of `limits:`."


def environment(box: Driven) -> str:
    passed = {*plain._PASSED_ON, "PYTHONPATH", "PYTHONUSERBASE"}
    found = box.call("environment")
    rows = [(f"`{name}`", f"`{found[name]}`") for name in sorted(found) if name not in passed]
    names = ", ".join(f"`{name}`" for name in sorted(passed))
    return table(("variable", "value"), rows) + f"\n\nPassed on where the judge has them: {names}."


# --- system calls -----------------------------------------------------------------------------------------------------


def system_calls(box: Driven) -> str:
    """Say what is decided of each call; what is refused has been tried in the box, each by its number."""
    decided = rules(Profile())
    tried = refused_when_tried(box, decided)
    by_answer: dict[str, list[str]] = {}
    for name, rule in sorted(decided.items()):
        if name in numbers.TABLES[MACHINE]:
            by_answer.setdefault(answer(rule), []).append(f"`{name}`")
    rows = [(said, str(len(names)), " ".join(names)) for said, names in sorted(by_answer.items())]
    return "\n".join([
        table(("answer", "how many", "calls"), rows),
        "",
        "Every other number is `ENOSYS`: it does not exist. The 32-bit ABI ends the process; x32 does not exist.",
        f"The numbers are those of {MACHINE}. Newer kernels answer 335 and 336 (`uretprobe`, `uprobe`) before any",
        "filter: by SIGILL, where no probe is set.",
        "",
        f"Tried with zeros, and answered otherwise than the table says: {shown_list(tried)}.",
    ])  # fmt: skip


def refused_when_tried(box: Driven, decided: dict[str, Rule]) -> list[str]:
    """Make each refused call in the box, and every number that the policy does not name; return what differed."""
    known = numbers.this_machine()
    refused = {name: known[name] for name, rule in decided.items() if isinstance(rule, Refuse) and name in known}
    named = {known[name] for name in decided if name in known}
    unknown = {f"number {number}": number for number in range(512) if number not in named | BEFORE_FILTERS}
    came = box.call("system_calls", refused | unknown)
    wanted = {name: error_name(decided[name].error) for name in refused}  # type: ignore[union-attr]
    wanted |= dict.fromkeys(unknown, "ENOSYS")
    return [f"{name}: {came[name]}" for name in came if came[name] != wanted[name]]


def error_name(error: int) -> str:
    return errno.errorcode[error] if error else "none"


def answer(rule: Rule) -> str:
    """Return a rule in words."""
    match rule:
        case Allow():
            return "allowed"
        case Refuse(error):
            return f"`{error_name(error)}`" if error else "nothing is done, and success is told"
        case OneOf(argument, values, error):
            said = ", ".join(map(hex, values))
            return f"allowed if argument {argument} is one of {said}; else `{errno.errorcode[error]}`"
        case SomeNotDone(argument, values, not_done, error):
            said, left = (", ".join(map(hex, some)) for some in (values, not_done))
            return (f"allowed if argument {argument} is one of {said}; nothing is done, and success is told, if one of"
                    f" {left}; else `{errno.errorcode[error]}`")  # fmt: skip
        case Bits(argument, none_of, all_of, error):
            return (f"allowed if argument {argument} has all bits of {all_of:#x} and none of {none_of:#x};"
                    f" else `{errno.errorcode[error]}`")  # fmt: skip
        case IsNull(argument, error):
            return f"allowed if argument {argument} is null; else `{errno.errorcode[error]}`"


SECTIONS: dict[str, Callable[[Driven], str]] = {
    "Files": files,
    "Mounts": mounted,
    "Landlock": landlock,
    "Descriptors": descriptors,
    "Processes": processes,
    "Rights": rights,
    "Limits": limits,
    "Environment": environment,
    "System calls": system_calls,
}


# --- from outside -----------------------------------------------------------------------------------------------------

OUTSIDE = "Seen from outside"
TRACED = {"hw1": "hw1_perceptron/perceptron.py", "hw2": "hw2_mlp/mlp_torch.py"}
TRACED_HEAD = ("attempt", "system calls after the seal, by `strace`", "opened")
_CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\w+)(?: (E\w+))?")
_PATH = re.compile(r'"([^"]*)"')
_THREAD = re.compile(r"(\d+) in strace's PID NS")
_SEALED = "seccomp(SECCOMP_SET_MODE_FILTER"
_SERVES = "recvfrom("
# Importing torch makes 70,000 system calls, each of which strace stops twice: on a busy machine that is past 60 s.
_PATIENCE = "limits: {import_s: 600, call_s: 600, training_s: 600, attempt_s: 1800}\n"


class Traced(NamedTuple):
    """What a worker did from its last layer on."""

    calls: frozenset[str]  # those that the kernel let pass
    refused: frozenset[str]
    opened: frozenset[str]  # roles of paths


def traced(assignment: str) -> Traced:
    """Run an attempt of the reference solution under strace, and return what its boxes did."""
    command = [sys.executable, "-m", "autograder", "check", assignment, ROOT / "solutions" / TRACED[assignment]]
    with tempfile.TemporaryDirectory() as traces, tempfile.TemporaryDirectory() as course:
        (Path(course) / "course.yml").write_bytes((ROOT / "course.yml").read_bytes() + _PATIENCE.encode())
        (Path(course) / "assignments").symlink_to(ROOT / "assignments")
        strace = ["strace", "-f", "-ff", "-qq", "-s", "500", "--decode-pids=pidns", "-o", f"{traces}/of"]
        subprocess.run(
            [*strace, *command, "--isolation", NAMESPACES, "--device", "cpu"],
            cwd=course, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        files = {path.suffix[1:]: path.read_text(errors="replace") for path in Path(traces).iterdir()}
    done = [call for text in files.values() for call in _after_the_seal(text, files)]
    return Traced(
        calls=frozenset(call[1] for call in done if call[4] not in {"EPERM", "ENOSYS", "ENOTTY"}),
        refused=frozenset(call[1] for call in done if call[4] in {"EPERM", "ENOSYS", "ENOTTY"}),
        opened=frozenset(_opened(done)),
    )


def _after_the_seal(text: str, files: dict[str, str]) -> Iterator[re.Match[str]]:
    """Yield the calls of a worker from its last layer on, and those of the threads that it starts."""
    _, _, after = text.partition(_SEALED)
    if _SERVES not in after:  # no worker, but a process in which the probe tried the same layers
        return
    yield from _calls(after)
    for thread in _THREAD.findall(after):
        yield from _calls(files.get(thread, ""))


def _calls(text: str) -> Iterator[re.Match[str]]:
    return (found for line in text.splitlines() if (found := _CALL.match(line)))


def _opened(done: list[re.Match[str]]) -> Iterator[str]:
    for call in done:
        path = _PATH.search(call[2])
        if call[1] in {"open", "openat", "openat2"} and not call[3].startswith("-") and path:
            yield traced_role(path[1])


def traced_role(path: str) -> str:
    """Return what a file is that an attempt opens, however deep it lies."""
    if not path.startswith("/"):
        return "`/scratch`"
    name = role(path) or INSTALLED
    if name[1:].split("/")[0] in SYSTEM:
        return "`/usr`"
    first = [*name.split("/"), ""][1]
    return f"`/{first}`" if first in {"usr", "scratch", "proc", "tmp"} else f"`{name}`"


def traced_row(assignment: str, seen: Traced) -> tuple[str, ...]:
    """Return an attempt's row of the page."""
    calls = " ".join(f"`{name}`" for name in sorted(seen.calls))
    refused = " ".join(f"`{name}`" for name in sorted(seen.refused - seen.calls))
    return assignment, f"{calls}; refused: {refused or 'none'}", ", ".join(sorted(seen.opened))


if __name__ == "__main__":
    main()
