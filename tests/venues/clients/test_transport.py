"""What was sent and what was not: the transport against a server whose script is every byte."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loopback import run

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.venues.clients.addresses import Internet, Server, server_from
from kimera_cli.venues.clients.transport import NoAnswerError, NotSentError, Transport
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.server.ca import make_authority

REQUEST = b"GET / HTTP/1.1\r\nHost: api.example\r\n\r\n"
HOST = "api.example"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def world(**options: Any) -> World:
    return World(
        now_ns=time.time_ns,
        monotonic_ns=options.pop("monotonic_ns", time.perf_counter_ns),
        random_bytes=random.Random(1).randbytes,
        report=lambda error: None,
        **options,
    )


def answer(body: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n") -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def scripted(script: Script, tls: Any = None) -> AsyncIterator[int]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def test_answers_come_whole_however_they_are_cut_and_the_connection_is_kept() -> None:
    async def work() -> None:
        bodies = [b"", b"{}", b"x" * 70_000]

        async def script(reader: Any, writer: Any) -> None:
            for body in bodies:
                await reader.readuntil(b"\r\n\r\n")
                data = answer(body)
                for k in range(0, len(data), 997):
                    writer.write(data[k : k + 997])
                    await writer.drain()
                    await asyncio.sleep(0)
            await reader.read()

        async with scripted(script) as port:
            transport = Transport(Server(port), world())
            got = [(await transport.exchange(HOST, REQUEST)).body for _ in bodies]
            assert got == bodies
            assert transport.opened == 1
            transport.close()

    run(work())


def test_chunks_and_interim_answers_are_understood() -> None:
    async def work() -> None:
        async def script(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Left: 3\r\n\r\n")
            writer.write(b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
            await reader.read()

        async with scripted(script) as port:
            response = await Transport(Server(port), world()).exchange(HOST, REQUEST)
            assert (response.status, response.body) == (200, b"abcde")
            assert response.headers["x-left"] == "3"

    run(work())


ENDS = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 O",
    "half a body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
    "no HTTP": b"\x00\xff\xfe{]\r\n\r\n",
}


@pytest.mark.parametrize("end", ENDS)
def test_what_was_sent_and_not_answered_whole_is_never_called_unsent(end: str) -> None:
    async def work() -> None:
        async def script(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ENDS[end])

        async with scripted(script) as port:
            with pytest.raises(NoAnswerError) as caught:
                await Transport(Server(port), world()).exchange(HOST, REQUEST)
            assert caught.value.code == "venue.no_answer"

    run(work())


def test_an_answer_that_does_not_come_ends_the_connection_so_that_it_cannot_come_late() -> None:
    async def work() -> None:
        closed = asyncio.Event()

        async def script(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.read() == b""
            closed.set()

        async with scripted(script) as port:
            transport = Transport(Server(port), world())
            with pytest.raises(NoAnswerError):
                await transport.exchange(HOST, REQUEST, answer_s=0.5)
            await asyncio.wait_for(closed.wait(), 120)

    run(work())


def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async def work() -> None:
        async def script(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(b"1"))
            await writer.drain()
            if first.done():
                return
            first.set_result(None)
            await told.wait()
            writer.write(answer(b"a late one"))
            await reader.read()

        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        told = asyncio.Event()
        async with scripted(script) as port:
            transport = Transport(Server(port), world())
            assert (await transport.exchange(HOST, REQUEST)).body == b"1"
            told.set()
            while transport._idle[HOST] and transport._idle[HOST][0].is_open:
                await asyncio.sleep(0)
            assert (await transport.exchange(HOST, REQUEST)).body == b"1"
            assert transport.opened == 2

    run(work())


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    async def work() -> None:
        now = [0]

        async def script(reader: Any, writer: Any) -> None:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(b"{}"))

        async with scripted(script) as port:
            transport = Transport(Server(port), world(monotonic_ns=lambda: now[0]))
            await transport.exchange(HOST, REQUEST)
            now[0] += 19 * 10**9
            await transport.exchange(HOST, REQUEST)
            assert transport.opened == 1
            now[0] += 21 * 10**9
            await transport.exchange(HOST, REQUEST)
            assert transport.opened == 2
            transport.close()

    run(work())


def test_without_a_connection_nothing_was_sent() -> None:
    async def work() -> None:
        async with scripted(lambda r, w: r.read()) as port:
            pass
        with pytest.raises(NotSentError) as caught:
            await Transport(Server(port), world()).exchange(HOST, REQUEST)
        assert caught.value.code == "venue.unreachable"
        with pytest.raises(NotSentError) as caught:
            await Transport(Internet(), world()).exchange("host.invalid", REQUEST)
        assert caught.value.code == "venue.dns"

    run(work())


def test_tls_is_checked_and_a_wrong_authority_is_named(tmp_path: Path) -> None:
    async def work() -> None:
        now = datetime.now(UTC) - timedelta(hours=1)
        ours = make_authority(tmp_path / "a", [HOST], now)
        other = make_authority(tmp_path / "b", [HOST], now)

        async def script(reader: Any, writer: Any) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(b"{}"))

        async with scripted(script, ours.server_context()) as port:
            record = '{"type":"venue_listening","port":1,"tls_port":%d,"ca":"%s","keys":"k"}'
            (tmp_path / "good").write_text(record % (port, ours.root))
            (tmp_path / "bad").write_text(record % (port, other.root))
            good, keys = server_from(str(tmp_path / "good"))
            assert keys == Path("k")
            assert (await Transport(good, world()).exchange(HOST, REQUEST)).body == b"{}"
            with pytest.raises(NotSentError) as caught:
                await Transport(good, world()).exchange("api.other", REQUEST)
            assert caught.value.code == "venue.tls"
            bad, _ = server_from(str(tmp_path / "bad"))
            with pytest.raises(NotSentError) as caught:
                await Transport(bad, world()).exchange(HOST, REQUEST)
            assert caught.value.code == "venue.tls"

    run(work())


@pytest.mark.parametrize(
    "text", ["https://api.binance.com", "http://10.0.0.1:80", "http://localhost"]
)
def test_a_server_is_on_this_machine_or_it_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        server_from(text)


def test_a_server_serves_its_own_hosts_only(tmp_path: Path) -> None:
    assert server_from("http://127.0.0.1:8000")[0].endpoint(HOST) == ("127.0.0.1", 8000, None)
    assert not Server(1).live
    assert Internet().live
    with pytest.raises(VenueError) as caught:
        Server(1, None, frozenset({"api.kraken.com"})).endpoint("api.binance.com")
    assert caught.value.code == "venue.not_served"
    (tmp_path / "record").write_text("not a record\n")
    with pytest.raises(UsageError) as unread:
        server_from(str(tmp_path / "record"))
    assert unread.value.code == "usage.server"
