"""A real Dovecot and a real Exim on loopback, as an ordinary user, with everything of theirs in a folder of their own.

As root they are started as `nobody`: Dovecot reads no mail as root, and Exim delivers none.

Not Postfix and not OpenSMTPD: both want root for their queues. Exim takes its whole configuration from a file, and runs
with the rights of whoever named that file.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

from imap_tools import MailBoxUnencrypted

PASSWORD = "open-sesame"
NEEDED = {"dovecot": "dovecot-imapd", "exim4": "exim4-daemon-light", "openssl": "openssl"}
STARTS_WITHIN_S = 60

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
mail_location = maildir:{mail}/%n
imap_id_log = *
auth_failure_delay = 0
login_trusted_networks =
passdb {{
  driver = static
  args = password=open-sesame
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
"""

# There is no `gone`, and for `slow` it is always too early. Everybody else's mail comes to one folder.
EXIM = """
admin_groups = {group}
exim_user = {user}
exim_group = {group}
primary_hostname = mail.example.edu
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {smtp} : {smtps}
tls_on_connect_ports = {smtps}
deliver_drop_privilege = true
keep_environment =
host_lookup =
tls_advertise_hosts = *
tls_certificate = {cert}
tls_privatekey = {key}
auth_advertise_hosts = *
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  deny message = no such mailbox
       local_parts = gone
  defer message = too many mails, try again later
       local_parts = slow
  accept
begin routers
mailboxes:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  directory = {mail}/everybody
  maildir_format
  envelope_to_add = true
  user = {user}
  group = {group}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and {{{{match{{$auth2}}{{^hw}}}}{{eq{{$auth3}}{{open-sesame}}}}}}}}
  server_set_id = $auth2
"""


@dataclass
class MailServers:
    """Both servers, running."""

    folder: Path
    cert: Path
    imap: int
    imaps: int
    smtp: int
    smtps: int
    user: str = "hw"
    """Of the course's mailbox: each test has one of its own."""

    @property
    def mail(self) -> Path:
        return self.folder / "mail"

    @property
    def log(self) -> str:
        """What Dovecot has logged."""
        return (self.folder / "dovecot" / "log").read_text(encoding="utf-8")

    @contextlib.contextmanager
    def box(self) -> Iterator[MailBoxUnencrypted]:
        with MailBoxUnencrypted("127.0.0.1", self.imap, timeout=60).login(self.user, PASSWORD) as box:
            yield box

    def put(self, mail: EmailMessage | bytes, at: datetime | None = None, folder: str = "INBOX") -> None:
        """Put a mail into the course's mailbox, received at a moment."""
        content = mail if isinstance(mail, bytes) else mail.as_bytes()
        with self.box() as box:
            if folder != "INBOX" and not box.folder.exists(folder):
                box.folder.create(folder)
            box.append(content, folder, dt=at or datetime(2026, 9, 20, 12, tzinfo=UTC))

    def logged(self, *words: str, within_s: float = 60) -> str:
        """Return the newest line of Dovecot's log with all of some words, once there is one: others write it for it."""
        until = time.monotonic() + within_s
        while True:
            found = [line for line in self.log.splitlines() if all(word in line for word in words)]
            if found or time.monotonic() > until:
                return found[-1] if found else ""
            time.sleep(0.02)

    def came_to(self, name: str, *, least: int = 0, within_s: float = 60) -> list[EmailMessage]:
        """Return the mails that were delivered to an address of this test's, when there are so many."""
        until = time.monotonic() + within_s
        while True:
            files = sorted(self.mail.glob("everybody/new/*"))
            every = [BytesParser(policy=default).parsebytes(file.read_bytes()) for file in files]
            mine = [mail for mail in every if mail["Envelope-to"] == self.address(name)]
            if len(mine) >= least or time.monotonic() > until:
                return mine
            time.sleep(0.02)

    def address(self, name: str) -> str:
        """Return an address that only this test has."""
        return f"{name}.{self.user}@example.edu"


def missing() -> list[str]:
    """Return the Debian packages that are not installed."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    return [package for program, package in NEEDED.items() if shutil.which(program, path=path) is None]


@contextlib.contextmanager
def running() -> Iterator[MailServers]:
    """Start both, and stop them with all that they have started."""
    # Not below pytest's folder, which belongs to its user alone.
    folder = Path(tempfile.mkdtemp(prefix="grade-mail-"))
    user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    try:
        servers = _prepared(folder, user)
        with contextlib.ExitStack() as stack:
            exim = ["/usr/sbin/exim4", "-C", folder / "exim" / "config", "-bdf", "-odi"]
            dovecot = ["/usr/sbin/dovecot", "-F", "-c", folder / "dovecot" / "config"]
            for command in (dovecot, exim):
                stack.enter_context(_process(command, folder, user))
            for port in (servers.imap, servers.imaps, servers.smtp, servers.smtps):
                _wait_for(port, folder)
            yield servers
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepared(folder: Path, user: pwd.struct_passwd) -> MailServers:
    servers = MailServers(folder, folder / "cert.pem", *_free_ports(4))
    for name in ("dovecot/run", "dovecot/state", "exim/spool", "mail"):
        (folder / name).mkdir(parents=True)
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", servers.cert]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    values = {
        "user": user.pw_name, "uid": user.pw_uid, "gid": user.pw_gid, "group": grp.getgrgid(user.pw_gid).gr_name,
        "cert": servers.cert, "key": folder / "key.pem", "mail": servers.mail,
        "imap": servers.imap, "imaps": servers.imaps, "smtp": servers.smtp, "smtps": servers.smtps,
    }  # fmt: skip
    for name, config in (("dovecot", DOVECOT), ("exim", EXIM)):
        (folder / name / "config").write_text(config.format(folder=folder / name, **values), encoding="utf-8")
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)
    return servers


@contextlib.contextmanager
def _process(command: list[str | Path], folder: Path, user: pwd.struct_passwd) -> Iterator[None]:
    become = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [user.pw_gid]} if os.getuid() == 0 else {}
    with (folder / "output").open("ab") as output:
        # A session of its own: what it starts ends with it.
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **become,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def _wait_for(port: int, folder: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    said = "\n".join(file.read_text(errors="replace") for file in folder.rglob("*log") if file.is_file())
    output = (folder / "output").read_text(errors="replace")
    raise AssertionError(f"nothing listens at port {port}:\n{output}\n{said}")


def _free_ports(count: int) -> list[int]:
    """Return ports below those that the system gives to whoever names none, as other tests do meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found
