"""docs/instructors.md is a transcript: its commands are typed here, and what they print is what stands there.

python -m tests.test_instructors_page        writes the page anew
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.collect.repositories import commit, git
from tests.pages import lines_of, written_anew
from tests.tiny_course import COURSE, ROOT, SOLUTION, make_course, write, wrong_answer

PAGE = ROOT / "docs" / "instructors.md"
DUE = "2026-09-27T23:59"
ROSTER = (
    "学号,姓名,邮箱,班级,小组\n2026001,李华,li@example.edu,一班,\n2026002,张三,zhang@example.edu,一班,\n"
    "2026003,王芳,wang@example.edu,二班,\n2026004,赵敏,zhao@example.edu,二班,红队\n2026005,钱进,qian@example.edu,二班,红队\n"
)
LATER = "学号,姓名,班级\n2026006,孙悦,三班\n"
IN_TIME, LATE = datetime(2026, 9, 27, 12, tzinfo=UTC), datetime(2026, 9, 28, 20, tzinfo=UTC)
HANDED_IN = {
    "2026001_李华.py": (SOLUTION, IN_TIME),
    "张三/sums.py": (wrong_answer("minus"), IN_TIME),
    "2026004.py": (wrong_answer("one_off"), LATE),
    "sums.py": (SOLUTION + "# whose?\n", IN_TIME),
    "2026003.rar": ("Rar!", IN_TIME),
    "2026006.md": ("What I think of sums", IN_TIME),
}
# What differs from run to run and from machine to machine, each with what stands for it.
DIFFERING = (
    (r"\b\d+\.\d s\b", "0.9 s"),
    (r"\([0-9a-f]{12}\)", "(0123456789ab)"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(?=  hw1 .*(by hand|belongs to|attempt|second look|answer|test_))", "2026-09-30 09:00"),
)


def course(folder: Path) -> None:
    """Make the course that the page speaks of."""
    make_course(folder)
    late = f"timezone: Asia/Shanghai\nlate: {{per_day: 0.1}}\nassignments: [{{id: hw1, due: {DUE}}}]"
    write(folder / "course.yml", COURSE.replace("assignments: [{id: hw1}]", late))
    (folder / "roster.csv").write_bytes(ROSTER.encode("gbk"))
    (folder / "section-3.csv").write_bytes(LATER.encode("gbk"))
    for name, (content, moment) in HANDED_IN.items():
        write(folder / "downloads" / name, content)
        os.utime(folder / "downloads" / name, (moment.timestamp(), moment.timestamp()))
    commit(folder / "git" / "2026001", {"sums.py": SOLUTION + "# in git\n"}, IN_TIME)
    commit(folder / "git" / "2026002", {"hw1/sums.py": wrong_answer("zero")}, IN_TIME)
    commit(folder / "git" / "2026002", {"hw1/sums.py": SOLUTION + "# at last\n"}, LATE)
    git(folder, "init", "--quiet", "git/2026003")


def typed(folder: Path, command: str) -> list[str]:
    """Type a command of the page; return what it prints."""
    arguments = shlex.split(command)[1:]
    if arguments[0] == "run":  # whatever isolation this machine has, nothing here depends on it
        arguments += ["--isolation", "process", "--device", "cpu", "--jobs", "1"]
    return [plain(line) for line in lines_of(folder, "autograder", *arguments)]


def plain(line: str) -> str:
    """Return a line without what differs."""
    host = re.escape(os.uname().nodename)
    line = re.sub(rf"(attempt .*  ){host} *$", r"\1machine", line)
    for pattern, stands in DIFFERING:
        line = re.sub(pattern, stands, line)
    return line.rstrip()


def test_the_page_says_what_the_commands_print(tmp_path):
    course(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    assert written_anew(page, partial(typed, tmp_path)) == page


def _write() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        course(folder)
        page = written_anew(PAGE.read_text(encoding="utf-8"), partial(typed, folder))
    finally:
        shutil.rmtree(folder)
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    _write()
