"""What servers do that no Dovecot does: 163's way with a client that does not say what it is."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

import pytest

from autograder.collect import mail_login
from autograder.errors import UsageError
from autograder.mail_settings import MailSettings, Server, server_in

UNSAFE = "NO EXAMINE Unsafe Login. Please contact kefu@188.com for help"


class Netease(threading.Thread):
    """An IMAP server that opens no folder for who has not sent ID, and that does not say that it knows ID."""

    def __init__(self, *, refuses_id: bool = False) -> None:
        super().__init__(daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._refuses_id = refuses_id
        self.port = self._socket.getsockname()[1]
        self.commands: list[str] = []

    def run(self) -> None:
        connection, _ = self._socket.accept()
        with connection, self._socket, connection.makefile("rwb", buffering=0) as file:
            file.write(b"* OK IMAP4 ready\r\n")
            while line := file.readline():
                tag, command = line.decode().split(None, 1)
                name = command.split()[0].upper()
                self.commands.append(name)
                for answer in self._answers(name):
                    file.write(f"{answer}\r\n".replace("TAG", tag).encode())
                if name == "LOGOUT":
                    return

    def _answers(self, name: str) -> list[str]:
        if name == "EXAMINE":
            known = "ID" in self.commands and not self._refuses_id
            return ["* 0 EXISTS", "* OK [UIDVALIDITY 1] valid", "TAG OK done"] if known else [f"TAG {UNSAFE}"]
        told = {"CAPABILITY": ["* CAPABILITY IMAP4rev1"], "LIST": ['* LIST () "/" INBOX'], "LOGOUT": ["* BYE bye"]}
        return [*told.get(name, []), "TAG BAD no" if name == "ID" and self._refuses_id else "TAG OK done"]


def opened(server, monkeypatch, host):
    """Log in to it as if it were of that name."""
    server.start()
    real = mail_login._connected
    monkeypatch.setattr(mail_login, "_connected", lambda asked: real(asked._replace(host="127.0.0.1")))
    try:
        with mail_login.logged_in(Server("imap", host, server.port, "hw@163.com"), "code") as box:
            return box.uids()
    finally:
        server.join(10)


@pytest.mark.parametrize("host", ["imap.163.com", "imap.126.com", "imap.yeah.net"])
def test_163_is_told_what_the_client_is_before_a_folder_is_asked_for(monkeypatch, host):
    server = Netease()
    with contextlib.suppress(UsageError):
        opened(server, monkeypatch, host)
    assert server.commands[:4] == ["CAPABILITY", "LOGIN", "ID", "EXAMINE"]


def test_without_it_163_opens_no_folder(monkeypatch):
    """The layer proved by its absence: a host of another name is not told."""
    server = Netease()
    with pytest.raises(UsageError, match=re.escape("Unsafe Login. Please contact kefu@188.com")):
        opened(server, monkeypatch, "mail.example.edu")
    assert "ID" not in server.commands


def test_a_server_that_will_not_be_told_says_so_when_the_folder_is_opened(monkeypatch):
    server = Netease(refuses_id=True)
    with pytest.raises(UsageError, match="Unsafe Login"):
        opened(server, monkeypatch, "imap.163.com")


def test_security_who_does_not_offer_to_encrypt_is_not_told_the_password():
    server = Netease()
    server.start()
    with pytest.raises(UsageError, match="does not offer to encrypt the connection"):
        mail_login._connected(_Elsewhere("imap", "127.0.0.1", server.port, "hw"))
    server.join(10)
    assert server.commands == ["CAPABILITY"]


class _Elsewhere(Server):
    is_here = False


@pytest.mark.parametrize(
    ("host", "says"),
    [("imap.qq.com", True), ("imap.163.com", True), ("smtp.126.com", True), ("mail.example.edu", False),
     ("notqq.com", False)],
)  # fmt: skip
def test_what_an_authorisation_code_is_is_said_where_it_is_wanted(host, says):
    assert ("authorisation code" in mail_login.login_hint(server_in(f"imaps://hw@{host}/", "imaps"))) is says


def test_without_a_terminal_nothing_waits_for_a_password(monkeypatch, tmp_path):
    monkeypatch.delenv("GRADE_MAIL_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UsageError, match="there is no password for hw@"):
        mail_login.password_for(server_in("imaps://hw@mail.example.edu/", "imaps"), MailSettings(), tmp_path)


def test_on_a_terminal_it_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.delenv("GRADE_MAIL_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or "secret")
    server = server_in("imaps://hw@mail.example.edu/", "imaps")
    assert mail_login.password_for(server, MailSettings(), tmp_path) == "secret"
    assert asked == ["Password, or authorisation code, of hw@mail.example.edu: "]


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe"])
def test_a_file_without_a_password_is_said(monkeypatch, tmp_path, content):
    monkeypatch.delenv("GRADE_MAIL_PASSWORD", raising=False)
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="the password can't be read from"):
        mail_login.password_for(
            server_in("imaps://hw@mail.example.edu/", "imaps"), MailSettings(password_file="secret"), tmp_path
        )
