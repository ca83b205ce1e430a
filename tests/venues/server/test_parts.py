"""The small parts: amounts, levels, limits, tokens, bars, background, keys, certificates."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import stat
import tomllib
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_world import PAIR, START_NS, Hall, market

from kimera_cli.venues.clients.credentials import from_file
from kimera_cli.venues.server import amounts, auth, new_keys
from kimera_cli.venues.server.build import Setup, build_host, wealth_of
from kimera_cli.venues.server.ca import make_authority
from kimera_cli.venues.server.candles import MINUTE_NS, Candles
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.depth import Depth
from kimera_cli.venues.server.dialect import parameters
from kimera_cli.venues.server.dialects import MODULES, available, load
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.flow import Flow
from kimera_cli.venues.server.limits import Bans, Decaying, FixedWindow, SlidingWindow
from kimera_cli.venues.server.model import Reject

S = 10**9


@given(st.decimals(-(10**9), 10**9, places=18))
def test_amounts_are_exact(value: Decimal) -> None:
    amount = amounts.atoms(value)
    assert Decimal(amount) / amounts.ONE == value or amount == int(value.scaleb(18))
    assert Decimal(amounts.text(amount)) == value
    cut = Decimal(amounts.fixed(amount, 8))
    assert abs(cut) <= abs(value) < abs(cut) + Decimal("1e-8")
    assert amounts.truncated(amount) == amounts.atoms(cut)


def test_amounts_as_text() -> None:
    assert amounts.text(amounts.atoms("120.50")) == "120.5"
    assert amounts.text(-amounts.atoms(3)) == "-3"
    assert amounts.fixed(amounts.atoms("1.999"), 2) == "1.99"
    assert amounts.fixed(amounts.atoms("-0.5"), 0) == "-0"
    with pytest.raises(ValueError, match="at most 18 decimals"):
        amounts.atoms("1e-19")


LEVEL_ACTS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 9), st.integers(0, 5))
)


@given(LEVEL_ACTS, st.integers(0, 6))
def test_levels_are_sorted_and_complete(acts: list[Any], n: int) -> None:
    depth, plain = Depth(), {"buy": dict[int, int](), "sell": dict[int, int]()}
    for side, px, lots in acts:
        change = lots - plain[side].get(px, 0)
        assert depth.add(side, px, change) == lots
        plain[side][px] = lots
    for side in ("buy", "sell"):
        levels = sorted(((p, q) for p, q in plain[side].items() if q), reverse=side == "buy")
        assert depth.levels(side) == levels  # type: ignore[arg-type]
        assert depth.levels(side, n) == levels[:n]  # type: ignore[arg-type]
        assert depth.best(side) == (levels[0][0] if levels else None)  # type: ignore[arg-type]
        for px in range(1, 10):
            better = [p for p, _ in levels if (p > px if side == "buy" else p < px)]
            assert depth.within(side, px, n) == (len(better) < n)  # type: ignore[arg-type]


def test_levels_never_go_below_nothing() -> None:
    depth = Depth()
    depth.add("buy", 5, 2)
    with pytest.raises(ValueError, match="at least 3 lots"):
        depth.add("buy", 5, -3)


def test_a_fixed_window_forgets_at_its_end() -> None:
    window = FixedWindow(3, 60 * S)
    assert [window.take(59 * S) for _ in range(4)] == [True, True, True, False]
    assert window.used(59 * S) == 4
    assert window.resets_in_ns(59 * S) == S
    assert window.take(60 * S, 3)
    assert window.used(60 * S) == 3


def test_a_sliding_window_counts_what_it_let_pass() -> None:
    window = SlidingWindow(2, 10 * S)
    assert [window.take(t * S) for t in (0, 5, 9)] == [True, True, False]
    assert window.resets_in_ns(9 * S) == S
    assert window.take(10 * S)
    assert not window.take(14 * S)
    assert window.take(15 * S)


def test_a_counter_decays() -> None:
    counter = Decaying(15, 0.5)
    assert all(counter.take(0, 5) for _ in range(3))
    assert not counter.take(0)
    assert not counter.take(1 * S)
    assert counter.take(2 * S)
    assert counter.level(32 * S) == 0


def test_bans_follow_patience_and_double() -> None:
    bans = Bans(100, 350, 2)
    assert (bans.violation("a", 0), bans.violation("a", 0)) == (0, 100)
    assert (bans.until_ns("a", 99), bans.until_ns("a", 100), bans.until_ns("b", 0)) == (100, 0, 0)
    assert [bans.violation("a", 200) for _ in range(4)] == [0, 400, 0, 550]


def test_signatures_against_published_vectors() -> None:
    # binance's documentation of request security
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    text = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
        "&recvWindow=5000&timestamp=1499827319559"
    )
    wanted = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert auth.mac_hex(secret, text) == wanted
    # RFC 4231, test case 2
    assert auth.mac_hex("Jefe", "what do ya want for nothing?", "sha512").startswith("164b7a7bfcf8")
    assert auth.from_base64("!") == b""
    assert auth.iso_ms("2020-12-08T09:08:57.715Z") == 1_607_418_537_715
    assert auth.iso_ms("yesterday") is None


@given(st.text("ab=&%20+;", max_size=12))
def test_parameters_are_what_urllib_reads(text: str) -> None:
    assert parameters(text) == dict(parse_qsl(text, keep_blank_values=True))


def test_nonces_only_rise() -> None:
    nonces = auth.Nonces()
    assert [nonces.take("k", n) for n in (5, 5, 4, 6)] == [True, False, False, True]
    assert nonces.take("other", 1)


def token(pem: str, alg: str = "ES256") -> str:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    def part(value: Any) -> str:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    signed = f"{part({'alg': alg})}.{part({'sub': 'x'})}"
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{part(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def test_es256_tokens() -> None:
    pem = new_keys.new_key("coinbase", 1, 2).secret
    good = auth.read_jwt(token(pem))
    assert good is not None
    assert good.claims == {"sub": "x"}
    assert auth.verify_es256(pem, good)
    assert not auth.verify_es256(new_keys.new_key("coinbase", 2, 2).secret, good)
    other = auth.read_jwt(token(pem, "none"))
    assert other is not None
    assert not auth.verify_es256(pem, other)
    assert auth.read_jwt("a.b") is None
    assert auth.read_jwt("a.b.c") is None


def test_bars_agree_whatever_their_length() -> None:
    bars = Candles(market(), 7, START_NS)
    now = START_NS + 1
    for width in (5, 60, 1440):
        first = START_NS - START_NS % (width * MINUTE_NS) - 2 * width * MINUTE_NS
        [long] = bars.bars(width * MINUTE_NS, first, first + 1) or [None]
        [long, *_] = bars.bars(width * MINUTE_NS, first, first + width * MINUTE_NS)
        minutes = bars.bars(MINUTE_NS, first, first + width * MINUTE_NS)
        assert len(minutes) == width
        assert long.open_px == minutes[0].open_px
        assert long.close_px == minutes[-1].close_px
        assert long.high_px == max(b.high_px for b in minutes)
        assert long.low_px == min(b.low_px for b in minutes)
        assert (long.lots, long.quote) == (
            sum(b.lots for b in minutes),
            sum(b.quote for b in minutes),
        )
        assert all(b.low_px <= min(b.open_px, b.close_px) for b in minutes)
        assert all(b.high_px >= max(b.open_px, b.close_px) for b in minutes)
    again = Candles(market(), 7, START_NS).bars(MINUTE_NS, now - 10**13, now)
    assert again == bars.bars(MINUTE_NS, now - 10**13, now)
    assert again != Candles(market(), 8, START_NS).bars(MINUTE_NS, now - 10**13, now)
    assert bars.bars(MINUTE_NS, now, now + 1)[-1:] == []  # no bar opens within that nanosecond


def test_bars_of_trades() -> None:
    hall = Hall()
    hall.sell(hall.a, "3", "50000")
    hall.sell(hall.a, "1", "50010")
    hall.clock.step(5 * MINUTE_NS)
    hall.buy(hall.b, "1")
    hall.buy(hall.b, "3", "50010")
    hall.buy(hall.a, "1", "49990")
    hall.sell(hall.b, "0.5")
    bar = hall.exchange.candles(PAIR, MINUTE_NS, limit=1)[0]
    assert (bar.open_px, bar.high_px, bar.low_px, bar.close_px) == (
        5_000_000, 5_001_000, 4_999_000, 4_999_000,
    )  # fmt: skip
    assert (bar.lots, bar.taker_buy_lots, bar.trades) == (450_000, 400_000, 4)
    assert bar.quote == (150_000 + 50_010 + 24_995) * 10**18
    before = hall.exchange.candles(PAIR, MINUTE_NS, limit=3)
    assert [(b.lots, b.open_px) for b in before[:2]] == [(0, 5_000_000)] * 2
    ticker = hall.exchange.ticker(PAIR)
    assert (ticker.last_px, ticker.last_lots, ticker.bid_px) == (4_999_000, 50_000, 4_999_000)
    hall.clock.step(2 * MINUTE_NS)
    hall.buy(hall.a, "1", "50020", post_only=True)
    hall.sell(hall.b, "0.1")
    late = hall.exchange.candles(PAIR, MINUTE_NS, limit=2)
    assert [b.open_px for b in late] == [4_999_000, 5_002_000]  # flat, then the first trade
    with pytest.raises(Reject, match="whole minutes"):
        hall.exchange.candles(PAIR, 30 * S)


def test_the_background_keeps_a_market_and_depends_on_the_seed_alone() -> None:
    def run(seed: int) -> list[tuple[int, int]]:
        hall = Hall()
        flow = Flow(hall.exchange, hall.exchange.market(PAIR), 50, seed)
        for _ in range(40):
            hall.clock.step(S)
            flow.tick(hall.clock.now_ns())
        hall.exchange.check_conservation()
        bids, asks = hall.exchange.book(PAIR)
        assert len(bids) > 5
        assert len(asks) > 5
        assert len(hall.exchange.orders(flow.quoter.id, is_open=False)) <= 50
        return [(t.px_ticks, t.qty_lots) for t in hall.exchange.trades(PAIR)]

    trades = run(1)
    assert len(trades) > 100
    assert trades == run(1)
    assert trades != run(2)


@pytest.mark.parametrize("rate", [2, 20, 500])
@pytest.mark.parametrize("symbol", ["BTC/USDT", "ETH/BTC"])
def test_no_side_of_the_background_runs_dry(symbol: str, rate: float) -> None:
    dialect = load("binance")
    clock = Clock(start_ns=START_NS)
    exchange = Exchange("binance", dialect.default_markets(), clock, 7, dialect.rules)
    flow = Flow(exchange, exchange.market(symbol), rate, 7)
    middles: list[float] = []
    for _ in range(200 if rate < 100 else 40):
        clock.step(S // 4)
        flow.tick(clock.now_ns())
        bids, asks = exchange.book(symbol)
        assert min(len(bids), len(asks)) >= 5
        assert sum(lots for _, lots in bids) > 5 * flow.mean_lots < sum(lots for _, lots in asks)
        middles.append((bids[0][0] + asks[0][0]) / 2)
    widest = (max(middles) - min(middles)) / middles[0]
    assert 0 < widest < 0.01, "it moves as a market does, whatever the rate"


def test_the_background_rests_in_a_halt_and_does_not_make_up_for_a_jump() -> None:
    hall = Hall()
    flow = Flow(hall.exchange, hall.exchange.market(PAIR), 10, 1)
    hall.exchange.set_status(PAIR, "halt")
    hall.clock.step(100 * S)
    before = len(hall.events)
    flow.tick(hall.clock.now_ns())
    assert len(hall.events) == before
    hall.exchange.set_status(PAIR, "trading")
    hall.clock.step(10**6 * S)
    acts: list[int] = []
    flow.act = lambda: acts.append(1)  # type: ignore[method-assign]
    flow.tick(hall.clock.now_ns())
    assert len(acts) < 40


def test_keys_are_a_function_of_the_seed_and_in_the_venue_s_form(tmp_path: Path) -> None:
    keys = [new_keys.new_key(venue, 3, 2) for venue in MODULES]
    assert keys == [new_keys.new_key(venue, 3, 2) for venue in MODULES]
    assert all(a.key != new_keys.new_key(a.venue, 4, 2).key for a in keys)
    by_venue = {key.venue: key for key in keys}
    assert len(base64.b64decode(by_venue["kraken"].secret)) == 64
    assert by_venue["okx"].passphrase
    assert by_venue["coinbaseexchange"].passphrase
    assert by_venue["coinbase"].secret.startswith("-----BEGIN EC PRIVATE KEY-----")
    path = tmp_path / "new" / "keys.toml"
    new_keys.write_keys(path, keys)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = tomllib.loads(path.read_text())
    assert {v: (t["key"], t["secret"], t["passphrase"]) for v, t in read.items()} == {
        k.venue: (k.key, k.secret, k.passphrase) for k in keys
    }


def test_the_clients_read_the_keys_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    keys = [new_keys.new_key(venue, 3, 2) for venue in MODULES]
    new_keys.write_keys(path, keys)
    for key in keys:
        found = from_file(path, key.venue, {})
        assert (found.key, found.pem().decode(), found.passphrase) == (
            key.key,
            key.secret,
            key.passphrase,
        )


def test_certificates(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    made = make_authority(tmp_path / "tls", ["api.binance.com"], now)
    assert stat.S_IMODE(made.leaf.stat().st_mode) == 0o600
    made.server_context()
    context = ssl.create_default_context(cafile=made.root)
    assert [c["subject"][0][0][1] for c in context.get_ca_certs()] == ["kimera venue server"]
    assert b"PRIVATE" not in made.root.read_bytes()


def test_every_venue_that_is_there_builds_and_stands() -> None:
    names = available()
    assert "binance" in names
    host = build_host(Setup(venues=names, seed=3, rate=5.0), None, bug, start_ns=START_NS)
    taken: set[str] = set()
    for venue in host.venues.values():
        assert not taken & set(venue.dialect.hosts), venue.name
        taken |= set(venue.dialect.hosts)
        for _ in range(20):
            venue.exchange.clock.step(S)
            venue.tick()
        venue.exchange.check_conservation()
    assert load("huobi") is load("htx") if "htx" in names else True


def bug(venue: str, where: str, error: Exception) -> None:
    raise error


def test_wealth_covers_every_asset() -> None:
    found = wealth_of(load("binance").default_markets())
    assert found == {"USDT": "1000000", "BTC": "20", "ETH": "400"}


def test_a_clock_steps_back_and_forth() -> None:
    clock = Clock(lambda: 1000)
    assert (clock.now_ns(), clock.step(500), clock.step(-900), clock.set(7)) == (1000, 1500, 600, 7)
    random = Random(1)
    assert Clock(start_ns=random.randrange(10)).now_ns() == Random(1).randrange(10)
