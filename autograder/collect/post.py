"""Sending receipts by SMTP: no more than a provider lets through, each one once.

A receipt is noted as sent when the server has taken it. A power cut between the two sends it again the next time, under
the same Message-ID, by which mail programs know it; the other order would lose it.
"""

from __future__ import annotations

import contextlib
import hashlib
import smtplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout

from autograder.collect.letter import one_line
from autograder.collect.mail_login import TIMEOUT_S, connecting, login_hint, password_for
from autograder.collect.receipts import (
    Receipt,
    languages_of,
    record_sent,
    sent_since,
    subject_of,
    words_of,
)
from autograder.errors import UsageError
from autograder.ledger import people
from autograder.ledger.database import Ledger
from autograder.mail_settings import MailSettings, Server, server_in
from autograder.messages import printable, text

Outcome = Literal["sent", "would", "waits", "failed", "no_address"]
_PERMANENT = 500  # and above: the same mail would be refused again; below, the server asks to be left alone for a while


class Posted(NamedTuple):
    """What became of a receipt."""

    receipt: Receipt
    outcome: Outcome
    problem: str = ""


def allowed_now(ledger: Ledger, settings: MailSettings, now: datetime) -> int:
    """Return how many receipts the hour's and the day's quota still let through."""
    left = []
    for most, span in ((settings.per_hour, timedelta(hours=1)), (settings.per_day, timedelta(days=1))):
        with ledger.reading() as session:
            left.append(most - sent_since(session, now - span))
    return max(min(left), 0)


def would_send(ledger: Ledger, receipts: Sequence[Receipt], settings: MailSettings) -> list[Posted]:
    """Return what `send` would do."""
    now, rest = _sorted_out(ledger, receipts, settings)
    return [*(Posted(one, "would") for one in now), *rest]


def _sorted_out(
    ledger: Ledger, receipts: Sequence[Receipt], settings: MailSettings
) -> tuple[list[Receipt], list[Posted]]:
    """Return the receipts that are sent now, and what is to be said of the others that were not sent before."""
    most = allowed_now(ledger, settings, people.now())
    due = [one for one in receipts if not one.is_sent]
    reachable = [one for one in due if one.address]
    why = text("receipt.quota", per_hour=settings.per_hour, per_day=settings.per_day)
    waiting = [Posted(one, "waits", why) for one in reachable[most:]]
    return reachable[:most], [*waiting, *(Posted(one, "no_address") for one in due if not one.address)]


def send(
    ledger: Ledger,
    receipts: Sequence[Receipt],
    settings: MailSettings,
    course: Path,
    author: Callable[[], people.Author],
) -> list[Posted]:
    """Send the receipts that were not sent before, as many as the quota allows.

    Args:
        ledger: where it is noted.
        receipts: of an assignment.
        settings: of the course.
        course: its folder.
        author: gives who sends, and when.

    Raises:
        UsageError: the settings lack something, somebody else is sending, or the server can't be reached.
    """
    if settings.smtp is None or settings.sender is None:
        raise UsageError(text("receipt.no_server"), hint=text("receipt.no_server_hint"))
    server = server_in(settings.smtp, "smtp", "smtps")
    now, rest = _sorted_out(ledger, receipts, settings)
    if not now:
        return rest
    password = password_for(server, settings, course) if server.user else ""
    with _opened(server, password) as connection:
        done = list(_each(connection, now, settings, ledger, author))
    return [*done, *rest]


@contextlib.contextmanager
def sending(ledger: Ledger) -> Iterator[None]:
    """Be the only one who sends, from before it is looked up what was sent.

    Raises:
        UsageError: somebody else is sending.
    """
    lock = FileLock(ledger.folder / "receipts.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UsageError(text("receipt.busy"), hint=text("receipt.busy_hint")) from None
    try:
        yield
    finally:
        lock.release()


def _each(
    connection: smtplib.SMTP,
    receipts: Sequence[Receipt],
    settings: MailSettings,
    ledger: Ledger,
    author: Callable[[], people.Author],
) -> Iterator[Posted]:
    stopped = ""
    for receipt in receipts:
        if stopped:
            yield Posted(receipt, "waits", stopped)
            continue
        try:
            message = message_of(receipt, settings, author().at)
            connection.send_message(message, settings.sender, [receipt.address])
        except (ValueError, HeaderParseError, smtplib.SMTPNotSupportedError) as error:
            # What the roster has for an address is none, or one that this server can't be told.
            yield Posted(receipt, "failed", _said(str(error)))
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            stopped = "" if code >= _PERMANENT else _said(said)
            yield Posted(receipt, "failed", _said(said))
        except smtplib.SMTPResponseException as error:  # the sender or the text is refused
            stopped = "" if error.smtp_code >= _PERMANENT else _said(error.smtp_error)
            yield Posted(receipt, "failed", _said(error.smtp_error))
        except OSError as error:  # smtplib's other errors are some, too
            stopped = text("receipt.broken")
            yield Posted(receipt, "failed", _said(str(error)))
        else:
            with ledger.writing() as session:
                record_sent(session, receipt, author())
            yield Posted(receipt, "sent")


def message_of(receipt: Receipt, settings: MailSettings, now: datetime) -> EmailMessage:
    """Return a receipt as a mail.

    Raises:
        ValueError: the roster's address is none.
    """
    sender = str(settings.sender)
    languages = languages_of(settings.language)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(one_line(str(receipt.course)), addr_spec=sender)
    message["To"] = Address(one_line(receipt.name), addr_spec=receipt.address)
    message["Subject"] = subject_of(receipt, languages)
    message["Date"] = format_datetime(now)
    whose = hashlib.sha256(f"{receipt.assignment} {receipt.submission} {receipt.student}".encode()).hexdigest()
    message["Message-ID"] = f"<receipt.{whose[:24]}.{receipt.sha256[:12]}@{sender.rpartition('@')[2]}>"
    # RFC 3834: machines don't answer machines. That the sender is not empty, as it would have it, is the providers'
    # doing: QQ and 163 take mail from the address only that has logged in. What comes back is known by its own marks.
    message["Auto-Submitted"] = "auto-replied"
    if receipt.answers:
        message["In-Reply-To"] = message["References"] = receipt.answers
    message.set_content(words_of(receipt, languages))
    return message


@contextlib.contextmanager
def _opened(server: Server, password: str) -> Iterator[smtplib.SMTP]:
    with connecting(server), _answers_told(server):
        connection = _connected(server)
    try:
        with connecting(server), _answers_told(server):
            if server.user:
                connection.login(server.user, password)
        yield connection
    finally:
        with contextlib.suppress(OSError):
            connection.quit()


@contextlib.contextmanager
def _answers_told(server: Server) -> Iterator[None]:
    """Turn what an SMTP server answers into an error for people."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise UsageError(
            text("mail.refused_login", server=server.shown, said=_said(error.smtp_error)), hint=login_hint(server)
        ) from None
    except smtplib.SMTPNotSupportedError as error:
        at = f"{server.host}:{server.port}"
        raise UsageError(
            text("mail.no_starttls", server=at, problem=_said(str(error))), hint=text("mail.tls_hint")
        ) from None


def _connected(server: Server) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.is_encrypted:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    if not server.is_here:
        connection.starttls(context=context)
    return connection


def _said(said: bytes | str) -> str:
    plain = said.decode("utf-8", errors="replace") if isinstance(said, bytes) else said
    return " ".join(printable(plain).split())[:200]
