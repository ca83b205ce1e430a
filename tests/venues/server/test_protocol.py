"""HTTP and websocket at the wire: pipelining, bad bytes, fragments, control frames, refusals."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from served_venues import World

from kimera_cli.errors import VenueError
from kimera_cli.venues.server import websocket
from kimera_cli.venues.server.listen import Listener

PING = "GET /api/v3/ping HTTP/1.1\r\nHost: api.binance.com\r\n\r\n"
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: stream.binance.com:9443\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASK = b"\x01\x02\x03\x04"


def masked(payload: bytes, opcode: int = 1, fin: bool = True) -> bytes:
    """A client's frame (RFC 6455, 5.3)."""
    body = bytes(b ^ MASK[i % 4] for i, b in enumerate(payload))
    head = bytes(((0x80 if fin else 0) | opcode, 0x80 | len(payload)))
    return head + MASK + body


async def opened(world: World, data: str | bytes = b"") -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.serving.listener.port)
    writer.write(data.encode() if isinstance(data, str) else data)
    return reader, writer


async def answered(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Read one answer; head and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    [size] = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
    return head, await reader.readexactly(int(size.split()[1]))


def test_pipelined_and_cut_requests_are_answered_in_order(serve: Any) -> None:
    async def scenario(world: World) -> None:
        reader, writer = await opened(world, PING * 3 + PING[:20])
        for _ in range(3):
            assert (await answered(reader))[1] == b"{}"
        writer.write(PING[20:].encode())
        head, body = await answered(reader)
        assert (head.split(b"\r\n")[0], body) == (b"HTTP/1.1 200 OK", b"{}")
        writer.write(PING.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
        await answered(reader)
        assert await reader.read() == b""

    serve(scenario, "binance")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01 not http\r\n\r\n", 400),
        (PING.replace("api.binance.com", "example.com").encode(), 404),
        (PING.replace("api.binance.com", "127.0.0.1").encode(), 404),
        (PING.replace("/api/v3/ping", "/api/v3/nothing").encode(), 404),
        (b"POST /api/v3/order HTTP/1.1\r\nHost: api.binance.com\r\nContent-Length: 2000000\r\n\r\n"
         + b"x" * 1_200_000, 413),
        (UPGRADE.format(path="/nothing").encode(), 404),
        (UPGRADE.format(path="/ws").replace("stream.binance.com", "example.com").encode(), 404),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(serve: Any, data: bytes, status: int) -> None:
    async def scenario(world: World) -> None:
        reader, _ = await opened(world, data)
        head, _ = await answered(reader)
        assert head.startswith(f"HTTP/1.1 {status}".encode())

    serve(scenario, "binance")


def test_a_chunked_body_is_one_body(serve: Any) -> None:
    async def scenario(world: World) -> None:
        head = "POST /api/v3/order HTTP/1.1\r\nHost: api.binance.com\r\nX-MBX-APIKEY: x\r\n"
        chunks = "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        reader, _ = await opened(world, head + chunks)
        assert b"-2015" in (await answered(reader))[1]
        assert world.venue().log[-1].body == "abcde"

    serve(scenario, "binance")


def test_plain_mode_takes_the_venue_from_the_path(serve: Any) -> None:
    async def scenario(world: World) -> None:
        plain = PING.replace("api.binance.com", "localhost").replace("/api", "/binance/api")
        reader, _ = await opened(world, plain)
        assert (await answered(reader))[1] == b"{}"

    serve(scenario, "binance")


def test_fragments_pings_and_close(serve: Any) -> None:
    async def scenario(world: World) -> None:
        reader, writer = await opened(world, UPGRADE.format(path="/ws"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head  # RFC 6455, 1.3
        call = b'{"method":"LIST_SUBSCRIPTIONS","id":1}'
        writer.write(masked(call[:9], 1, fin=False) + masked(b"hi", 9) + masked(call[9:], 0))
        assert await reader.readexactly(4) == b"\x8a\x02hi"
        text = b'{"result":[],"id":1}'
        assert await reader.readexactly(2 + len(text)) == bytes((0x81, len(text))) + text
        writer.write(masked((1000).to_bytes(2, "big"), 8))
        assert await reader.read() == b"\x88\x02\x03\xe8"
        await world.settle()
        assert world.venue().dialect.conversations == []

    serve(scenario, "binance")


@pytest.mark.parametrize("data", [b"\x81\x02hi", b"\xf1\x80\x00\x00\x00\x00", masked(b"x", 0)])
def test_frames_against_the_protocol_end_the_connection(serve: Any, data: bytes) -> None:
    async def scenario(world: World) -> None:
        reader, _ = await opened(world, UPGRADE.format(path="/ws").encode() + data)
        await reader.readuntil(b"\r\n\r\n")
        try:
            left = await reader.read()
        except ConnectionResetError:
            left = b""
        assert left[:1] in (b"", b"\x88")
        await world.settle()
        assert not world.host.sockets()

    serve(scenario, "binance")


def test_a_reader_that_does_not_read_is_cut_off(serve: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(websocket, "MAX_BACKLOG", 1 << 20)

    async def scenario(world: World) -> None:
        reader, _ = await opened(world, UPGRADE.format(path="/ws"))
        await reader.readuntil(b"\r\n\r\n")
        [socket] = world.host.sockets()
        while socket.is_open:
            socket.send("x" * 100_000)
            await asyncio.sleep(0)
        assert socket.sent > 10

    serve(scenario, "binance")


@pytest.mark.parametrize(
    ("path", "channels"),
    [
        ("/ws/btcusdt@trade/ethusdt@depth", {"btcusdt@trade", "ethusdt@depth"}),
        ("/stream?streams=btcusdt@trade", {"btcusdt@trade"}),
        ("/ws", set()),
        ("/ws/btcusdt@depth7/none@trade/btcusdt@kline_9y", set()),
    ],
)
def test_streams_named_in_the_path(serve: Any, path: str, channels: set[str]) -> None:
    async def scenario(world: World) -> None:
        url = f"wss://stream.binance.com:9443{path}"
        async with world.session().ws_connect(url) as socket:
            await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
            assert set((await socket.receive_json())["result"]) == channels
            await socket.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
            assert await socket.receive_json() == {"result": None, "id": 2}
            world.venue().background[0]._take()  # type: ignore[attr-defined]
            message = await socket.receive_json()
            combined = path.startswith("/stream")
            assert (message["data"] if combined else message)["e"] == "trade"
            await socket.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 3})
            await socket.send_json({"method": "WHAT", "id": 4})
            while (last := await socket.receive_json()).get("id") != 4:
                pass
            assert last["error"]["code"] == 2
            await socket.send_str("{")
            assert (await socket.receive_json())["error"]["code"] == 2

    serve(scenario, "binance")


def test_a_client_that_does_not_trust_the_authority_is_refused(serve: Any) -> None:
    async def scenario(world: World) -> None:
        port = world.serving.listener.tls_port
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(f"https://127.0.0.1:{port}/binance/api/v3/ping")

    serve(scenario, "binance")


def test_a_port_that_is_taken_is_told(serve: Any) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(VenueError, match="free on 127") as found:
            await Listener(world.host, world.serving.listener.port).start()
        assert found.value.code == "venue.port"

    serve(scenario, "binance")


def test_a_bug_costs_one_answer_and_is_reported(serve: Any) -> None:
    async def scenario(world: World) -> None:
        def broken(request: Any) -> Any:
            raise ZeroDivisionError("seven")

        venue = world.venue()
        rest = venue.dialect.rest
        venue.dialect.rest = broken  # type: ignore[method-assign]
        async with world.session().get("https://api.binance.com/api/v3/ping") as answer:
            assert answer.status == 500
        venue.dialect.rest = rest  # type: ignore[method-assign]
        async with world.session().get("https://api.binance.com/api/v3/ping") as answer:
            assert answer.status == 200
        assert [bug for bug in world.bugs if "ZeroDivisionError: seven" in bug]
        world.bugs.clear()

    serve(scenario, "binance")


def test_a_bug_in_a_push_does_not_cut_an_order_in_two(serve: Any) -> None:
    async def scenario(world: World) -> None:
        exchange = world.exchange()

        def broken(event: Any) -> None:
            raise ZeroDivisionError("eight")

        end = exchange.subscribe(broken)
        ex = world.ccxt("binance")
        order = await ex.create_order("BTC/USDT", "market", "buy", 0.01)
        end()
        assert order["status"] == "closed"
        assert world.bugs
        assert all("ZeroDivisionError: eight" in bug for bug in world.bugs)
        world.bugs.clear()

    serve(scenario, "binance")
