"""Markets as they were when a venue was last seen."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kimera_cli.errors import UsageError
from kimera_cli.instrument import Instrument
from kimera_cli.live.known_markets import KnownMarkets
from kimera_cli.venues.clients.api import Listing

PAIR = Instrument(
    venue="kraken", symbol="XBTUSD", kind="spot", tick=Decimal("0.1"), lot=Decimal("1E-8"),
    base="BTC", quote="USD", min_notional=Decimal("0.5"), maker_fee=0.0025,
)  # fmt: skip
LISTED = Listing(PAIR, "XBT/USD", options={"pair": "XXBTZUSD"}, other_names=("BTC/USD",))


@pytest.mark.parametrize("name", ["XBTUSD", "XBT/USD", "BTC/USD", "btc-usd"])
def test_a_market_is_known_by_any_spelling(tmp_path: Path, name: str) -> None:
    known = KnownMarkets(tmp_path, live=True)
    known.keep("kraken", [LISTED], 7)
    assert known.recall("kraken", [name, name]) == [PAIR]


def test_no_such_market(tmp_path: Path) -> None:
    known = KnownMarkets(tmp_path, live=True)
    known.keep("kraken", [LISTED], 7)
    with pytest.raises(UsageError) as raised:
        known.recall("kraken", ["ETHUSD"])
    assert raised.value.code == "usage.symbol"


def test_a_server_says_nothing_of_the_venue_itself(tmp_path: Path) -> None:
    KnownMarkets(tmp_path, live=False).keep("kraken", [LISTED], 7)
    assert KnownMarkets(tmp_path, live=True).recall("kraken", ["XBTUSD"]) is None


def test_a_damaged_file_is_no_knowledge(tmp_path: Path) -> None:
    known = KnownMarkets(tmp_path, live=True)
    known.keep("kraken", [LISTED], 7)
    path = known.path("kraken")
    path.write_bytes(path.read_bytes()[:-9])
    assert known.recall("kraken", ["XBTUSD"]) is None
