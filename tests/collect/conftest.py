from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.collect import mail_servers as real
from tests.ledger.conftest import ledger

__all__ = ["ledger", "mail_servers", "running_mail_servers"]


@pytest.fixture(scope="session")
def running_mail_servers() -> Iterator[real.MailServers]:
    if missing := real.missing():
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("GRADE_REQUIRE_ALL"):
            pytest.fail(f"{reason}, and GRADE_REQUIRE_ALL is set")
        pytest.skip(reason)
    with real.running() as servers:
        yield servers


@pytest.fixture
def mail_servers(running_mail_servers, monkeypatch) -> real.MailServers:
    """A real Dovecot and a real Exim, with a mailbox that is this test's own; the password is in the environment."""
    monkeypatch.setenv("GRADE_MAIL_PASSWORD", real.PASSWORD)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return replace(running_mail_servers, user=f"hw{next(_NUMBERS)}")


_NUMBERS = itertools.count(1)
