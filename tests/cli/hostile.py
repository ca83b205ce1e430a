"""A server that answers as no venue should, for clients that must say what went wrong.

It stands where the venue server stands (`--server FILE`): every venue host is its TLS port.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from kimera_cli.venues.server.ca import make_authority
from kimera_cli.venues.server.dialects import available, load

PAGE = b"<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon.</body></html>"


def answer(
    status: str, body: bytes, *, length: int | None = None, kind: str = "text/html"
) -> bytes:
    """Return an HTTP answer; `length` may be a lie."""
    told = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {told}\r\n\r\n"
    return head.encode() + body


def json_answer(text: str, status: str = "200 OK") -> bytes:
    """Return an answer that claims to be JSON."""
    return answer(status, text.encode(), kind="application/json")


ANSWERS = {
    "a page": answer("200 OK", PAGE),
    "a maintenance page": answer("503 Service Unavailable", PAGE),
    "a page that forbids": answer("403 Forbidden", PAGE),
    "nothing": answer("200 OK", b""),
    "cut JSON": json_answer('{"serverTime":17990000'),
    "a cut answer": answer("200 OK", b'{"server', length=400),
    "an object": json_answer("{}"),
    "a list": json_answer("[]"),
    "a number": json_answer("7"),
    "null": json_answer("null"),
    "a text": json_answer('"ok"'),
    "lists in lists": json_answer("[" * 5000 + "]" * 5000),
    "no text": answer("200 OK", b"\xff\xfe\x00\x01" * 40),
    "a redirection": b"HTTP/1.1 302 Found\r\nLocation: https://example.invalid/\r\n"
    b"Content-Length: 0\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "the end of the connection": b"",
}
"""What is answered to every request."""
CERTIFICATES = ("of nobody known", "of another host", "of last year")


class Hostile:
    """A thread per connection; `answer` is what every request gets."""

    def __init__(self, folder: Path, certificate: str = "") -> None:
        self.answer = b""
        self.silent = False
        """Whether it takes requests, and then says nothing as long as the connection is there."""
        self.requests = 0
        self._context = _context(folder, certificate)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        self.file = announced(folder / "server.jsonl", self.port, folder / "ca.pem")

    def stop(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as tls:
            tls.settimeout(30)
            while _request(tls):
                self.requests += 1
                if self.silent:
                    tls.settimeout(None)
                    tls.recv(1)  # until the other side leaves
                    return
                if self.answer:
                    tls.sendall(self.answer)
                if not whole(self.answer):
                    return


def whole(reply: bytes) -> bool:
    """Whether the connection can go on behind an answer."""
    head, _, body = reply.partition(b"\r\n\r\n")
    return f"Content-Length: {len(body)}".encode() in head


def announced(file: Path, port: int, ca: Path) -> Path:
    """Write the record that `--server` reads."""
    record = {"type": "venue_listening", "port": 0, "tls_port": port, "ca": str(ca)}
    file.write_text(json.dumps(record) + "\n")
    return file


@contextlib.contextmanager
def unroutable() -> Iterator[int]:
    """A port whose connections are never taken: its queue is full, further SYNs are dropped."""
    with contextlib.ExitStack() as held:
        server = held.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hosts() -> list[str]:
    """Return every host of every venue."""
    return [host for name in available() for host in load(name).hosts]


def _context(folder: Path, certificate: str) -> ssl.SSLContext:
    folder.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    names = ["example.org"] if certificate == "of another host" else hosts()
    if certificate == "of last year":
        now -= dt.timedelta(days=365)
    authority = make_authority(folder, names, now)
    context = authority.server_context()
    if certificate == "of nobody known":
        make_authority(folder, names, now)  # the file that clients trust is another one now
    return context


def _request(tls: ssl.SSLSocket) -> bool:
    """Read one request to its end; False when there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = tls.recv(65536)
        if not part:
            return False
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += tls.recv(65536)
    return True
