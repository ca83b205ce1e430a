"""The other processes of the wire's bench: a server that floods, and the ring's consumer.

Both run on the core that the client does not use. The server knows nothing of websockets but the
handshake and the bytes that it is given: it sends them as fast as the socket takes them, so the
client is what is measured.
"""

from __future__ import annotations

import base64
import hashlib
import multiprocessing
import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult

from kimera_cli.engine.child import start_unheard
from kimera_cli.errors import RunError

PATIENCE_S = 5.0
IDLE_S = 0.0001
_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def text_frame(payload: bytes) -> bytes:
    """Return the payload as a server's text frame (RFC 6455, 5.2)."""
    n = len(payload)
    if n < 126:
        return bytes((0x81, n)) + payload
    if n < 1 << 16:
        return b"\x81\x7e" + struct.pack(">H", n) + payload
    return b"\x81\x7f" + struct.pack(">Q", n) + payload


def handshake(url: SplitResult) -> bytes:
    """Return how a client asks for a websocket (RFC 6455, 4.1)."""
    target = url._replace(scheme="", netloc="").geturl() or "/"
    return (
        f"GET {target} HTTP/1.1\r\nHost: {url.hostname}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


class Process:
    """A process with a pipe; `ask` sends it something, `answer` waits for what it says."""

    def __init__(self, target: Any, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.link, other = context.Pipe()
        self.process = context.Process(target=target, args=(other, *arguments), daemon=True)
        start_unheard(self.process)
        other.close()

    def ask(self, what: Any) -> None:
        """Send it work."""
        self.link.send(what)

    def answer(self) -> Any:
        """Return its answer; RunError `run.bench_wire` when it died."""
        try:
            return self.link.recv()
        except (EOFError, OSError) as error:
            raise RunError(
                "run.bench_wire",
                "expected the other side of the wire to answer, was: the process ended",
                "run it again; if it fails again that is a defect of kimera: please report it",
            ) from error

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.link.close()


@contextmanager
def running(target: Any, *arguments: Any) -> Iterator[Process]:
    """Start a process, and end it at last."""
    process = Process(target, *arguments)
    try:
        yield process
    finally:
        process.close()


def flood(link: Connection, core: int | None) -> None:
    """Serve: each connection to `/NAME/COUNT` gets a chunk COUNT times, then a close frame.

    Begins with {NAME: chunk} on the link and answers with its port.
    """
    pin(core)
    chunks: dict[str, bytes] = link.recv()
    with socket.create_server(("127.0.0.1", 0)) as server:
        link.send(server.getsockname()[1])
        while True:
            connection, _ = server.accept()
            with connection:
                _serve(connection, chunks)


def _serve(connection: socket.socket, chunks: dict[str, bytes]) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(4096)
        if not part:
            return
        head += part
    lines = head.decode("latin-1").split("\r\n")
    _, name, count = lines[0].split()[1].split("/")
    fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    digest = hashlib.sha1((fields["sec-websocket-key"] + _KEY).encode()).digest()
    accept = base64.b64encode(digest).decode()
    connection.sendall(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    try:
        for _ in range(int(count)):
            connection.sendall(chunks[name])
        connection.sendall(b"\x88\x02\x03\xe8")
        connection.recv(4096)  # the client's close frame; then it is the server that hangs up
    except OSError:  # the client went first
        return


def drain(link: Connection, core: int | None, path: Path) -> None:
    """Be the ring's consumer: told how many events will come, answer with (events, hash)."""
    import numpy as np

    from kimera_cli.context import from_process
    from kimera_cli.shm.ring import Consumer

    from .wire import SHAPE
    from .wire_work import consume

    pin(core)
    consumer = Consumer(path, SHAPE, from_process())
    totals = np.zeros(2, np.uint64)
    consume(consumer.end_address, totals.ctypes.data)
    link.send("ready")
    while True:
        expected = link.recv()
        totals[:] = 0
        heard = time.monotonic()
        while totals[0] < expected and time.monotonic() < heard + PATIENCE_S:
            if consume(consumer.end_address, totals.ctypes.data) > 0:
                heard = time.monotonic()
            else:
                consumer.beat()
                time.sleep(IDLE_S)
        link.send((int(totals[0]), int(totals[1])))


def pin(core: int | None) -> None:
    """Hold this process to a core."""
    if core is not None:
        os.sched_setaffinity(0, {core})
