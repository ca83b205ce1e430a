"""Each scripted fault on each hook, as a client on the wire sees it."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from served_venues import World

from kimera_cli.errors import UsageError
from kimera_cli.venues.server.faults import ACTIONS, Rule, damaged, read_script
from kimera_cli.venues.server.frames import Frame, gzip_frame, json_frame

TIME = "https://api.binance.com/api/v3/time"
STREAM = "wss://stream.binance.com:9443/ws/btcusdt@trade"
PAIR = "BTC/USDT"


def order_of(world: World) -> tuple[str, dict[str, str]]:
    """A signed new order as URL and headers."""
    from kimera_cli.venues.server.auth import mac_hex
    from kimera_cli.venues.server.build import client_key

    key = client_key(world.venue())
    query = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=49000&recvWindow="
        f"60000&timestamp={world.exchange().clock.now_ms()}"
    )
    signed = f"{query}&signature={mac_hex(key.secret, query)}"
    return f"https://api.binance.com/api/v3/order?{signed}", {"X-MBX-APIKEY": key.key}


def orders(world: World) -> int:
    return len(world.exchange().orders(world.account()))


@pytest.mark.parametrize(
    ("rule", "executed"),
    [
        ({"hook": "request.before", "action": "drop"}, 0),
        ({"hook": "request.after", "action": "drop"}, 1),
    ],
)
def test_a_dropped_request_looks_the_same_to_the_client(
    serve: Any, rule: Any, executed: int
) -> None:
    async def scenario(world: World) -> None:
        world.rule(match="POST /api/v3/order", **rule)
        url, headers = order_of(world)
        session = world.session()
        with pytest.raises(aiohttp.ClientError):
            await session.post(url, headers=headers)
        assert orders(world) == executed

    serve(scenario, "binance")


@pytest.mark.parametrize(
    ("rule", "executed", "status", "body"),
    [
        ({"hook": "request.before", "action": "reply", "status": 503, "body": "<html>"}, 0, 503,
         b"<html>"),
        ({"hook": "request.after", "action": "reply", "status": 504, "body": "late"}, 1, 504,
         b"late"),
        ({"hook": "request.after", "action": "empty"}, 1, 200, b""),
        ({"hook": "request.after", "action": "truncate", "size": 5}, 1, 200, b'{"sym'),
        ({"hook": "request.after", "action": "replace", "pattern": '"orderId":\\d+',
          "body": '"orderId":null'}, 1, 200, None),
    ],
)  # fmt: skip
def test_answers_are_replaced_before_or_after_the_order(
    serve: Any, rule: Any, executed: int, status: int, body: bytes | None
) -> None:
    async def scenario(world: World) -> None:
        world.rule(match="POST /api/v3/order", **rule)
        url, headers = order_of(world)
        async with world.session().post(url, headers=headers) as answer:
            got = await answer.read()
            assert answer.status == status
        assert orders(world) == executed
        if body is None:
            assert json.loads(got)["orderId"] is None
        else:
            assert got == body
        async with world.session().get(TIME) as answer:  # once is once, and only what matches
            assert answer.status == 200

    serve(scenario, "binance")


def test_headers_of_a_reply(serve: Any) -> None:
    async def scenario(world: World) -> None:
        world.rule(
            hook="request.before", action="reply", status=429, body="{}",
            headers={"Retry-After": "7"},
        )  # fmt: skip
        async with world.session().get(TIME) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")

    serve(scenario, "binance")


def test_a_delayed_answer_is_carried_out_first_and_keeps_its_place(serve: Any) -> None:
    async def scenario(world: World) -> None:
        world.rule(hook="request.after", action="delay", seconds=0.05, match="order")
        reader, writer = await asyncio.open_connection("127.0.0.1", world.serving.listener.port)
        url, headers = order_of(world)
        path = url.removeprefix("https://api.binance.com")
        head = f"Host: api.binance.com\r\nX-MBX-APIKEY: {headers['X-MBX-APIKEY']}\r\n"
        post = f"POST {path} HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n"
        get = "GET /api/v3/ping HTTP/1.1\r\nHost: api.binance.com\r\n\r\n"
        writer.write((post + get).encode())  # pipelined: the answers come in order
        while not orders(world):
            await asyncio.sleep(0)
        both = await reader.readuntil(b'"fills":[]}')
        assert b"orderId" in both
        assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200")
        writer.close()

    serve(scenario, "binance")


def test_skip_count_and_the_stale_answer(serve: Any) -> None:
    async def scenario(world: World) -> None:
        session = world.session()
        depth = "https://api.binance.com/api/v3/depth?symbol=BTCUSDT"

        async def seq() -> int:
            async with session.get(depth) as answer:
                return int((await answer.json())["lastUpdateId"])

        world.rule(hook="request.after", action="stale", skip=1, count=1, match="depth")
        first = await seq()
        flow = world.venue().background[0]
        for _ in range(5):
            flow.act()  # type: ignore[attr-defined]
        assert await seq() == first  # older than what a stream has told meanwhile
        assert await seq() > first

    serve(scenario, "binance")


async def stream(world: World, rule: dict[str, Any]) -> list[str]:
    """What a client of the trade stream gets of five trades while a fault is in force."""
    session = world.session()
    got: list[str] = []
    async with session.ws_connect(STREAM) as socket:
        world.rule(hook="frame.out", path="trade", **rule)
        before = len(world.exchange().trades(PAIR))
        flow = world.venue().background[0]
        while len(world.exchange().trades(PAIR)) < before + 5:
            flow._take()  # type: ignore[attr-defined]
        async for message in socket:
            got.append(message.data)
            if '"last"' in str(message.data):
                break
            if len(got) >= 4:
                world.host.sockets()[0].send('{"last":1}')
    return got[:-1]


@pytest.mark.parametrize(
    ("rule", "ids"),
    [
        ({"action": "drop", "skip": 1}, [0, 2, 3, 4]),
        ({"action": "duplicate", "skip": 1}, [0, 1, 1, 2, 3, 4]),
        ({"action": "reorder", "skip": 1}, [0, 2, 1, 3, 4]),
        ({"action": "delay", "seconds": 0.01, "skip": 1}, None),
        ({"action": "truncate", "size": 9, "skip": 1}, [0, '{"e":"tra', 2, 3, 4]),
        ({"action": "garbage", "body": "{]", "skip": 1}, [0, "{]", 2, 3, 4]),
        ({"action": "insert", "body": '{"e":"?"}', "skip": 1}, [0, '{"e":"?"}', 1, 2, 3, 4]),
        ({"action": "replace", "pattern": '"t":\\d+', "body": '"t":0', "count": 1},
         ["t0", 1, 2, 3, 4]),
    ],
)  # fmt: skip
def test_frames(serve: Any, rule: dict[str, Any], ids: list[Any] | None) -> None:
    async def scenario(world: World) -> list[str]:
        return await stream(world, rule)

    got = serve(scenario, "binance", rate=0.0)
    first = 500_001
    known = {f'"t":{first + n},': n for n in range(40)}

    def name(text: str) -> Any:
        if '"t":0' in text:
            return "t0"
        return next((n for mark, n in known.items() if mark in text), text)

    names = [name(text) for text in got]
    base = min(n for n in names if isinstance(n, int)) - (1 if ids and ids[0] == "t0" else 0)
    names = [n - base if isinstance(n, int) else n for n in names]
    if ids is None:
        assert 1 not in names[:2]
    else:
        assert names[: len(ids)] == ids


def test_a_client_s_message_that_never_arrives(serve: Any) -> None:
    async def scenario(world: World) -> None:
        world.rule(hook="frame.in", action="drop", match="SUBSCRIBE")
        async with world.session().ws_connect("wss://stream.binance.com:9443/ws") as socket:
            await socket.send_str('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
            await socket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":2}')
            assert (await socket.receive_json()) == {"result": [], "id": 2}

    serve(scenario, "binance")


def test_connections_refused_reset_and_half_open(serve: Any) -> None:
    async def scenario(world: World) -> None:
        world.rule(hook="connect", action="reset", match="trade", count=2)  # aiohttp asks twice
        with pytest.raises(aiohttp.ClientError):
            await world.session().ws_connect(STREAM)
        world.rule(hook="connect", action="status", status=503, match="trade")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await world.session().ws_connect(STREAM)
        assert refused.value.status == 503
        silent = world.rule(hook="connect", action="half_open", match="tcp")
        asking = asyncio.ensure_future(world.session().get(TIME))
        while not silent.hits:  # a slow machine connects later
            await asyncio.sleep(0.005)
        await asyncio.wait([asking], timeout=0.2)
        assert not asking.done()
        asking.cancel()
        async with world.session().get(TIME) as answer:
            assert answer.status == 200

    serve(scenario, "binance")


def test_sockets_are_closed_aborted_expired_and_frozen(serve: Any) -> None:
    async def scenario(world: World) -> None:
        session = world.session()
        for how, kind in (("close", aiohttp.WSMsgType.CLOSE), ("abort", None)):
            async with session.ws_connect(STREAM) as socket:
                found = await world.control("POST", "binance/disconnect", {"how": how})
                assert found == {"sockets": 1}
                message = await socket.receive()
                assert message.type == kind or message.type in (
                    aiohttp.WSMsgType.CLOSED,
                    aiohttp.WSMsgType.ERROR,
                )
        async with session.ws_connect(STREAM) as socket:
            await world.control("POST", "binance/disconnect", {"how": "freeze"})
            await socket.ping()
            await socket.send_str("unheard")
            await world.settle()
            assert world.host.sockets()[0].received == 0
            world.host.sockets()[0].send("never")
            with pytest.raises(asyncio.TimeoutError):
                await socket.receive(timeout=0.1)

    serve(scenario, "binance")


def test_a_compressed_frame_is_changed_inside() -> None:
    rule = Rule(hook="frame.out", action="replace", pattern='"a":1', body='"a":2')
    changed = damaged(gzip_frame({"a": 1}), rule)
    assert gzip.decompress(changed.payload) == b'{"a":2}'
    assert damaged(json_frame({"a": 1}), rule).payload == b'{"a":2}'
    long = Rule(hook="frame.out", action="garbage", body="ab", size=11_000_001)
    assert len(damaged(json_frame(1), long).payload) == 11_000_002
    cut = damaged(gzip_frame({"a": 1}), Rule(hook="frame.out", action="truncate", size=4))
    assert len(cut.payload) == 4


def test_every_action_is_named_for_its_hook() -> None:
    for hook, actions in ACTIONS.items():
        for action in actions:
            Rule(hook=hook, action=action)
    with pytest.raises(ValueError, match="expected an action of"):
        Rule(hook="connect", action="duplicate")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[fault]]\nhook='request.after'\naction='reorder'", "expected an action"),
        ("[[fault]]\nhook='frame.out'\naction='drop'\nmatch='('", "regular expression in match"),
        ("[[fault]]\nhook='frame.out'\naction='drop'\ncolour=1", "colour"),
        ("[[faults]]", "faults"),
        ("x = ", "faults.toml"),
    ],
)
def test_a_wrong_script_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as found:
        read_script(path)
    assert found.value.code == "usage.faults"
    with pytest.raises(UsageError, match="readable"):
        read_script(tmp_path / "none.toml")


def test_a_script_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[fault]]\nhook = "frame.out"\naction = "drop"\nvenue = "okx"\nskip = 3\n')
    [rule] = read_script(path)
    assert (rule.venue, rule.skip, rule.count) == ("okx", 3, 1)


def test_frames_have_one_header_for_all_sizes() -> None:
    assert Frame(b"x" * 125).wire[:2] == bytes((0x81, 125))
    assert Frame(b"x" * 126).wire[:4] == bytes((0x81, 126, 0, 126))
    assert Frame(b"x" * 70_000).wire[:10] == bytes((0x81, 127)) + (70_000).to_bytes(8, "big")
