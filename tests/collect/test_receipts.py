"""Receipts, sent through a real Exim to mailboxes that it delivers to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from autograder.cli import app
from autograder.collect import post
from autograder.decisions import correct_received
from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.ledger.models import Event
from autograder.mail_settings import MailSettings
from autograder.roster import Person
from tests.collect import mail_servers as real
from tests.collect.mails import STUDENTS, course, gradebook, mail
from tests.tiny_course import SOLUTION, write

SETTINGS = "mail: {{smtp: 'smtp://{user}@127.0.0.1:{port}', sender: {user}@example.edu, {more}}}\n"
AT = datetime(2026, 9, 28, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def make_book(tmp_path, mail_servers):
    """Make a course whose receipts go through the real server, and whose students handed in two files."""
    opened = []

    def make_book(more="per_hour: 10", *, students=STUDENTS, names=("2026001_李华.py", "2026002.py"), port=None):
        said = SETTINGS.format(user=mail_servers.user, port=port or mail_servers.smtp, more=more)
        folder = course(tmp_path, mail=said, students=students)
        (folder / "in").mkdir()
        for number, name in enumerate(names):
            write(folder / "in" / name, SOLUTION + f"# {number}\n")
        opened.append(Ledger(folder / "ledger"))
        book = gradebook(folder, opened[-1])
        book.collect("hw1", str(folder / "in"), AT, lambda _: None)
        return book

    yield make_book
    for one in opened:
        one.close()


def shown(posted):
    return [(one.outcome, one.receipt.student) for one in posted]


def person(mail_servers, number, name, **more):
    address = mail_servers.address(name)
    return Person(f"202600{number}", more.pop("called", name), email=address, aliases=(("email", address),))


def test_a_receipt_says_what_was_recognised_when_and_the_hash(make_book, mail_servers):
    book = make_book(students=[person(mail_servers, 1, "li", called="李华"), STUDENTS[2]], names=("2026001_李华.py",))
    assert shown(book.send_receipts("hw1")) == [("sent", "2026001")]
    (came,) = mail_servers.came_to("li", least=1)
    assert came["From"] == f"Tiny course <{mail_servers.user}@example.edu>"
    assert came["To"] == f"李华 <{mail_servers.address('li')}>"
    assert came["Subject"] == "hw1 received / 已收到 hw1: 2026001 李华"
    assert came["Auto-Submitted"] == "auto-replied"
    (receipt,) = book.receipts("hw1")
    assert came.get_content() == EXPECTED.format(sha256=receipt.sha256)


def test_a_receipt_says_the_time_that_was_put_right(make_book):
    book = make_book()
    first, second = book.receipts("hw1")
    right = first.received - timedelta(days=2)
    correct_received(book, [first.submission], right, "a copy's time")
    assert [one.received for one in book.receipts("hw1")] == [right, second.received]


EXPECTED = """\
Dear 李华,

your homework has come. This is what it was taken for:

  Assignment:   hw1, Sums
  Student:      2026001 李华 (by the number)
  Received:     2026-09-28 11:04:05 CST (days late: 1; the deadline was 2026-09-27 23:59 CST)
  Handed in as: 2026001_李华.py
  SHA-256:      {sha256}
  Files:        1
      2026001_李华.py  345 bytes

If anything in this is wrong, or you did not hand this in, tell your teacher of Tiny course. A program wrote this mail.

------------------------------------------------------------

李华 同学：

你的作业已经收到，识别结果如下：

  作业：hw1, 求和
  学生：2026001 李华（依据学号）
  收到时间：2026-09-28 11:04:05 CST（迟交 1 天；截止时间 2026-09-27 23:59 CST）
  提交名称：2026001_李华.py
  SHA-256（哈希值）：{sha256}
  文件：1 个
      2026001_李华.py  345 字节

如果以上内容有误，或者这份作业不是你交的，请告诉“小课程”课程的老师。本邮件由程序发出。
"""


def test_each_receipt_is_sent_once_and_a_new_submission_gets_its_own(make_book, mail_servers):
    book = make_book(students=[person(mail_servers, 1, "li"), person(mail_servers, 2, "zhang")])
    assert shown(book.send_receipts("hw1")) == [("sent", "2026001"), ("sent", "2026002")]
    assert book.send_receipts("hw1") == []
    write(book.course.folder / "in" / "2026001_李华.py", SOLUTION + "# better\n")
    book.collect("hw1", str(book.course.folder / "in"), AT + timedelta(hours=1), lambda _: None)
    assert shown(book.send_receipts("hw1")) == [("sent", "2026001")]
    assert len(mail_servers.came_to("li", least=2)) == 2
    with book.ledger.reading() as session:
        kinds = [event.kind for event in session.scalars(select(Event))]
    assert kinds.count("receipt") == 3


def test_who_is_told_by_hand_that_it_is_theirs_gets_a_receipt(make_book, mail_servers):
    book = make_book(students=[person(mail_servers, 1, "li"), person(mail_servers, 2, "zhang")], names=("sums.py",))
    assert book.send_receipts("hw1") == []
    book.assign(1, ["2026002"])
    assert shown(book.send_receipts("hw1")) == [("sent", "2026002")]
    assert "by hand" in mail_servers.came_to("zhang", least=1)[0].get_content()


def test_a_group_gets_a_receipt_each(make_book, mail_servers):
    book = make_book(students=[person(mail_servers, 1, "li"), person(mail_servers, 2, "zhang")], names=("2026001.py",))
    book.assign(1, ["2026001", "2026002"])
    assert shown(book.send_receipts("hw1")) == [("sent", "2026001"), ("sent", "2026002")]


def test_a_receipt_for_a_mail_is_an_answer_to_it(make_book, mail_servers):
    book = make_book(students=[person(mail_servers, 1, "li")], names=())
    mail_servers.put(mail("作业1 2026001", sender="somebody@else.example"), AT)
    book.collect("hw1", f"imap://{mail_servers.user}@127.0.0.1:{mail_servers.imap}/", None, lambda _: None)
    assert shown(book.send_receipts("hw1")) == [("sent", "2026001")]
    (came,) = mail_servers.came_to("li", least=1)
    assert (came["In-Reply-To"], came["References"]) == ("<1@qq.example>", "<1@qq.example>")
    assert mail_servers.came_to("somebody") == []


def test_our_own_receipts_are_no_homework(make_book, mail_servers):
    """Where receipts come back to the mailbox (a bounce, a copy, a student who forwards everything) nothing goes on."""
    book = make_book(students=[person(mail_servers, 1, "li")], names=("2026001.py",))
    book.send_receipts("hw1")
    (came,) = mail_servers.came_to("li", least=1)
    mail_servers.put(came.as_bytes())
    address = f"imap://{mail_servers.user}@127.0.0.1:{mail_servers.imap}/"
    assert [one.outcome for one in book.collect("hw1", address, None, lambda _: None)] == ["refused"]
    assert book.send_receipts("hw1") == []


def test_the_quota_is_kept_and_the_rest_waits(make_book, mail_servers, monkeypatch):
    students = [person(mail_servers, number, f"s{number}") for number in range(1, 6)]
    names = [f"202600{number}.py" for number in range(1, 6)]
    book = make_book("per_hour: 2, per_day: 4", students=students, names=names)
    assert [outcome for outcome, _ in shown(book.send_receipts("hw1"))] == ["sent", "sent", "waits", "waits", "waits"]
    assert [outcome for outcome, _ in shown(book.send_receipts("hw1"))] == ["waits"] * 3
    later = people.now() + timedelta(minutes=61)
    monkeypatch.setattr(people, "now", lambda: later)
    assert [outcome for outcome, _ in shown(book.send_receipts("hw1"))] == ["sent", "sent", "waits"]
    later += timedelta(minutes=61)
    assert [outcome for outcome, _ in shown(book.send_receipts("hw1"))] == ["waits"]  # four a day
    later += timedelta(days=1)
    assert [outcome for outcome, _ in shown(book.send_receipts("hw1"))] == ["sent"]


def test_a_refused_address_is_said_and_tried_again(make_book, mail_servers):
    students = [Person("2026001", "李华", email="gone@example.edu"), person(mail_servers, 2, "zhang")]
    book = make_book(students=students)
    posted = book.send_receipts("hw1")
    assert [(one.outcome, one.problem) for one in posted] == [("failed", "no such mailbox"), ("sent", "")]
    assert shown(book.send_receipts("hw1")) == [("failed", "2026001")]


def test_a_server_that_wants_to_be_left_alone_is(make_book, mail_servers):
    students = [Person("2026001", "李华", email="slow@example.edu"), person(mail_servers, 2, "zhang")]
    book = make_book(students=students)
    posted = book.send_receipts("hw1")
    said = "too many mails, try again later"
    assert [(one.outcome, one.problem) for one in posted] == [("failed", said), ("waits", said)]
    assert mail_servers.came_to("zhang") == []


def test_without_an_address_it_is_said(make_book):
    book = make_book(students=[STUDENTS[2]], names=("2026003.py",))
    assert shown(book.send_receipts("hw1")) == [("no_address", "2026003")]


def test_after_a_crash_between_two_receipts_the_second_is_sent(make_book, mail_servers, monkeypatch):
    book = make_book(students=[person(mail_servers, 1, "li"), person(mail_servers, 2, "zhang")])
    real_message = post.message_of

    def crash_at_the_second(receipt, *args):
        if receipt.student == "2026002":
            raise KeyboardInterrupt
        return real_message(receipt, *args)

    monkeypatch.setattr(post, "message_of", crash_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        book.send_receipts("hw1")
    monkeypatch.setattr(post, "message_of", real_message)
    assert shown(book.send_receipts("hw1")) == [("sent", "2026002")]


def test_two_do_not_send_at_a_time(make_book):
    book = make_book()
    with post.sending(book.ledger), pytest.raises(UsageError, match="somebody else is sending"):
        book.send_receipts("hw1")


# --- security ---------------------------------------------------------------------------------------------------------


def test_security_no_name_makes_a_header_or_a_line_of_its_own(make_book, mail_servers):
    book = make_book(students=[person(mail_servers, 1, "li")], names=("2026001.py",))
    (receipt,) = book.receipts("hw1")
    forged = "x\r\nBcc: victim@example.edu\r\n\r\n  Received:     2026-01-01 (in time)"
    hostile = replace(receipt, name=forged, called=forged, files=((forged, 1),), course=forged)
    message = post.message_of(hostile, book.course.spec.mail, AT)
    assert message["Bcc"] is None
    lines = message.get_content().splitlines()
    assert [line[:35] for line in lines if line.startswith("  Received:")] == ["  Received:     2026-09-28 11:04:05"]


@pytest.mark.parametrize("address", ["a@b\r\nBcc: c@d", "a,b@c@d", "<a@b>, c@d", "a@b, c@d"])
def test_security_an_address_is_one_or_none(make_book, mail_servers, address):
    book = make_book(students=[person(mail_servers, 1, "li")], names=("2026001.py",))
    receipts = [replace(one, address=address) for one in book.receipts("hw1")]
    sent = post.send(book.ledger, receipts, book.course.spec.mail, book.course.folder, book.author)
    assert shown(sent) == [("failed", "2026001")]


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_security_the_servers_certificate_is_checked(make_book, mail_servers, monkeypatch, scheme):
    from autograder.mail_settings import Server

    book = make_book(students=[person(mail_servers, 1, "li")], names=("2026001.py",))
    monkeypatch.setattr(Server, "is_here", property(lambda _: False))  # as if it were another machine
    port = mail_servers.smtps if scheme == "smtps" else mail_servers.smtp
    settings = MailSettings(smtp=f"{scheme}://{mail_servers.user}@127.0.0.1:{port}", sender="hw@example.edu")
    arguments = (book.ledger, book.receipts("hw1"), settings, book.course.folder, book.author)
    with pytest.raises(UsageError, match="does not prove that it is who it says"):
        post.send(*arguments)
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_servers.cert))
    assert shown(post.send(*arguments)) == [("sent", "2026001")]


def test_security_a_wrong_password_is_said_and_not_shown(make_book, monkeypatch):
    book = make_book()
    monkeypatch.setenv("GRADE_MAIL_PASSWORD", "not-the-secret")
    with pytest.raises(UsageError, match="refuses the password") as raised:
        book.send_receipts("hw1")
    assert "not-the-secret" not in f"{raised.value.message} {raised.value.hint}"


# --- the command ------------------------------------------------------------------------------------------------------


def typed(book, monkeypatch, *arguments):
    monkeypatch.chdir(book.course.folder)
    came = CliRunner().invoke(app.grade, ["receipts", "hw1", *arguments])
    return came.exit_code, came.output


def test_the_command_tells_sends_and_writes(make_book, mail_servers, monkeypatch, tmp_path):
    students = [person(mail_servers, 1, "li"), person(mail_servers, 2, "zhang"), STUDENTS[2]]
    book = make_book("per_hour: 1", students=students, names=("2026001.py", "2026002.py", "2026003.py"))
    code, said = typed(book, monkeypatch, "--dry-run")
    assert (code, [line.split()[0] for line in said.splitlines()]) == (0, ["would", "no", "would", "The"])
    assert mail_servers.came_to("li") == []
    code, said = typed(book, monkeypatch)
    assert code == 0
    assert "sent 1 · waiting 1 · no address 1" in said
    assert "The rest waits: the quota of 1 an hour and 300 a day is used up." in said
    code, said = typed(book, monkeypatch, "--to", "receipts")
    assert (code, said) == (0, "Written: receipts (receipts: 3).\n")
    assert sorted(path.name for path in (tmp_path / "receipts").iterdir()) == [
        "2026001_hw1_1.txt",
        "2026002_hw1_2.txt",
        "2026003_hw1_3.txt",
    ]


def test_without_a_server_it_says_what_course_yml_lacks(tmp_path):
    folder = course(tmp_path)
    with Ledger(folder / "ledger") as ledger, pytest.raises(UsageError, match="how receipts are sent"):
        gradebook(folder, ledger).send_receipts("hw1")


def test_the_password_comes_from_a_file_that_only_its_owner_reads(make_book, mail_servers, monkeypatch, tmp_path):
    secret = write(tmp_path / "secret", f"{real.PASSWORD}\n")
    secret.chmod(0o644)
    book = make_book(f"password_file: {secret}", students=[person(mail_servers, 1, "li")], names=("2026001.py",))
    monkeypatch.delenv("GRADE_MAIL_PASSWORD")
    with pytest.raises(UsageError, match="can be read by others"):
        book.send_receipts("hw1")
    secret.chmod(0o600)
    assert shown(book.send_receipts("hw1")) == [("sent", "2026001")]
