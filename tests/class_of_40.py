"""A class of forty, as classes are: who is in it, what each hands in and when, and what the ledger must say in the end.

The course has two assignments: hw1 of the real course, due on the night that the clocks go back in Berlin, and hw2, the
sums of tiny_course, which groups hand in and which has a metric. `CLASS` has the numbers, `HANDED` the files.
"""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import unicodedata
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from autograder.pack import pack
from autograder.submission import Submission
from tests.tiny_course import ASSIGNMENT, HIDDEN, PUBLIC, ROOT, write, wrong_answer
from tests.tiny_course import SOLUTION as SUMS

COURSE = """\
id: dl40
title: {en: Deep learning, zh: 深度学习}
timezone: Europe/Berlin
late: {grace_min: 10, per_day: 0.1, most: 0.25, hard_stop_days: 3}
assignments:
  - {id: hw1, due: 2026-10-24T23:59}
  - {id: hw2, due: 2026-11-20T23:59}
"""
BERLIN = ZoneInfo("Europe/Berlin")

# What the ledger says of hw1 after the run, before anybody decides anything. The wrong answers score what their
# expect.yml says, the hand-ins of the corpus what corpus.yml says, and the hidden checks that they meet.
CLASS = """\
# number  | name         |   | told by  | status     | score | late | costs | final
2026001   | 李华         | A | manifest | passed     | 100   | 0    | 0     | 100
2026002   | 张三         | A | name     | passed     | 100   | 0    | 0     | 100
2026003   | 张三丰       | A | name     | failed     | 92    | 0    | 0     | 92
2026004   | 王芳         | A | id       | passed     | 100   | 0    | 0     | 100
2026005   | 赵敏         | A | id       | passed     | 100   | 0    | 0     | 100
2026006   | 欧阳娜娜     | A | id       | passed     | 100   | 0    | 0     | 100
2026007   | 陈静         | A | id       | passed     | 100   | 0    | 0     | 100
2026008   | Max Müller   | A | name     | passed     | 100   | 0    | 0     | 100
2026009   | 刘洋         | A | id       | failed     | 80    | 0    | 0     | 80
2026010   | Ada Lovelace | A | alias    | failed     | 95    | 0    | 0     | 95
2026011   | 孙悦         | A | alias    | failed     | 97    | 0    | 0     | 97
2026012   | 周杰         | A | id       | failed     | 53    | 0    | 0     | 53
2026013   | 王伟         | A |          | failed     | 79    | 0    | 0     | 79
2026014   | 王伟         | A | id       | failed     | 86    | 0    | 0     | 86
2026015   | 吴磊         | A | id       | failed     | 46    | 0    | 0     | 46
2026016   | 郑爽         | A | id       | failed     | 46    | 0    | 0     | 46
2026017   | 冯强         | A | alias    | failed     | 93    | 1    | 9.3   | 83.7
2026018   | 褚红         | A | id       | failed     | 82    | 1    | 8.2   | 73.8
2026019   | 卫东         | A | id       | failed     | 82    | 2    | 16.4  | 65.6
2026020   | Zoë Brown    | A | name     | passed     | 100   | 3    | 25    | 75
2026021   | 蒋南         | B | id       | too late   |       | 4    | 0     | 0
2026022   | 沈冰         | B | id       | failed     | 73    | 0    | 0     | 73
2026023   | 韩雪         | B | id       | failed     | 57    | 2    | 11.4  | 45.6
2026024   | 杨光         | B | id       | failed     | 57    | 0    | 0     | 57
2026025   | 朱丹         | B | id       | passed     | 100   | 1    | 10    | 90
2026026   | 秦明         | B | id       | passed     | 100   | 0    | 0     | 100
2026027   | 尤勇         | B | id       | failed     | 0     | 0    | 0     | 0
2026028   | 许诺         | B | id       | error      | 0     | 0    | 0     | 0
2026029   | 何伟         | B | id       | unreadable | 0     | 0    | 0     | 0
2026030   | Noël Dupont  | B | id       | unreadable | 0     | 0    | 0     | 0
2026031   | 施一         | B | id       | failed     | 0     | 0    | 0     | 0
2026032   | 孔明         | B | id       | unreadable | 0     | 0    | 0     | 0
2026033   | 曹操         | B | id       | timeout    | 92    | 0    | 0     | 92
2026034   | 严格         | B | id       | failed     | 82    | 0    | 0     | 82
2026035   | 华佗         | B | id       | crashed    | 0     | 0    | 0     | 0
2026036   | 金庸         | B | id       | timeout    | 92    | 0    | 0     | 92
2026037   | 魏征         | B |          | failed     | 78    | 0    | 0     | 78
2026038   | 陶渊明       | B |          | missing    |       |      |       |
2026039   | 姜子牙       | B |          | missing    |       |      |       |
2026040   | 谢安         | B | id       | failed     | 51    | 0    | 0     | 51
2026099   | Lea Veit     | B | id       | passed     | 100   | 0    | 0     | 100
"""
JOINS_LATER, LEAVES = "2026040", "2026099"
EXTENDED = {"2026022": "hw1=2"}
CANVAS = {"2026010": "340934", "2026011": "340935", "2026017": "340936"}  # Canvas's own numbers

# --- when -------------------------------------------------------------------------------------------------------------

# The night after 24 October has an hour more: at 03:00 it is 02:00 again. 21:59 UTC is 23:59 by the clock.
DUE = datetime(2026, 10, 24, 21, 59, tzinfo=UTC)
EARLY, IN_TIME = DUE - timedelta(days=2), DUE - timedelta(hours=5)
IN_GRACE, AFTER_GRACE = DUE + timedelta(minutes=9), DUE + timedelta(minutes=11)
DAY_AFTER = datetime(2026, 10, 25, 22, 59, tzinfo=UTC)  # 23:59 by the clock: one day later, and 25 hours
DAY = timedelta(days=1)

# --- what -------------------------------------------------------------------------------------------------------------

HW1 = "assignments/hw1_perceptron"
SOLVED = ROOT / "solutions" / "hw1_perceptron"
CORPUS = ROOT / "tests" / "submissions" / "hw1"

Files = Mapping[str, bytes]


class Handed(NamedTuple):
    """What is handed in once: a file, a folder or an archive."""

    name: str
    files: Files
    at: datetime = IN_TIME
    how: str = "file"
    """file, folder, packed (`grade pack`, for hw1 or hw2), tar, gbk (a .zip whose names are in GBK), canvas."""


def wrong(name: str) -> bytes:
    """Return a typical wrong answer to hw1."""
    return (SOLVED / "wrong" / name / "perceptron.py").read_bytes()


def corpus(name: str) -> bytes:
    """Return a file of the verdict corpus."""
    return (CORPUS / name).read_bytes()


def with_finished(content: bytes) -> Files:
    """Return a hand-in that imports the corpus's finished.py, with it."""
    return {"perceptron.py": content, "finished.py": corpus("finished.py")}


RIGHT = (SOLVED / "perceptron.py").read_bytes()
STUB = (ROOT / HW1 / "perceptron.py").read_bytes()
FORK_BOMB = b"""\
import os

from finished import *


def train_and_perceptron():
    while True:
        try:
            os.fork()
        except OSError:
            pass
"""
ENDLESS = b"""\
from finished import *


def train_and_perceptron():
    while True:
        pass
"""


def file(name: str, content: bytes, at: datetime = IN_TIME, how: str = "file") -> Handed:
    """Return a hand-in of one file."""
    return Handed(name, {"perceptron.py": content}, at, how)


def folder(name: str, files: Files) -> Handed:
    """Return a hand-in of several files."""
    return Handed(name, files, how="folder")


# By the student; of several the later ones take the place of the earlier in the folder that is downloaded.
HANDED: Mapping[str, tuple[Handed, ...]] = {
    # right, in every form that a hand-in has
    "2026001": (file("2026001_李华_hw1.zip", RIGHT, how="packed"),),
    "2026002": (folder("张三", {"perceptron.py": corpus("right_lesson_class.py")}),),
    "2026003": (file("张三丰_第一次作业.py", wrong("or_for_and")),),
    "2026004": (file("2026004.py", corpus("crlf.py"), IN_GRACE),),
    "2026005": (file("2026005 赵敏.ipynb", corpus("right_notebook.ipynb")),),
    "2026006": (Handed("2026006.zip", {"感知机.py": RIGHT}, how="gbk"),),
    "2026007": (Handed("chenjing 2026007.tar.gz", {"hw1/perceptron.py": corpus("gbk_comments.py")}, how="tar"),),
    "2026008": (file(unicodedata.normalize("NFD", "Müller Max.py"), corpus("right_numpy.py")),),  # as macOS names files
    # wrong
    "2026009": (file("hw1_2026009.py", wrong("fires_at_zero"), EARLY),),
    "2026010": (file("lovelaceada_340934_99001_ada.py", wrong("activator_ignored"), how="canvas"),),
    "2026011": (
        Handed(
            "sunyue_340935_99002_",
            {"perceptron.py": wrong("changes_its_inputs"), "notes.txt": "笔记".encode()},
            how="canvas",
        ),
    ),
    "2026012": (file("2026012.py", wrong("update_before_predict")),),
    # two of one name: by the name alone it is nobody's
    "2026013": (file("王伟.py", wrong("shared_weights")),),
    "2026014": (file("2026014_王伟.py", wrong("rate_ignored")),),
    # the same bytes
    "2026015": (file("2026015.py", wrong("bias_never_updated")),),
    "2026016": (file("2026016.py", wrong("bias_never_updated")),),
    # late; too late
    "2026017": (file("fengqiang_LATE_340936_99003_hw1.py", wrong("batch_update"), AFTER_GRACE, "canvas"),),
    "2026018": (file("2026018.py", wrong("xor_by_one_perceptron"), DAY_AFTER),),
    "2026019": (file("2026019.py", wrong("errors_trains"), DAY_AFTER + DAY),),
    "2026020": (file("Brown_Zoe.py", RIGHT, DAY_AFTER + 2 * DAY),),
    "2026021": (file("2026021.py", RIGHT, DAY_AFTER + 3 * DAY),),
    # more time by the roster; more time afterwards
    "2026022": (file("2026022.py", wrong("random_start"), DAY_AFTER + DAY),),
    "2026023": (file("2026023.py", wrong("one_round_only"), DAY_AFTER + DAY),),
    # better, then worse; worse, then better and late; there and back again
    "2026024": (file("2026024.py", RIGHT, EARLY), file("2026024.py", wrong("used_up_zip"))),
    "2026025": (file("2026025.py", wrong("wrong_sign"), EARLY), file("2026025.py", RIGHT, DAY_AFTER)),
    "2026026": (
        file("2026026.py", RIGHT, EARLY),
        file("2026026.py", wrong("swapped_names"), EARLY + DAY),
        file("2026026.py", RIGHT),
    ),
    # broken
    "2026027": (file("2026027.py", corpus("empty.py")),),
    "2026028": (file("2026028.py", corpus("curly_quotes.py")),),
    "2026029": (file("2026029.py", corpus("renamed_word.py")),),
    "2026030": (file("2026030.ipynb", corpus("notebook_without_code.ipynb")),),
    "2026031": (file("2026031.py", STUB),),
    "2026032": (folder("2026032", {name: corpus(f"folder_two/{name}") for name in ("part_a.py", "part_b.py")}),),
    # hostile
    "2026033": (folder("2026033", with_finished(FORK_BOMB)),),
    "2026034": (folder("2026034", with_finished(corpus("prints_a_report.py"))),),
    "2026035": (folder("2026035", with_finished(corpus("os_exit_at_import.py"))),),
    "2026036": (folder("2026036", with_finished(ENDLESS)),),
    # nobody's at first; what can't be opened; what was packed for the other assignment
    "2026037": (file("perceptron.py", wrong("errors_as_share")),),
    "2026038": (file("2026038.rar", b"Rar!\x1a\x07\x00"),),
    "2026039": (file("2026039_姜子牙_hw2.zip", RIGHT, how="packed"),),
    # in the second roster only; in the first only
    "2026040": (file("2026040_谢安.py", wrong("fixed_weights")),),
    "2026099": (file("2026099.py", RIGHT),),
    # not of this class at all
    "2025999": (file("2025999_转学.py", wrong("lists_times_numbers")),),
    "": (file("note from the tutor.txt", "记得改截止时间".encode()),),
}

# --- hw2, in groups ---------------------------------------------------------------------------------------------------

GROUPS = {"2026001": "hw2=红队", "2026002": "hw2=红队", "2026003": "hw2=蓝队", "2026004": "hw2=蓝队"}
SUMS_HANDED = (
    Handed("2026001", {"sums.py": SUMS.encode()}, datetime(2026, 11, 20, 20, tzinfo=UTC), "folder"),
    Handed("2026003.py", {"sums.py": wrong_answer("one_off").encode()}, datetime(2026, 11, 21, 20, tzinfo=UTC)),
    Handed("2026005.py", {"sums.py": wrong_answer("minus").encode()}, datetime(2026, 11, 19, 20, tzinfo=UTC)),
)


# --- turned into files ------------------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One student, as `CLASS` has one."""

    id: str
    name: str
    section: str
    told_by: str
    status: str
    score: float | None
    days_late: int | None
    penalty: float | None
    final: float | None


def rows() -> dict[str, Row]:
    """Return the students by their numbers."""
    found: dict[str, Row] = {}
    for line in CLASS.splitlines()[1:]:
        id_, name, section, told_by, status, score, late, penalty, final = (cell.strip() for cell in line.split("|"))
        numbers = (float(said) if said else None for said in (score, late, penalty, final))
        found[id_] = Row(id_, name, section, told_by, status, *numbers)
    return found


def make_course(where: Path) -> None:
    """Make the course: hw1 as it is, with a shorter limit for what never ends, and the sums as hw2."""
    write(where / "course.yml", COURSE)
    shutil.copytree(ROOT / HW1, where / HW1, ignore=shutil.ignore_patterns("__pycache__"))
    settings = where / HW1 / "assignment.yml"
    said = settings.read_text(encoding="utf-8")
    assert "limits: {call_s: 10}" in said
    write(settings, said.replace("limits: {call_s: 10}", "limits: {call_s: 5}"))
    sums = where / "assignments" / "hw2_sums"
    write(sums / "assignment.yml", ASSIGNMENT.replace("id: hw1", "id: hw2"))
    write(sums / "tests" / "test_sums_public.py", PUBLIC)
    write(sums / "hidden" / "test_sums_hidden.py", HIDDEN)
    write(sums / "sums.py", SUMS)


def roster(*, later: bool) -> bytes:
    """Return the roster as the registrar's office gives it; later, with who has joined and without who has left."""
    lines = ["学号,姓名,班级,小组,延期"]
    lines += [
        f"{one.id},{one.name},{one.section},{GROUPS.get(one.id, '')},{EXTENDED.get(one.id, '')}"
        for one in rows().values()
        if one.id != (LEAVES if later else JOINS_LATER)
    ]
    return "\r\n".join(lines).encode("gb18030")


def canvas_roster() -> str:
    """Return Canvas's gradebook export, which has three of the class."""
    named = rows()
    lines = [f"{named[number].name},{canvas},{number},,{named[number].section}" for number, canvas in CANVAS.items()]
    return "\n".join(["Student,ID,SIS User ID,SIS Login ID,Section", "Points Possible,,,,", *lines, ""])


def canvas_zip() -> bytes:
    """Return what Canvas gives for download, with times by the clock of the course."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for handed in (one for several in HANDED.values() for one in several if one.how == "canvas"):
            moment = handed.at.astimezone(BERLIN)
            for name, content in handed.files.items():
                whole = handed.name + name if handed.name.endswith("_") else handed.name
                archive.writestr(zipfile.ZipInfo(whole, moment.timetuple()[:6]), content)
    return made.getvalue()


def downloads() -> list[list[Handed]]:
    """Return what the folder holds each time it is downloaded: the newest of each student by then."""
    plain = [several for several in HANDED.values() if several[0].how != "canvas"]
    return [[several[min(number, len(several) - 1)] for several in plain] for number in range(max(map(len, plain)))]


def write_all(where: Path, handed: list[Handed] | tuple[Handed, ...]) -> None:
    """Write a folder as it is downloaded; each thing has the time at which it was handed in."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir()
    for one in handed:
        _write(where, one)
        path = where / one.name
        for each in (path, *path.rglob("*")):
            os.utime(each, (one.at.timestamp(), one.at.timestamp()))


def _write(where: Path, handed: Handed) -> None:
    path = where / handed.name
    if handed.how == "folder":
        for name, content in handed.files.items():
            write(path / name, "").write_bytes(content)
    elif handed.how == "packed":
        number, name, assignment = path.stem.split("_")
        main = next(iter(handed.files))
        assert pack(Submission(main, dict(handed.files), main), assignment, number, name, where) == path
    else:
        (content,) = handed.files.values()
        made = {"gbk": _gbk_zip, "tar": _tar}.get(handed.how)
        path.write_bytes(made(handed.files) if made else content)


def _gbk_zip(files: Files) -> bytes:
    """Return a .zip as Windows' Explorer writes it in China: its names are in GBK, and nothing says so."""
    ((name, content),) = files.items()
    stand_in = "x" * len(name.encode("gbk"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr(stand_in, content)
    return made.getvalue().replace(stand_in.encode(), name.encode("gbk"))


def _tar(files: Files) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()
