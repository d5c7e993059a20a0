"""docs/mail.md is a transcript, as docs/instructors.md is: its commands are typed here, against real servers.

GRADE_WRITE_PAGE=1 python -m pytest tests/collect/test_mail_page.py        writes the page anew
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.collect.mails import CODE, STUDENTS, course, mail
from tests.pages import written_anew
from tests.test_instructors_page import typed
from tests.tiny_course import ROOT

PAGE = ROOT / "docs" / "mail.md"
IN_TIME, LATE = datetime(2026, 9, 27, 12, 30, 5, tzinfo=UTC), datetime(2026, 9, 28, 20, tzinfo=UTC)
SETTINGS = """\
mail:
  imap: imap://{user}@127.0.0.1:{imap}/
  smtp: smtp://{user}@127.0.0.1:{smtp}
  sender: hw@example.edu
"""
LINK = "https://wx.mail.qq.com/ftn/download?func=3&key=ab&code=cd"
MAILS = (
    (mail("作业1 2026001 李华", message_id="<1@x>"), IN_TIME),
    (mail("Homework 1", {"sums.py": CODE + b"# mine\n"}, sender="zhang@example.edu", message_id="<2@x>"), IN_TIME),
    (mail("第一次作业 Max Müller", {"sums.py": CODE + b"# max\n"}, sender="max@example.edu", message_id="<3@x>"), LATE),
    (mail("作业", {"homework.py": CODE + b"#\n"}, sender="x@qq.example", message_id="<4@x>"), IN_TIME),
    (mail("作业1 2026003 王芳", sender="zhang@example.edu", message_id="<5@x>"), IN_TIME),
    (mail("作业1 2026003 王芳", {"a.png": b"x"}, sender="w@qq.example", message_id="<6@x>"), IN_TIME),
    (mail("作业1 2026003 王芳", {}, sender="w@qq.example", body=LINK, message_id="<7@x>"), IN_TIME),
    (mail("作业2 2026001 李华", {"lines.py": CODE}, message_id="<8@x>"), IN_TIME),
)


def shown(folder: Path, command: str) -> list[str]:
    if command.startswith("cat "):
        came = (folder / command.removeprefix("cat ")).read_text(encoding="utf-8").splitlines()
    else:
        came = typed(folder, command)
    return [re.sub(r"\b[0-9a-f]{64}\b", "0123456789abcdef…", line) for line in came if line]


def test_the_page_says_what_the_commands_print(tmp_path, mail_servers):
    ports = {"user": mail_servers.user, "imap": mail_servers.imap, "smtp": mail_servers.smtp}
    course(tmp_path, mail=SETTINGS.format(**ports), students=STUDENTS)
    for one, at in MAILS:
        mail_servers.put(one, at)
    page = PAGE.read_text(encoding="utf-8")
    written = written_anew(page, partial(shown, tmp_path))
    if os.environ.get("GRADE_WRITE_PAGE"):
        PAGE.write_text(written, encoding="utf-8")
    assert written == page
