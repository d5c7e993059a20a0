"""Mails taken apart: encodings as they come in China, and whatever a sender can do to a parser."""

from __future__ import annotations

import base64
import email
import email.message
from email.header import Header
from email.utils import parseaddr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.collect.letter import MOST_PARTS, Letter, TooManyParts, _counted, read_headers, read_letter, safe_name
from autograder.collect.mail_text import MOST_HEADER, decoded, plain, text_of
from tests.collect.mails import CODE, mail

HEAD = b"From: x@y.example\r\nSubject: 1\r\nMIME-Version: 1.0\r\n"


def encoded(said: str, charset: str) -> str:
    content = said.encode("gb18030" if "gb" in charset.lower() else charset)
    return f"=?{charset}?B?{base64.b64encode(content).decode()}?="


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("作业1 张三".encode(), "作业1 张三"),  # bytes that no header should have
        ("作业1 张三".encode("gb18030"), "作业1 张三"),
        (encoded("作业1 张三", "utf-8").encode(), "作业1 张三"),
        (encoded("作业1 张三", "gb2312").encode(), "作业1 张三"),
        (encoded("作业一 朱镕基", "GB2312").encode(), "作业一 朱镕基"),  # 镕 is no GB2312, whatever the mail says
        (encoded("作业1 㐀", "gbk").encode(), "作业1 㐀"),
        (encoded("作业1", "x-gbk").encode(), "作业1"),
        (b"=?utf-8?Q?Max_M=C3=BCller?=", "Max Müller"),
        (b"Re: " + encoded("作业", "utf-8").encode() + b"\r\n " + encoded("1", "utf-8").encode(), "Re: 作业1"),
        (b"=?gb18030?B?1/fS?= =?gb18030?B?tTE=?=", "作业1"),  # a character cut in two
        (b"=?utf-8?B?broken", "=?utf-8?B?broken"),
        (b"=?utf-8?B?a?=", "=?utf-8?B?a?="),
        (b"=?no-such?B?eA==?=", "x"),
        (b"=?punycode?B?eHh4?=", "xxx"),
        (b"a\x1b[2J\x00b", "a [2J b"),
    ],
)
def test_subjects(raw, read):
    letter = read_letter(b"From: x@y.example\r\nSubject: " + raw + b"\r\n\r\nhi\r\n")
    assert letter.subject == read


@pytest.mark.parametrize(
    ("disposition", "kind", "name"),
    [
        (b'attachment; filename="sums.py"', b"", "sums.py"),
        (b"attachment; filename*=UTF-8''%E5%BC%A0%E4%B8%89.py", b"", "张三.py"),
        (b"attachment; filename*=gb2312''%D5%C5%C8%FD.py", b"", "张三.py"),
        (b"attachment;\r\n filename*0*=UTF-8''%E5%BC%A0;\r\n filename*1*=%E4%B8%89.py", b"", "张三.py"),
        (b'attachment; filename="' + encoded("张三.py", "gb18030").encode() + b'"', b"", "张三.py"),  # QQ
        (b'attachment; filename="' + "张三.py".encode("gb18030") + b'"', b"", "张三.py"),
        (b'attachment; filename="' + "张三.py".encode() + b'"', b"", "张三.py"),
        (b"attachment", b'; name="' + encoded("张三.py", "utf-8").encode() + b'"', "张三.py"),
        (b'attachment; filename="../../etc/passwd"', b"", "passwd"),
        (b'attachment; filename="C:\\\\homework\\\\sums.py"', b"", "sums.py"),
        (b'attachment; filename=".."', b"", "attachment-1"),
        (b"attachment; filename*=UTF-8''%0d%0aBcc:%20x.py", b"", "Bcc_ x.py"),
        (b"attachment; filename*0*=;filename*1*=", b"", "attachment-1"),
        (b"attachment; filename=", b"", "attachment-1"),
    ],
)
def test_names_of_attachments(disposition, kind, name):
    part = b"Content-Type: application/octet-stream" + kind + b"\r\nContent-Disposition: " + disposition
    letter = read_letter(HEAD + part + b"\r\n\r\nx = 1\r\n")
    assert list(letter.files) == [name]


@pytest.mark.parametrize(
    ("content", "charset", "read"),
    [
        ("学号".encode("gb18030"), "gb2312", "学号"),
        ("学号".encode("gb18030"), "", "学号"),
        ("学号".encode("gb18030"), "utf-8", "学号"),
        ("学号".encode(), "us-ascii", "学号"),
        ("學號".encode("big5"), "big5", "學號"),
        (b"\xff\xfe\xfa", "", "\ufffd\ufffd\ufffd"),
    ],
)
def test_text_in_the_wrong_encoding(content, charset, read):
    assert text_of(content, charset) == read


def test_html_is_read_as_a_reader_sees_it():
    html = "<head><title>x</title><style>p{}</style></head><p>学号：2026001</p><a href='https://y.example/?a=1&amp;b=2'>下载</a>"
    assert plain(html).split() == ["学号：2026001", "https://y.example/?a=1&b=2", "下载"]


def test_a_link_in_the_html_alone_is_found():
    letter = mail(files={}, body="见附件")
    letter.add_alternative(
        '<a href="https://dashi.163.com/html/cloud-attachment-download/?key=a">x</a>', subtype="html"
    )
    assert read_letter(letter.as_bytes()).problem == "link"


def test_pictures_within_the_text_are_pictures():
    part = (
        b'Content-Type: image/png; name="a.png"\r\nContent-ID: <a>\r\nContent-Transfer-Encoding: base64\r\n\r\naaaa\r\n'
    )
    assert read_letter(HEAD + part).problem == "pictures"


def test_a_mail_forwarded_as_an_attachment_is_opened():
    outer = mail("Fwd", files={})
    outer.add_attachment(mail())
    letter = read_letter(outer.as_bytes())
    assert (letter.subject, list(letter.files)) == ("Fwd", ["sums.py"])


def test_two_attachments_of_one_name_are_two():
    letter = mail(files={})
    for number in (1, 2):
        letter.add_attachment(b"x = %d\n" % number, maintype="text", subtype="x-python", filename="a.py")
    assert read_letter(letter.as_bytes()).files == {"a.py": b"x = 1\n", "a-2.py": b"x = 2\n"}


@pytest.mark.parametrize("content", [b"eHh4e", b"eHh4\r\n*!?=\r\neHh4x"])
def test_broken_base64_is_said(content):
    part = b'Content-Type: application/zip; name="a.zip"\r\nContent-Transfer-Encoding: base64\r\n'
    part += b"Content-Disposition: attachment\r\n\r\n" + content
    letter = read_letter(HEAD + part)
    assert (letter.problem, letter.damaged) == ("damaged", ["a.zip"])


@pytest.mark.parametrize(
    ("headers", "is_automatic"),
    [
        ({}, False),
        ({"Auto_Submitted": "no"}, False),
        ({"Auto_Submitted": "auto-generated"}, True),
        ({"Auto_Submitted": "auto-replied (vacation)"}, True),
        ({"Precedence": "bulk"}, True),
        ({"Return_Path": "<>"}, True),
        ({"X_Autoreply": "yes"}, True),
    ],
)
def test_what_a_machine_wrote(headers, is_automatic):
    assert read_letter(mail(**headers).as_bytes()).is_automatic is is_automatic


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        (b"<1@x.example>", "<1@x.example>"),
        (b"<a b@x>", ""),
        (b"<" + b"a" * 300 + b"@x>", ""),
        (b"<a@x>\r\n Bcc: y@z", ""),
        ("<作@x>".encode(), ""),
        (b"<a@x><b@y>", ""),
    ],
)
def test_security_a_message_id_is_taken_only_if_it_is_one(said, taken):
    assert read_letter(b"Message-ID: " + said + b"\r\n\r\n").message_id == taken


# --- hostile ----------------------------------------------------------------------------------------------------------


def nested(depth: int) -> bytes:
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (number, number) for number in range(depth)
    )
    return HEAD + head + b"Content-Type: text/plain\r\n\r\nhi\r\n"


def test_security_parts_within_parts_are_counted_before_they_are_parsed():
    assert read_letter(nested(15)).body.strip() == "hi"
    for content in (nested(50_000), HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 50_000):
        with pytest.raises(TooManyParts):
            read_letter(content)


def test_security_what_parts_within_parts_would_do_to_the_parser(monkeypatch):
    """Without the count the parser's own stack is the limit."""
    monkeypatch.setattr("autograder.collect.letter._MOST_NESTED", 10**9)
    with pytest.raises(RecursionError):
        read_letter(nested(5_000))


@pytest.mark.parametrize("brackets", ["(" * 3500, "(" * 1900 + ")" * 1900, "a:" * 1900])
def test_security_a_sender_of_a_thousand_brackets_is_nobody(brackets):
    """Python's parser of addresses calls itself for each: one such mail would end every collection from the mailbox."""
    with pytest.raises(RecursionError):
        parseaddr(f"{brackets} x@y.example")
    found = read_headers(f"From: {brackets} x@y.example\r\nSubject: hw1 2026001\r\n\r\n".encode())
    assert (found.address, found.subject) == ("", "hw1 2026001")


@pytest.mark.parametrize("boundary", ["boundary*0=b{0}", "boundary*=us-ascii''b{0}", "boundary\r\n =b{0}"])
def test_security_parts_within_parts_are_counted_however_their_boundaries_are_written(boundary):
    parts = "".join(f"Content-Type: multipart/mixed; {boundary.format(n)}\r\n\r\n--b{n}\r\n" for n in range(30))
    with pytest.raises(TooManyParts):
        read_letter(HEAD + parts.encode())


def test_security_parts_are_counted_while_they_are_parsed():
    """Each is an object of 2 kB: a mail of 50 MB has ten million."""
    with pytest.raises(TooManyParts):
        email.message_from_bytes(HEAD + MANY, _counted())
    assert len(email.message_from_bytes(HEAD + MANY).get_payload()) > MOST_PARTS


MANY = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * (MOST_PARTS + 1)


def test_security_parameters_within_quotes_are_read_in_no_time(monkeypatch):
    """The library counts the quotes anew at each semicolon: 200 kB took 15 s, and 2 MB half an hour."""
    looked: list[int] = []
    read = email.message._parseparam
    monkeypatch.setattr(email.message, "_parseparam", lambda said: looked.append(len(said)) or read(said))
    read_letter(b'Content-Type: multipart/mixed; x="' + b';\\"' * 50_000 + b"\r\n\r\nx")
    assert looked
    assert max(looked) <= MOST_HEADER


def test_security_a_long_header_is_cut():
    letter = read_letter(b"Subject: " + b"=?utf-8?q?" * 200_000 + b"\r\n\r\n")
    assert len(letter.subject) <= 4000
    assert len(read_headers(b"Subject: " + b"x" * 10**6).subject) <= 4000


UNFINISHED = (
    "<a ",
    "<!",
    "</",
    "<![CDATA[",
    "<!--",
    "<?",
    "<a x='",
    "&#",
    "&",
    "<script>",
    "<a href=x ",
    "<" + "a" * 1999,
)


@pytest.mark.parametrize("piece", UNFINISHED)
def test_security_an_html_mail_of_unfinished_tags_is_read(piece):
    """With the standard library's parser some of these take minutes, which the test's own time limit would end."""
    assert plain(f"学号<p>{(piece * 200_000)[:200_000]}").startswith("学号")


def test_security_a_number_of_many_digits_is_no_character():
    assert plain("&#" + "1" * 5000) == "&#" + "1" * 5000


@pytest.mark.parametrize("name", ["a" * 500 + ".py", "." * 300, "x." + "y" * 300, "\ud800.py", "a\u202eyp.exe"])
def test_security_names_can_be_stored(name):
    made = safe_name(name)
    assert len(made) <= 120
    assert made.isprintable()
    made.encode()


PIECES = (
    *(
        b"\r\n",
        b"\n",
        b": ",
        b"; ",
        b'"',
        b"=",
        b"--b",
        b"--b--",
        b"\x00",
        b"\xff\xfe",
        b"=?utf-8?B?",
        b"?=",
        b"(",
        b"<>@,",
    ),
    *(b"From: ", b"Subject: ", b"Message-ID: ", b"Auto-Submitted:", b"%E5", b"<a href=", b"<!DOCTYPE [", b"<![CDATA["),
    *(b"&#xD800;", b"charset*=", b"charset=hz", b"charset=idna", b"filename*1=", b"begin 644 x\n", b"\xd1\xa7\xba\xc5"),
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: message/delivery-status\r\n",
    b"Content-Type: text/html",
    b"Content-Type: ;;;=",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: uuencode\r\n",
    b"Content-Disposition: attachment; filename*0*=x'y'%zz",
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=40).map(b"".join))
def test_security_nothing_that_a_sender_writes_breaks_it(content):
    """Pieces of mails, put together in any order."""
    try:
        letter = read_letter(content)
    except TooManyParts:
        return
    assert isinstance(letter, Letter)
    assert (letter.problem, letter.signature) is not None
    for said in (letter.subject, letter.sender, letter.address, letter.message_id, *letter.files):
        assert said.isprintable()


def test_words_of_a_header_as_the_library_writes_them():
    assert (
        decoded(Header("第一次作业 2026001 张三 " * 5, "utf-8").encode().replace("\n", ""))
        == "第一次作业 2026001 张三 " * 5
    )


@pytest.mark.parametrize(
    ("name", "problem"), [("a.py", ""), ("A.IPYNB", ""), ("a.zip", ""), ("a.md", "documents"), ("a.JPG", "pictures")]
)
def test_code_is_what_can_be_graded(name, problem):
    assert read_letter(mail(files={name: CODE}).as_bytes()).problem == problem
