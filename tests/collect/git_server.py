"""A git server on this machine's loopback: `git http-backend` behind an HTTP server of the standard library."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

PLAIN = False  # whether files are handed out as they lie there, by no git


class _Handler(BaseHTTPRequestHandler):
    """Hands requests to the backend, as CGI defines it."""

    root: ClassVar[Path]
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        if PLAIN:
            self._hand_out(self.root / path.lstrip("/"))
            return
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length else b""
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": length,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        came = subprocess.run(["git", "http-backend"], env=environment, input=body, stdout=subprocess.PIPE, check=False)
        head, _, content = came.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _hand_out(self, file: Path) -> None:
        self.send_response(200 if file.is_file() else 404)
        self.end_headers()
        self.wfile.write(file.read_bytes() if file.is_file() else b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""


@contextmanager
def asking_for_a_password() -> Iterator[tuple[int, list[str]]]:
    """Serve nothing but the question for a password; give the port, and what was answered."""
    came: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(self.headers.get("Authorization", ""))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
            """Say nothing."""

    with _running(Handler) as port:
        yield port, came


@contextmanager
def serving(root: Path) -> Iterator[int]:
    """Serve the repositories under a folder while the block runs; give the port."""
    with _running(type("Handler", (_Handler,), {"root": root})) as port:
        yield port


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
