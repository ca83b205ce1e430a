"""What the wires refuse, what they never show, and what is left after `wipe`."""

from __future__ import annotations

import base64
import copy
import hmac
import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimera_cli.errors import VenueError
from kimera_cli.kernels import order_bytes as ob
from kimera_cli.kernels.text import SLACK
from kimera_cli.venues.wire import binance, kraken
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import KINDS, Dialect, Signing
from kimera_cli.venues.wire.order_wire import OrderWire
from kimera_cli.venues.wire.template import Part, Send, Sign, compile_template

SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP"
LARGEST = (1 << 63) - 1


def refused(code: str, call: Any, *args: Any, **kwargs: Any) -> VenueError:
    with pytest.raises(VenueError) as error:
        call(*args, **kwargs)
    assert error.value.code == code, error.value
    return error.value


# --- client ids ----------------------------------------------------------------------------------

GOOD_IDS = {
    "binance": [b"a", b"x" * 36, b".A-Z:/a-z0-9_-"],
    "bybit": [b"a", b"A_b-9" * 7],
    "okx": [b"a", b"A9" * 16],
    "kraken": [b"a", b"x" * 18, b"0123456789abcdef" * 2, b"0b1c2d3e-0000-4000-8000-000000000001"],
    "htx": [b"a", b"A_b-" * 16],
    "coinbaseexchange": [b"0b1c2d3e-0000-4000-8000-000000000001"],
}
BAD_IDS = {
    "binance": [b"", b"x" * 37, b"a b", b"a&b", b"a=b", b"a%41", "é".encode()],
    "bybit": [b"", b"x" * 37, b"a.b", b'a"b', b"a\\b"],
    "okx": [b"", b"x" * 33, b"a-b", b"a_b"],
    "kraken": [b"", b"x" * 19, b"g" * 32, b"0B1C2D3E-0000-4000-8000-000000000001", b"a&b"],
    "htx": [b"", b"x" * 65, b"a.b"],
    "coinbaseexchange": [b"", b"kim1", b"0B1C2D3E-0000-4000-8000-000000000001"],
}
INJECTIONS = [b"a\r\nX: y", b"a\n", b"\0", b'","px":"1', b"a b HTTP/1.1"]


def test_client_ids_of_the_venue_are_taken(desk: Any, venue: str) -> None:
    wire = desk.wire(venue)
    for client_id in GOOD_IDS[venue]:
        data = bytes(wire.place(0, 0, 0, 1, 1, client_id, desk.now_ns))
        assert client_id in data
        assert client_id in bytes(wire.cancel(desk.now_ns, client_id=client_id))


def test_other_client_ids_are_refused(desk: Any, venue: str) -> None:
    wire = desk.wire(venue)
    for client_id in [*BAD_IDS[venue], *INJECTIONS]:
        refused("venue.order_argument", wire.place, 0, 0, 0, 1, 1, client_id, desk.now_ns)
        refused("venue.order_argument", wire.cancel, desk.now_ns, client_id=client_id)
    for venue_id in [*INJECTIONS, b"x" * 65, b"../orders"]:
        refused("venue.order_argument", wire.cancel, desk.now_ns, venue_id=venue_id)


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"px_ticks": 0}, "venue.order_price"),
        ({"px_ticks": -1}, "venue.order_price"),
        ({"px_ticks": LARGEST}, "venue.order_price"),
        ({"px_ticks": 1 << 63}, "venue.order_argument"),
        ({"qty_lots": 0}, "venue.order_quantity"),
        ({"qty_lots": -5}, "venue.order_quantity"),
        ({"qty_lots": LARGEST}, "venue.order_quantity"),
        ({"ts_ns": 0}, "venue.order_time"),
        ({"ts_ns": -1}, "venue.order_time"),
        ({"request_id": -1}, "venue.order_time"),
        ({"side": 2}, "venue.order_argument"),
        ({"order_type": 2}, "venue.order_argument"),
        ({"tif": 4}, "venue.order_argument"),
    ],
)
def test_numbers_out_of_range(desk: Any, change: dict[str, int], code: str) -> None:
    wire = desk.wire("okx", tick="0.05", lot="0.002")
    order = {
        "side": 0,
        "order_type": 0,
        "tif": 0,
        "px_ticks": 7,
        "qty_lots": 9,
        "client_id": b"a",
        "ts_ns": desk.now_ns,
        **change,
    }
    error = refused(code, wire.place, **order)
    assert "expected" in error.message
    assert "was" in error.message


def test_the_largest_price_is_exact_and_one_more_is_refused(desk: Any) -> None:
    wire = desk.wire("okx", tick="0.07")
    most = LARGEST // 7
    http = desk.http(wire.place(0, 0, 0, most, 1, b"a", desk.now_ns))
    assert http.json["px"] == f"{most * 7 // 100}.{most * 7 % 100:02d}".rstrip("0")
    refused("venue.order_price", wire.place, 0, 0, 0, most + 1, 1, b"a", desk.now_ns)


def test_a_cost_beyond_int64_is_refused(desk: Any) -> None:
    """HTX's market buy: price x size must not wrap."""
    wire = desk.wire("htx")
    http = desk.http(wire.place(0, 1, 0, 5_000_012, 100, b"a", desk.now_ns))
    assert http.json["amount"] == "50.00012"
    refused("venue.order_cost", wire.place, 0, 1, 0, 1 << 40, 1 << 40, b"a", desk.now_ns)
    refused("venue.order_price", wire.place, 0, 1, 0, 0, 100, b"a", desk.now_ns)


def test_market_orders_need_no_price(desk: Any) -> None:
    for venue in ("binance", "bybit", "okx", "kraken", "coinbaseexchange"):
        wire = desk.wire(venue)
        data = bytes(wire.place(1, 1, 0, 0, 100, desk.client_id(venue), desk.now_ns))
        assert b"price" not in data.lower().replace(b"x-", b"")


def test_orders_that_a_venue_lacks(desk: Any) -> None:
    wire = desk.wire("kraken")
    error = refused("venue.order_no_program", wire.place, 0, 0, 2, 1, 1, b"a", desk.now_ns)
    assert "kraken" in error.message
    assert "fok buy" in error.message
    refused("venue.order_no_program", desk.wire("binance").login, desk.now_ns)


def test_a_cancel_names_one_order(desk: Any) -> None:
    wire = desk.wire("binance")
    refused("venue.order_argument", wire.cancel, desk.now_ns)
    refused("venue.order_argument", wire.cancel, desk.now_ns, client_id=b"a", venue_id=b"1")


# --- what a wire is made of ----------------------------------------------------------------------


def test_steps_that_an_int64_cannot_hold(desk: Any) -> None:
    account = desk.account(binance.REST)
    for tick in ("1E-19", "0.12345678901234567890", "1E+19"):
        refused("venue.step", OrderWire, binance.REST, desk.instrument(tick), account)


@pytest.mark.parametrize(
    "options", [{"window": "5 000"}, {"window": "1\r\n"}, {"window": ""}, {"windw": "1"}]
)
def test_options_are_checked(desk: Any, options: dict[str, str]) -> None:
    account = desk.account(binance.REST)
    refused("venue.options", OrderWire, binance.REST, desk.instrument(), account, options=options)


def test_options_that_the_venue_needs(desk: Any) -> None:
    dialect = desk.dialects["htx", "rest"]
    error = refused("venue.options", OrderWire, dialect, desk.instrument(), desk.account(dialect))
    assert "account_id" in error.message


def test_a_symbol_cannot_carry_more_than_a_name(desk: Any) -> None:
    account = desk.account(binance.REST)
    for symbol in ("BTC&side=SELL", "BTC USDT", 'BTC"', "<qty>", "é"):
        refused("venue.options", OrderWire, binance.REST, desk.instrument(), account, symbol=symbol)


def test_an_account_of_another_venue(desk: Any) -> None:
    refused(
        "venue.credentials", OrderWire, binance.REST, desk.instrument(), desk.account(kraken.REST)
    )


# --- secrets -------------------------------------------------------------------------------------


def test_secrets_are_never_shown(desk: Any, venue: str) -> None:
    dialect = desk.dialects[venue, "rest"]
    secret = desk.secret(dialect)
    account = desk.account(dialect)
    wire = desk.wire(venue)
    shown = f"{account!r} {account} {wire!r} {wire} {account.__dict__.keys()}"
    for hidden in (secret.decode(), desk.key, desk.passphrase):
        assert hidden not in shown
    assert desk.raw_secret(dialect) not in account.state.tobytes()
    for call in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled or copied"):
            call(account)


@pytest.mark.parametrize(
    ("key", "secret", "passphrase"),
    [
        ("", b"c2VjcmV0", "p"),
        ("key\r\nX-Evil: 1", b"c2VjcmV0", "p"),
        ("k y", b"c2VjcmV0", "p"),
        ("key", b"hidden-not-base64!", "p"),
        ("key", b"aGlkZGVuLWF", "p"),
        ("key", b"", "p"),
        ("key", b"c2VjcmV0", ""),
        ("key", b"c2VjcmV0", "hidden\nline"),
    ],
)
def test_wrong_credentials_are_refused_without_showing_them(
    key: str, secret: bytes, passphrase: str
) -> None:
    signing = Signing("sha256", "base64", passphrase=True)
    error = refused("venue.credentials", Account, signing, key, secret, passphrase)
    context = (error.__context__, error.__cause__)
    assert "hidden" not in f"{error} {error.details} {context}"
    assert "Evil" not in str(error)
    assert error.hint


def test_a_bytearray_is_zeroed_once_it_is_taken_in() -> None:
    for good, text in ((True, bytearray(base64.b64encode(b"k" * 64))), (False, bytearray(b"x!"))):
        before = len(text)
        if good:
            Account(kraken.SIGNING, "key", text)
        else:
            refused("venue.credentials", Account, kraken.SIGNING, "key", text)
        assert text == bytes(before)


def test_wiping_leaves_nothing(desk: Any, venue: str) -> None:
    wire = desk.wire(venue)
    desk.place(wire, "gtc", "buy")
    wire.wipe()
    assert not wire.programs.tobytes().strip(b"\0")
    assert not bytes(wire.memory).strip(b"\0")
    refused("venue.order_no_program", wire.place, 0, 0, 0, 1, 1, desk.client_id(venue), 1)
    wire.account.wipe()
    assert not wire.account.state.tobytes().strip(b"\0")
    assert not wire.account.ready
    assert not any(wire.account.values().values())


def test_a_wiped_account_signs_no_more(desk: Any, venue: str) -> None:
    """Other wires of the account refuse too, and leave no request in the buffer."""
    wire = desk.wire(venue)
    wire.account.wipe()
    refused("venue.order_key", wire.place, 0, 0, 0, 1, 1, desk.client_id(venue), desk.now_ns)
    assert (wire.order["begin"][0], wire.order["end"][0]) == (0, 0)


def test_a_token_is_checked_and_replaced(desk: Any) -> None:
    wire = desk.wire("kraken", "websocket")
    for token in (b'a"b', b"a\\b", b"a b", b"\xff", b"x" * 2049):
        refused("venue.credentials", wire.account.set_token, token)
    wire.account.set_token(b"x" * 2048)
    wire.account.set_token(b"short")
    assert json.loads(desk.place(wire, "gtc", "buy"))["params"]["token"] == "short"
    wire.account.set_token(b"")
    refused("venue.order_token", wire.place, 0, 0, 0, 1, 1, b"a", desk.now_ns)


# --- sessions ------------------------------------------------------------------------------------


def test_bybit_login(desk: Any) -> None:
    """`GET/realtime` + when it expires, in hex."""
    wire = desk.wire("bybit", "websocket")
    message = json.loads(bytes(wire.login(desk.now_ns)))
    expires = desk.now_ns // 10**6
    signature = hmac.digest(desk.secret(wire.dialect), f"GET/realtime{expires}".encode(), "sha256")
    assert message == {"op": "auth", "args": [desk.key, expires, signature.hex()]}


def test_okx_login(desk: Any) -> None:
    """Seconds + `GET/users/self/verify`, in base64; the passphrase is JSON text."""
    wire = desk.wire("okx", "websocket")
    message = json.loads(bytes(wire.login(desk.now_ns)))
    (given,) = message["args"]
    text = f"{desk.now_ns // 10**9}GET/users/self/verify".encode()
    signature = base64.b64encode(hmac.digest(desk.secret(wire.dialect), text, "sha256")).decode()
    assert message["op"] == "login"
    assert given == {
        "apiKey": desk.key,
        "passphrase": desk.passphrase,
        "timestamp": str(desk.now_ns // 10**9),
        "sign": signature,
    }


def test_kraken_asks_for_its_token(desk: Any) -> None:
    http = desk.http(desk.wire("kraken").login(desk.now_ns))
    assert http.target == "/0/private/GetWebSocketsToken"
    assert http.form == {"nonce": str(desk.now_ns // 10**6)}


def test_krakens_nonce_always_rises(desk: Any) -> None:
    """Over wires of one account, within one millisecond, and when the clock goes back."""
    account = desk.account(kraken.REST)
    wires = [OrderWire(kraken.REST, desk.instrument(), account, symbol=s) for s in ("A", "B")]
    seen = []
    for step_ms in (0, 0, 0, 5, -1_000, 0, 1_000_000):
        wire = wires[len(seen) % 2]
        data = wire.place(0, 0, 0, 1, 1, b"a", desk.now_ns + step_ms * 10**6)
        seen.append(int(desk.http(data).form["nonce"]))
    base = desk.now_ns // 10**6
    assert seen == [base, base + 1, base + 2, base + 5, base + 6, base + 7, base + 1_000_000]


def test_a_refused_order_uses_no_nonce(desk: Any) -> None:
    wire = desk.wire("kraken")
    refused("venue.order_price", wire.place, 0, 0, 0, 0, 1, b"a", desk.now_ns)
    assert wire.account.state["nonce"][0] == 0


def test_frames_hold_the_message(desk: Any) -> None:
    """The frame is built around the message in its place; tests of frames are the kernel's."""
    for (name, way), dialect in desk.dialects.items():
        wire = desk.wire(name, way)
        if dialect.way.way == "rest":
            refused("venue.order_argument", wire.framed, 1)
            continue
        message = desk.place(wire, "gtc", "buy")
        frame = bytes(wire.framed(0x01020304))
        head = 6 if len(message) < 126 else 8
        assert len(frame) == head + len(message)
        assert bytes(b ^ (1 + i % 4) for i, b in enumerate(frame[head:])) == message
        refused("venue.order_argument", wire.framed, 1 << 32)


def test_the_next_order_overwrites_the_last(desk: Any, venue: str) -> None:
    """One buffer: whatever stood there, the same order gives the same bytes."""
    wire, client_id = desk.wire(venue), desk.client_id(venue)
    first = desk.place(wire, "gtc", "buy")
    wire.cancel(desk.now_ns, venue_id=b"9" * 64)
    wire.place(1, 0, 1, 1, 1, client_id, desk.now_ns)
    wire.account.state["nonce"] = 0
    assert desk.place(wire, "gtc", "buy") == first


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fill=st.integers(0, 255), px=st.integers(1, LARGEST // 5), ts_ns=st.integers(1, LARGEST))
def test_nothing_is_written_outside_the_buffer(desk: Any, fill: int, px: int, ts_ns: int) -> None:
    """The longest requests end before the room that their maker counted on."""
    for name, way in desk.dialects:
        wire = desk.wire(name, way, tick="0.5", lot="0.000000000000000001")
        wire.account.set_token(b"t" * 2048)
        out = wire.order["out"][0]
        out[:] = fill
        client_id = desk.client_id(name)
        begin, end = wire.place(0, 0, 0, px, LARGEST, client_id, ts_ns, LARGEST), wire.order["end"]
        assert len(begin) > 0
        assert end[0] <= ob.FRAME_ROOM + ob.OUT_ROOM
        assert (out[: ob.FRAME_ROOM] == fill).all()
        assert (out[end[0] + ob.PADDING + SLACK :] == fill).all()


# --- templates -----------------------------------------------------------------------------------

WRONG: dict[str, tuple[Any, ...]] = {
    "no Send": (Part("a", "x"),),
    "two Sends": (Send("x"), Send("y")),
    "Send before": (Send("x"), Part("a", "x")),
    "unknown field": (Send("<nothing>"),),
    "unknown part": (Send("<copy body>"),),
    "unknown verb": (Part("body", "x"), Send("<move body>")),
    "signature before Sign": (Send("<hex>"),),
    "Sign without part": (Sign("hmac256", "a"), Send("x")),
    "a part torn apart": (Part("a", "x"), Part("b", "y"), Part("a", "z"), Send("x")),
    "too much text": (Send("x" * (ob.TEXT_BYTES + 1)),),
    "too many steps": (Send("<qty>" * (ob.MAX_STEPS + 1)),),
    "too many marks": (*(Part(f"p{i}", "x") for i in range(ob.MAX_MARKS)), Send("x")),
    "too long": (Part("a", "<token>"), Send("<copy a>" * 4)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_templates_are_refused_when_made(name: str) -> None:
    refused("venue.template", compile_template, WRONG[name], {})


def test_constant_beginnings_are_folded_where_they_are_long_enough(desk: Any) -> None:
    """64 bytes at Binance, 128 at HTX; times come first elsewhere."""
    folded = {}
    for (name, way), _ in desk.dialects.items():
        steps = desk.wire(name, way).programs["steps"][0]
        folded[name, way] = max((int(b) for code, _, b in steps if code == ob.SIGN256), default=-1)
    assert folded == {
        ("binance", "rest"): 64,
        ("binance", "websocket"): 64,
        ("bybit", "rest"): 0,
        ("bybit", "websocket"): -1,
        ("okx", "rest"): 0,
        ("okx", "websocket"): -1,
        ("kraken", "rest"): -1,
        ("kraken", "websocket"): -1,
        ("htx", "rest"): 128,
        ("coinbaseexchange", "rest"): 0,
    }


def test_programs_are_where_the_kernel_looks(desk: Any) -> None:
    """`program_of` of a side, type and time in force is the place that the wire filled."""
    from kimera_cli.kernels._jit import kernel

    @kernel(cache=False)
    def place_of(side, order_type, tif):
        return ob.program_of(side, order_type, tif)

    for number, kind in enumerate(KINDS):
        order_type, tif = desk.kinds[kind]
        for side in (0, 1):
            assert place_of(side, order_type, tif) == 2 * number + side


def test_kinds_are_those_of_the_dialects(desk: Any) -> None:
    dialects: list[Dialect] = list(desk.dialects.values())
    assert all(set(d.orders) <= set(KINDS) for d in dialects)
    assert len(ob.PROBLEMS) == 1 - ob.NO_KEY
    assert np.dtype(ob.ORDER).fields is not None
