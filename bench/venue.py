"""The venue server alone: orders over REST, book updates pushed to sockets; then its clients.

`venue.rest`: this process sends limit orders and their cancels in turn, each signed and verified,
over CONNECTIONS keep-alive connections with one request under way on each; the server runs in a
process of its own on another core. `venue.push`: SOCKETS sockets listen to the diff stream of a
market whose book changes as fast as the server goes; an update counts once per socket.
`detail.server_cpu_ns` is the server's processor time for one operation. The clients are in
bench/venue_orders.py and bench/venue_books.py.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kimera_cli.errors import RunError
from kimera_cli.records import Bench

from . import targets, venue_books, venue_orders
from .harness import Case, Timing, Watch
from .request import Request, row
from .venue_peer import DONE, START_NS, serve
from .wire_peer import Process, running, text_frame

REQUESTS = 20_000
CONNECTIONS = 4
SOCKETS = 20
ACTS = 4_000
REST_GOAL = 5_000.0
PUSH_GOAL = 100_000.0
LEVELS = 100
"""Prices that the orders rest at, below the market."""


@dataclass
class Server:
    """The server process and what it takes."""

    process: Process
    port: int
    key: str
    secret: str
    cpu_ns: list[float] = field(default_factory=list)
    _cpu: float = 0.0

    def begin(self) -> None:
        """Note the processor time before a run."""
        self.process.ask("cpu")
        self._cpu = self.process.answer()

    def end(self, operations: int) -> None:
        """Note what each operation of a run took."""
        self.process.ask("cpu")
        self.cpu_ns.append((self.process.answer() - self._cpu) * 1e9 / operations)


def rows(request: Request) -> Iterator[Bench]:
    """Time the server's REST orders and pushed book updates, then clients' orders and books."""
    for case, name, goal, unit in (
        (_rest, "venue.rest", REST_GOAL, "requests"),
        (_push, "venue.push", PUSH_GOAL, "updates"),
    ):
        core = _other_core()
        with running(serve, core) as process:
            server = Server(process, *process.answer())
            timing = request.measure([case(request, server)])["server"]
            yield _told(request, server, timing, name, goal, unit, core)
    yield from venue_orders.rows(request, _other_core())
    yield from venue_books.rows(request, _other_core())


def _told(
    request: Request, server: Server, timing: Timing, name: str, goal: float, unit: str,
    core: int | None,
) -> Bench:  # fmt: skip
    wanted = targets.rate(timing, goal, unit)
    if core is None:
        wanted = targets.Goal(wanted.text, None)
    return row(
        request,
        name,
        timing,
        kind=f"whole runs of {timing.n} {unit}",
        goals=[wanted],
        server_cpu_ns=[round(each) for each in server.cpu_ns[1:]],
        connections=CONNECTIONS if name == "venue.rest" else SOCKETS,
    )


def _rest(request: Request, server: Server) -> Case:
    total = max(2 * CONNECTIONS, request.size(REQUESTS))
    parts = [_orders(server, which, total // CONNECTIONS // 2) for which in range(CONNECTIONS)]
    links = [_connect(server.port) for _ in range(CONNECTIONS)]

    def run(_: Any, watch: Watch) -> None:
        server.begin()
        watch.start()
        _exchange(links, parts)
        watch.lap(sum(map(len, parts)))
        server.end(sum(map(len, parts)))

    return Case("server", lambda: None, run)


def _orders(server: Server, which: int, pairs: int) -> list[bytes]:
    """Return new orders and their cancels in turn, signed."""
    found = []
    for n in range(pairs):
        name = f"bench-{which}-{n}"
        price = 49_000 - n % LEVELS
        found.append(
            _signed(
                server, "POST",
                f"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001"
                f"&price={price}&newClientOrderId={name}&newOrderRespType=ACK",
            )
        )  # fmt: skip
        found.append(_signed(server, "DELETE", f"symbol=BTCUSDT&origClientOrderId={name}"))
    return found


def _signed(server: Server, method: str, params: str) -> bytes:
    from kimera_cli.venues.server.auth import mac_hex

    text = f"{params}&timestamp={START_NS // 1_000_000}"
    signed = f"{text}&signature={mac_hex(server.secret, text)}"
    target, body = ("/api/v3/order", signed) if method == "POST" else (
        f"/api/v3/order?{signed}", "",
    )  # fmt: skip
    return (
        f"{method} {target} HTTP/1.1\r\nHost: api.binance.com\r\nX-MBX-APIKEY: {server.key}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _exchange(links: list[socket.socket], parts: list[list[bytes]]) -> None:
    """Send each part over its connection, one request at a time; every answer must be 200."""
    poll = select.poll()
    work = {link.fileno(): (link, iter(part)) for link, part in zip(links, parts, strict=True)}
    for link, requests in work.values():
        poll.register(link, select.POLLIN)
        link.sendall(next(requests))
    left = len(work)
    while left:
        for descriptor, _ in poll.poll():
            link, requests = work[descriptor]
            if not link.recv(65_536).startswith(b"HTTP/1.1 200"):
                raise RunError("run.bench_venue", "expected every order to be taken, was not")
            following = next(requests, None)
            if following is None:
                poll.unregister(link)
                left -= 1
            else:
                link.sendall(following)


def _push(request: Request, server: Server) -> Case:
    links = [_listen(server.port) for _ in range(SOCKETS)]
    acts = request.size(ACTS)

    def run(_: Any, watch: Watch) -> None:
        server.begin()
        server.process.ask(acts)
        watch.start()
        _drain(links)
        frames = server.process.answer()
        watch.lap(frames)
        server.end(frames)

    return Case("server", lambda: None, run)


def _drain(links: list[socket.socket]) -> None:
    """Read every socket to its DONE."""
    last = text_frame(DONE)
    poll, known = select.poll(), {link.fileno(): link for link in links}
    tails = dict.fromkeys(known, b"")
    for link in links:
        poll.register(link, select.POLLIN)
    while known:
        for descriptor, _ in poll.poll():
            part = known[descriptor].recv(1 << 18)
            tails[descriptor] = (tails[descriptor] + part)[-len(last) :]
            if not part or tails[descriptor] == last:
                poll.unregister(descriptor)
                del known[descriptor]


def _connect(port: int) -> socket.socket:
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def _listen(port: int) -> socket.socket:
    link = _connect(port)
    link.sendall(
        b"GET /ws/btcusdt@depth HTTP/1.1\r\nHost: stream.binance.com\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    if b" 101 " not in link.recv(4096):
        raise RunError("run.bench_venue", "expected the server to open the stream, was not")
    return link


def _other_core() -> int | None:
    """Return a core that this process is not pinned to (the harness takes the last)."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return allowed[0] if len(allowed) > 1 else None
