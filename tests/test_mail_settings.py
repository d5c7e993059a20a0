from __future__ import annotations

import pytest
from pydantic import ValidationError

from autograder.course import load_course
from autograder.errors import ConfigError
from autograder.mail_settings import MailSettings, Server, server_in
from tests.tiny_course import COURSE, write


@pytest.mark.parametrize(
    ("said", "server"),
    [
        ("imap://hw@mail.example.edu", Server("imap", "mail.example.edu", 143, "hw")),
        ("imaps://hw@mail.example.edu/INBOX", Server("imaps", "mail.example.edu", 993, "hw")),
        ("imaps://hw@163.com@imap.163.com/作业", Server("imaps", "imap.163.com", 993, "hw@163.com", "作业")),
        ("imaps://hw%40163.com@imap.163.com/a/b%20c/", Server("imaps", "imap.163.com", 993, "hw@163.com", "a/b c")),
        ("imap://hw@[::1]:10143/", Server("imap", "::1", 10143, "hw")),
        ("imap://hw@MAIL.example.edu/INBOX/;UID=17", Server("imap", "mail.example.edu", 143, "hw", "INBOX", 17)),
        ("imap://hw@mail.example.edu/;uid=17", Server("imap", "mail.example.edu", 143, "hw", "INBOX", 17)),
    ],
)
def test_addresses(said, server):
    assert server_in(said, "imap", "imaps") == server


@pytest.mark.parametrize(
    "said",
    ["imap:", "imap://", "http://hw@x", "imap://hw@x:99999", "imap://hw@x y/", "imap://hw@x/\n", "hw@x", "imap://hw@/"],
)
def test_what_is_no_address(said):
    with pytest.raises(ValueError, match="is no address of a mail server"):
        server_in(said, "imap", "imaps")


@pytest.mark.parametrize("said", ["imap://hw:secret@x/", "imap://hw:secret@x y/", "smtp://hw:sec@ret@x"])
def test_security_a_password_in_an_address_is_refused_and_not_repeated(said):
    with pytest.raises(ValueError, match="there is a password in the address") as raised:
        server_in(said, "imap", "imaps")
    assert "sec" not in str(raised.value).replace("password", "")


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.1", True), ("127.8.9.1", True), ("[::1]", True), ("mail.example.edu", False),
     ("localhost.example.edu", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_security_only_this_machine_is_spoken_to_in_the_clear(host, is_here):
    assert server_in(f"imap://hw@{host}/", "imap").is_here is is_here


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (
            "mail: {imap: imaps://mail.example.edu/INBOX}",
            "mail.imap: imaps://mail.example.edu/INBOX does not say who logs in",
        ),
        ("mail: {smtp: mail.example.edu}", "mail.smtp: mail.example.edu is no address of a mail server"),
        ("mail: {sender: Homework <hw@x>}", "mail.sender: Homework <hw@x> is no mail address"),
        ("mail: {per_hour: 0}", "mail.per_hour: "),
        ("mail: {password: x}", "mail.password: "),
        ("mail: {language: fr}", "mail.language: "),
    ],
)
def test_an_error_names_file_and_key(tmp_path, said, problem):
    write(tmp_path / "course.yml", f"{COURSE}{said}\n")
    with pytest.raises(ConfigError) as raised:
        load_course(tmp_path)
    assert raised.value.message.startswith(f"{tmp_path}/course.yml:5: {problem}")


def test_the_sender_can_be_nothing_but_an_address():
    for said in ("a@b\r\nBcc: c@d", "a@b,c@d", "a b@c", "@b"):
        with pytest.raises(ValidationError):
            MailSettings(sender=said)
