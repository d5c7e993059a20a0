"""A mailbox as a source, by a real Dovecot."""

from __future__ import annotations

import io
import socket
import zipfile
from datetime import UTC, datetime

import pytest

from autograder.collect import mail_seen, mailbox
from autograder.collect.collecting import Collector
from autograder.collect.store import Store
from autograder.errors import UsageError
from autograder.ledger.database import Ledger
from autograder.ledger.models import SubmissionRow
from autograder.mail_settings import server_in
from autograder.pack import pack
from autograder.submission import Submission
from tests.collect import mail_servers as real
from tests.collect.mails import CODE, course, gradebook, mail

AT = datetime(2026, 9, 28, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def book(tmp_path):
    folder = course(tmp_path)
    with Ledger(folder / "ledger") as ledger:
        yield gradebook(folder, ledger)


@pytest.fixture
def collect(book, mail_servers):
    def collect(assignment="hw1", folder="INBOX", *, scheme="imap", port=None, only=""):
        address = f"{scheme}://{mail_servers.user}@127.0.0.1:{port or mail_servers.imap}/{folder}{only}"
        return book.collect(assignment, address, None, lambda _: None)

    return collect


def shown(found):
    return [(one.outcome, one.name, " ".join(one.students)) for one in found]


def row_of(book, number):
    with book.ledger.reading() as session:
        return session.get(SubmissionRow, number)


def test_a_mail_is_a_submission(book, collect, mail_servers):
    mail_servers.put(mail(), AT)
    (one,) = collect()
    assert (one.outcome, one.students, one.how, one.days_late) == ("new", ("2026001",), "id", 1)
    row = row_of(book, one.number)
    assert Store(book.ledger.folder / "store").files(row.sha256) == {"sums.py": CODE}
    assert row.origin == f"imap:{mail_servers.user}@127.0.0.1/INBOX:<1@qq.example>"


def test_received_is_what_the_server_noted_and_not_what_the_student_wrote(book, collect, mail_servers):
    mail_servers.put(mail(), AT)  # its Date says nine days before
    assert [one.received for one in collect()] == [AT]


def test_the_mailbox_stays_as_it_was(collect, mail_servers):
    mail_servers.put(mail())
    collect()
    with mail_servers.box() as box:
        assert [(one.subject, one.flags) for one in box.fetch(mark_seen=False)] == [("作业1 2026001 李华", ())]


def test_what_was_collected_is_not_fetched_again(collect, mail_servers, monkeypatch):
    mail_servers.put(mail())
    collect()
    fetched = []
    real = mailbox._fetched
    monkeypatch.setattr(mailbox, "_fetched", lambda box, uid, part: fetched.append(uid) or real(box, uid, part))
    assert collect() == []
    mail_servers.put(mail("作业1 2026002 张三", message_id="<2@qq.example>"))
    assert shown(collect()) == [("new", "作业1 2026002 张三", "2026002")]
    assert len(fetched) == 1


def test_with_its_notes_lost_nothing_is_taken_twice(book, collect, mail_servers):
    mail_servers.put(mail())
    mail_servers.put(mail("作业1", sender="x@y.example", message_id="<2@qq.example>"))  # nobody's
    assert [one.outcome for one in collect()] == ["new", "unmatched"]
    for path in (book.ledger.folder / "mailboxes").glob("*.json"):
        path.write_text('{"half', encoding="utf-8")
    assert [one.outcome for one in collect()] == ["known", "known"]


def test_a_folder_made_anew_under_the_same_name_is_read_anew(collect, mail_servers):
    mail_servers.put(mail(), folder="hw")
    assert [one.outcome for one in collect(folder="hw")] == ["new"]
    with mail_servers.box() as box:
        box.folder.delete("hw")
    mail_servers.put(mail("作业1 2026002 张三", message_id="<2@qq.example>"), folder="hw")
    mail_servers.put(mail(), folder="hw")
    assert [one.outcome for one in collect(folder="hw")] == ["new", "known"]


def three(mail_servers):
    for number, name in ((1, "李华"), (2, "张三"), (3, "王芳")):
        mail_servers.put(mail(f"作业1 202600{number} {name}", sender="x@y.example", message_id=f"<{number}@y.example>"))


def test_after_an_interruption_everything_is_found(collect, mail_servers, monkeypatch):
    three(mail_servers)
    real, fetched = mailbox._fetched, []

    def stop_at_the_second(box, uid, part):
        fetched.append(uid)
        if len(fetched) == 2:
            raise KeyboardInterrupt
        return real(box, uid, part)

    monkeypatch.setattr(mailbox, "_fetched", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        collect()
    assert [one.outcome for one in collect()] == ["known", "new", "new"]


def test_what_was_not_recorded_is_not_noted_as_collected(collect, mail_servers, monkeypatch):
    """As after a kill -9 when everything was fetched."""
    three(mail_servers)
    with monkeypatch.context() as without:
        without.setattr(Collector, "_record", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            collect()
    assert [one.outcome for one in collect()] == ["new", "new", "new"]
    assert collect() == []


def test_a_connection_that_breaks_is_said_and_the_next_collection_goes_on(book, collect, mail_servers, monkeypatch):
    three(mail_servers)
    real, fetched = mailbox._fetched, []

    def break_at_the_second(box, uid, part):
        fetched.append(uid)
        if len(fetched) == 2:
            box.client.sock.shutdown(socket.SHUT_RDWR)
        return real(box, uid, part)

    monkeypatch.setattr(mailbox, "_fetched", break_at_the_second)
    assert [(one.outcome, one.problem) for one in collect()] == [
        ("new", ""),
        ("refused", "the connection broke; collect again to go on"),
    ]
    assert shown(collect()) == [
        ("new", "作业1 2026002 张三", "2026002"),
        ("new", "作业1 2026003 王芳", "2026003"),
    ]


# --- which assignment -------------------------------------------------------------------------------------------------


def test_each_assignment_takes_its_own_mails(collect, mail_servers):
    mail_servers.put(mail("第二次作业 2026001 李华", {"lines.py": CODE}, message_id="<2@qq.example>"))
    mail_servers.put(mail())
    assert [one.name for one in collect("hw1")] == ["作业1 2026001 李华"]
    assert [one.name for one in collect("hw2")] == ["第二次作业 2026001 李华"]
    assert collect("hw1") == collect("hw2") == []


def test_a_mail_that_names_no_assignment_is_taken_once_and_is_doubtful(collect, mail_servers):
    mail_servers.put(mail("交作业 2026001 李华", {"new.py": CODE}))
    (one,) = collect("hw2")
    assert (one.outcome, one.students, one.candidates) == ("doubtful", (), ("2026001",))
    assert one.problem == "it names no assignment (it could be 2026001)"
    assert collect("hw1") == []
    assert collect("hw2") == []


def test_the_files_name_the_assignment_where_the_mail_does_not(collect, mail_servers):
    mail_servers.put(mail("2026001 李华", {"lines.py": CODE}))
    assert collect("hw1") == []
    assert [one.outcome for one in collect("hw2")] == ["new"]


def test_a_mail_that_names_two_is_doubtful_in_both(collect, mail_servers):
    mail_servers.put(mail("作业1和作业2 2026001 李华", {"sums.py": CODE, "lines.py": CODE}))
    assert [(one.outcome, one.candidates) for one in (*collect("hw1"), *collect("hw2"))] == [
        ("doubtful", ("2026001",)),
        ("doubtful", ("2026001",)),
    ]


def test_what_was_packed_is_believed_before_the_subject(collect, mail_servers, tmp_path):
    packed = pack(Submission("lines.py", {"lines.py": CODE}, "lines.py"), "hw2", "2026002", "张三", tmp_path)
    mail_servers.put(mail("作业1", {packed.name: packed.read_bytes()}, sender="zhang@example.edu"))
    assert collect("hw1") == []
    assert [(one.outcome, one.students, one.how) for one in collect("hw2")] == [("new", ("2026002",), "manifest")]


def test_one_mail_can_be_named_whatever_it_says_it_is_for(collect, mail_servers):
    mail_servers.put(mail("作业2 2026001 李华"))
    assert collect("hw1") == []
    with mail_servers.box() as box:
        (uid,) = box.uids()
    assert shown(collect("hw1", only=f"/;UID={uid}")) == [("new", "作业2 2026001 李华", "2026001")]


# --- whose ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "sender", "body", "whose"),
    [
        ("作业1", "zhang@example.edu", "", ("new", "2026002")),
        ("作业1", "Zhang@Example.EDU", "", ("new", "2026002")),
        ("作业1 王芳", "x@y.example", "", ("new", "2026003")),
        ("作业1", "王芳 <x@y.example>", "", ("new", "2026003")),
        ("Homework 1", "x@y.example", "see attachment\n\nMax Mueller\nMüller, Max", ("new", "2026004")),
        ("作业1", "x@y.example", "老师好\n学号：2026003\n姓名：王芳\n\n此致\n敬礼", ("new", "2026003")),
        ("作业1", "x@y.example", "> 学号：2026003\n> 姓名：王芳", ("unmatched", "")),
        ("作业1", "x@y.example", "hi", ("unmatched", "")),
        # The address says one, the text another: it may be forged.
        ("作业1 2026003", "zhang@example.edu", "", ("doubtful", "2026002 2026003")),
        ("作业1 王芳", "zhang@example.edu", "", ("doubtful", "2026002")),
        ("作业1 2026003 李华", "x@y.example", "", ("doubtful", "2026003")),
    ],
)
def test_whose_it_is(collect, mail_servers, subject, sender, body, whose):  # noqa: PLR0917 - a table
    mail_servers.put(mail(subject, sender=sender, body=body))
    (one,) = collect()
    assert (one.outcome, " ".join(one.students or one.candidates)) == whose


def test_who_joins_the_course_later_is_recognised_then(book, collect, mail_servers):
    from autograder.roster import Person
    from tests.collect.mails import STUDENTS

    mail_servers.put(mail("作业1 2026009 陈晨", sender="x@y.example"))
    assert [one.outcome for one in collect()] == ["unmatched"]
    book.apply_roster([*STUDENTS, Person("2026009", "陈晨")])
    assert shown(collect()) == [("new", "作业1 2026009 陈晨", "2026009")]
    assert collect() == []


# --- what comes in place of homework ----------------------------------------------------------------------------------


def test_several_attachments_are_one_submission_and_archives_are_opened(book, collect, mail_servers):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("sums.py", CODE)
    mail_servers.put(mail(files={"code.zip": made.getvalue(), "报告.pdf": b"%PDF"}))
    (one,) = collect()
    assert set(book.store.files(row_of(book, one.number).sha256)) == {"code.zip.d/sums.py", "报告.pdf"}


@pytest.mark.parametrize(
    ("files", "body", "said"),
    [
        ({"a.png": b"P", "b.jpg": b"J"}, "见截图", "pictures in place of code"),
        ({"report.pdf": b"%PDF", "r.docx": b"PK"}, "", "no code, but report.pdf, r.docx"),
        ({"winmail.dat": b"x"}, "", "only Outlook can open"),
        ({}, "import torch\n\ndef add(a, b):\n    return a + b\n", "code in the text"),
        ({}, "老师，作业交了", "nothing is attached"),
        ({"code.rar": b"Rar!\x1a\x07\x00"}, "", ""),
        ({}, "https://wx.mail.qq.com/ftn/download?func=3&key=ab&code=cd", "a link to a large attachment"),
        ({}, "http://mail.qq.com/cgi-bin/ftnExs_download?t=exs_ftn_download&k=ab", "a link to a large attachment"),
        ({}, "https://mail.163.com/large-attachment-download/index.html?p=ab", "a link to a large attachment"),
        ({}, "https://dashi.163.com/html/cloud-attachment-download/?key=ab", "a link to a large attachment"),
    ],
)
def test_what_is_no_homework_is_said_with_what_to_ask_for(collect, mail_servers, files, body, said):
    mail_servers.put(mail(files=files, body=body))
    (one,) = collect()
    assert (one.outcome, one.name) == ("refused", "作业1 2026001 李华")
    assert one.problem.startswith("2026001 lihua@qq.example: ")
    assert said in one.problem


def test_a_link_beside_code_is_looked_at_by_a_human(collect, mail_servers):
    mail_servers.put(mail(body="模型：https://wx.mail.qq.com/ftn/download?func=3&key=ab"))
    (one,) = collect()
    assert (one.outcome, one.candidates) == ("doubtful", ("2026001",))


def test_what_a_machine_wrote_is_no_homework(collect, mail_servers):
    mail_servers.put(mail(Auto_Submitted="auto-replied"))
    assert [(one.outcome, one.problem.partition(": ")[2][:18]) for one in collect()] == [
        ("refused", "a machine wrote it")
    ]


# --- hostile ----------------------------------------------------------------------------------------------------------


def test_security_a_mail_above_the_cap_is_not_fetched(collect, mail_servers, monkeypatch):
    monkeypatch.setattr(mailbox, "MOST_BYTES", 50_000)
    mail_servers.put(mail(files={"sums.py": CODE, "data.bin": b"\0" * 60_000}))
    mail_servers.put(mail(files={"sums.py": CODE, "data.bin": b"\0" * 6_000}, message_id="<2@qq.example>"))
    fetched = []
    real = mailbox._fetched

    def measured(box, uid, part):
        content = real(box, uid, part)
        fetched.append(len(content))
        return content

    monkeypatch.setattr(mailbox, "_fetched", measured)
    assert [one.outcome for one in collect()] == ["refused", "new"]
    assert fetched[0] < 2000 < fetched[1]


def test_security_a_mail_of_ten_thousand_parts_is_refused_and_the_next_is_taken(collect, mail_servers):
    part = b"--b\r\nContent-Type: text/x-python; name=a.py\r\nContent-Disposition: attachment\r\n\r\nx = 1\r\n"
    head = "From: x@y.example\r\nSubject: 作业1 2026001\r\nMessage-ID: <9@y>\r\nMIME-Version: 1.0\r\n".encode()
    head += b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    mail_servers.put(head + part * 900 + b"--b--\r\n")
    mail_servers.put(head + part * 10_000 + b"--b--\r\n")
    mail_servers.put(mail())
    found = collect()
    assert [one.outcome for one in found] == ["refused", "refused", "new"]
    assert "too many parts" in found[1].problem
    assert "too many parts" not in found[0].problem  # as many as are looked at, and more files than a submission has


def test_security_control_characters_are_neither_stored_nor_shown(book, collect, mail_servers):
    said = "作业1 2026001 \x1b[31m\u202e\x07李华"
    mail_servers.put(mail("x", sender="x@y.example").as_bytes().replace(b"Subject: x", f"Subject: {said}".encode()))
    (one,) = collect()
    assert one.students == ("2026001",)
    assert row_of(book, one.number).name == "作业1 2026001 [31m 李华"


def test_security_names_of_attachments_lead_nowhere(book, collect, mail_servers):
    mail_servers.put(mail(files={"../../../etc/sums.py": CODE, "C:\\work\\lines.py": CODE, "..": b"x", "a:b.py": CODE}))
    (one,) = collect()
    assert set(book.store.files(row_of(book, one.number).sha256)) == {"sums.py", "lines.py", "attachment-3", "a_b.py"}


# --- logging in -------------------------------------------------------------------------------------------------------


def test_the_folders_name_may_be_chinese(collect, mail_servers):
    mail_servers.put(mail(), folder="作业")
    assert [one.outcome for one in collect(folder="作业")] == ["new"]
    assert collect(folder="%E4%BD%9C%E4%B8%9A") == []


def test_the_client_says_what_it_is(collect, mail_servers):
    mail_servers.put(mail())
    collect()
    assert mail_servers.logged("name=autograder")


@pytest.mark.parametrize("scheme", ["imaps", "imap"])
def test_security_the_servers_certificate_is_checked(collect, mail_servers, monkeypatch, scheme):
    from autograder.mail_settings import Server

    port = mail_servers.imaps if scheme == "imaps" else mail_servers.imap
    monkeypatch.setattr(Server, "is_here", property(lambda _: False))  # as if it were another machine
    mail_servers.put(mail())
    with pytest.raises(UsageError, match="does not prove that it is who it says"):
        collect(scheme=scheme, port=port)
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_servers.cert))
    assert [one.outcome for one in collect(scheme=scheme, port=port)] == ["new"]
    assert mail_servers.logged(f"Login: user=<{mail_servers.user}>", ", TLS,")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"folder": "hw3"}, "there is no folder hw3"),
        ({"port": 1}, "127.0.0.1:1 can't be reached"),
    ],
)
def test_what_can_go_wrong_is_said(collect, mail_servers, asked, said):
    with pytest.raises(UsageError, match=said):
        collect(**asked)


def test_the_folders_that_there_are_are_listed(collect, mail_servers):
    mail_servers.put(mail(), folder="作业")
    with pytest.raises(UsageError) as raised:
        collect(folder="Homework")
    assert raised.value.hint == "The mailbox has: INBOX, 作业"


def test_security_the_password_is_in_no_file_of_the_ledgers_and_in_no_error(book, collect, mail_servers, monkeypatch):
    mail_servers.put(mail())
    collect()
    secret = real.PASSWORD
    there = [path for path in book.ledger.folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert there == []
    monkeypatch.setenv("GRADE_MAIL_PASSWORD", "not " + secret)
    with pytest.raises(UsageError, match="refuses the password") as raised:
        collect()
    assert secret not in f"{raised.value.message} {raised.value.hint}"


def test_two_do_not_collect_from_one_mailbox_at_a_time(book, collect, mail_servers):
    mail_servers.put(mail())
    server = server_in(f"imap://{mail_servers.user}@127.0.0.1:{mail_servers.imap}/", "imap")
    others = mail_seen.seen_in(book.ledger.folder / mailbox.FOLDER, server, 0)
    with others, pytest.raises(UsageError, match="somebody else collects"):
        collect("hw2")
    assert [one.outcome for one in collect()] == ["new"]


def test_what_two_assignments_noted_is_kept(collect, mail_servers):
    mail_servers.put(mail("作业2 2026001 李华"))
    mail_servers.put(mail(message_id="<2@qq.example>"))
    assert [len(collect(one)) for one in ("hw1", "hw2", "hw1", "hw2")] == [1, 1, 0, 0]


def test_what_was_refused_is_listed_until_something_readable_comes(book, collect, mail_servers):
    mail_servers.put(mail(files={"a.png": b"x"}))
    collect()
    assert collect() == []
    assert [(one.name, one.students) for one in book.still_refused()] == [("作业1 2026001 李华", ("2026001",))]
    mail_servers.put(mail(message_id="<2@qq.example>"))
    collect()
    assert book.still_refused() == []


def test_what_was_refused_of_a_stranger_is_said_each_time_but_not_what_machines_write(book, collect, mail_servers):
    mail_servers.put(mail("作业1", {"a.png": b"x"}, sender="x@y.example"))
    mail_servers.put(mail("Undelivered: hw1 received: 2026001", Auto_Submitted="auto-replied", message_id="<2@x>"))
    assert [one.outcome for one in collect()] == ["refused", "refused"]
    assert [one.name for one in collect()] == ["作业1"]
    assert [(one.name, one.students) for one in book.still_refused()] == [("作业1", ())]
