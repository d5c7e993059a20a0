"""Logging in to a course's mailbox, and saying in words what can go wrong there.

163 and 126 want a client to say what it is (RFC 2971, ID) after it has logged in; without it they answer the first
folder asked for with "Unsafe Login. Please contact kefu@188.com for help". It is said to every server that can be told.

# SECURITY: the password is in nobody's sight: it comes from the environment, from a file that its owner alone reads, or
from the keyboard, and goes to a server that has proved its name, or that is this machine.
"""

from __future__ import annotations

import contextlib
import getpass
import imaplib
import os
import ssl
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError

from autograder import __version__
from autograder.errors import UsageError
from autograder.mail_settings import MailSettings, Server
from autograder.messages import printable, text

PASSWORD = "GRADE_MAIL_PASSWORD"  # noqa: S105 - the name of the environment's variable
TIMEOUT_S = 60
_CODE_HOSTS = ("qq.com", "163.com", "126.com", "yeah.net", "188.com", "foxmail.com")
_ID_HOSTS = ("163.com", "126.com", "yeah.net", "188.com")
_OTHERS_MAY = stat.S_IRWXG | stat.S_IRWXO
_MOST_SHOWN = 20  # folders


def password_for(server: Server, settings: MailSettings, course: Path) -> str:
    """Return the password, or what stands for one at QQ and 163.

    Args:
        server: to log in to.
        settings: of the course.
        course: its folder, which a file's name starts from.

    Raises:
        UsageError: there is none, or others could read it.
    """
    if given := os.environ.get(PASSWORD):
        return given
    if settings.password_file is not None:
        return _in_file(course / Path(settings.password_file).expanduser())
    if not sys.stdin.isatty():
        raise UsageError(text("mail.no_password", server=server.shown), hint=text("mail.no_password_hint"))
    return getpass.getpass(text("mail.ask_password", server=server.shown))


def _in_file(path: Path) -> str:
    try:
        if os.name == "posix" and path.stat().st_mode & _OTHERS_MAY:
            raise UsageError(text("mail.open_file", file=path), hint=text("mail.open_file_hint", file=path))
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else error
        raise UsageError(text("mail.no_file", file=path, problem=problem)) from None
    if not found:
        raise UsageError(text("mail.no_file", file=path, problem=text("mail.empty_file")))
    return found


@contextlib.contextmanager
def logged_in(server: Server, password: str) -> Iterator[BaseMailBox]:
    """Give a mailbox with its folder opened for reading only: nothing in it is marked, moved or deleted.

    Raises:
        UsageError: the server can't be reached or believed, refuses the password, or has no such folder.
    """
    with connecting(server):
        box = _connected(server)
    try:
        with connecting(server):
            _log_in(box, server, password)
        yield box
    finally:
        with contextlib.suppress(OSError, imaplib.IMAP4.error, ImapToolsError):
            box.logout()
        with contextlib.suppress(OSError):  # one that is broken can't be said good-bye to, and stays open
            box.client.shutdown()


def _connected(server: Server) -> BaseMailBox:
    if server.is_encrypted:
        return MailBox(server.host, server.port, timeout=TIMEOUT_S, ssl_context=ssl.create_default_context())
    if server.is_here:
        return MailBoxUnencrypted(server.host, server.port, timeout=TIMEOUT_S)
    box = MailBoxUnencrypted(server.host, server.port, timeout=TIMEOUT_S)
    try:
        _encrypt(box, server)
    except BaseException:
        with contextlib.suppress(OSError):
            box.client.shutdown()
        raise
    return box


def _encrypt(box: BaseMailBox, server: Server) -> None:
    try:
        box.client.starttls(ssl.create_default_context())
    except imaplib.IMAP4.error as error:
        at = f"{server.host}:{server.port}"
        said = said_by(error)
        raise UsageError(text("mail.no_starttls", server=at, problem=said), hint=text("mail.tls_hint")) from None


def _log_in(box: BaseMailBox, server: Server, password: str) -> None:
    try:
        if (server.user + password).isascii():
            box.login(server.user, password, initial_folder=None)
        else:
            box.login_utf8(server.user, password, initial_folder=None)
    except (MailboxLoginError, imaplib.IMAP4.error) as error:
        if isinstance(error, imaplib.IMAP4.abort):
            raise
        raise UsageError(
            text("mail.refused_login", server=server.shown, said=said_by(error)), hint=login_hint(server)
        ) from None
    _say_who(box, server)
    try:
        box.folder.set(server.folder, readonly=True)
    except MailboxFolderSelectError as error:
        raise UsageError(
            text("mail.no_folder", folder=server.folder, said=said_by(error)),
            hint=text("mail.no_folder_hint", folders=", ".join(_folders(box))),
        ) from None


def _say_who(box: BaseMailBox, server: Server) -> None:
    if "ID" in box.client.capabilities or _is_of(server, _ID_HOSTS):
        imaplib.Commands.setdefault("ID", ("AUTH", "SELECTED"))  # the library knows none
        # A server that refuses to be told can be read all the same, or says so when the folder is opened.
        with contextlib.suppress(imaplib.IMAP4.error):
            box.client.xatom("ID", f'("name" "autograder" "version" "{__version__}")')


def _folders(box: BaseMailBox) -> list[str]:
    return sorted(folder.name for folder in box.folder.list())[:_MOST_SHOWN]


def login_hint(server: Server) -> str:
    """Return what to try where a server refuses the password."""
    return text("mail.code_hint" if _is_of(server, _CODE_HOSTS) else "mail.login_hint")


def _is_of(server: Server, hosts: tuple[str, ...]) -> bool:
    return any(server.host == host or server.host.endswith(f".{host}") for host in hosts)


def said_by(error: Exception) -> str:
    """Return what a server said, in one line."""
    result = getattr(error, "command_result", None)
    said = result[1][0] if result and result[1] else (error.args[0] if error.args else "")
    plain = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else str(said)
    return " ".join(printable(plain).split())[:200]


@contextlib.contextmanager
def connecting(server: Server) -> Iterator[None]:
    """Turn what a connection raises into an error for people."""
    at = f"{server.host}:{server.port}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise UsageError(
            text("mail.certificate", server=at, problem=error.verify_message), hint=text("mail.certificate_hint")
        ) from None
    except ssl.SSLError as error:
        raise UsageError(
            text("mail.unreachable", server=at, problem=error.reason or error), hint=text("mail.tls_hint")
        ) from None
    except OSError as error:
        raise UsageError(
            text("mail.unreachable", server=at, problem=error.strerror or str(error) or type(error).__name__),
            hint=text("mail.unreachable_hint"),
        ) from None
    except (imaplib.IMAP4.error, ImapToolsError) as error:
        raise UsageError(
            text("mail.unreachable", server=at, problem=said_by(error)), hint=text("mail.unreachable_hint")
        ) from None
