"""What Binance tells of orders that would have traded with each other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from direct_venue import Direct, exact

from kimera_cli.venues.server.auth import mac_hex


class Account:
    """The client's requests, and what its stream tells."""

    def __init__(self) -> None:
        self.direct = Direct("binance")
        self.line = self.direct.line("/ws-api/v3")
        params = {"apiKey": self.direct.key.key, "timestamp": self.direct.clock.now_ms()}
        params["signature"] = self.signed("&".join(f"{n}={params[n]}" for n in sorted(params)))
        call = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
        self.line.say(msgspec.json.encode(call).decode())

    def signed(self, text: str) -> str:
        return mac_hex(self.direct.key.secret, text)

    def send(self, method: str, query: str) -> Any:
        text = f"symbol=BTCUSDT&{query}&timestamp={self.direct.clock.now_ms()}"
        signed = f"{text}&signature={self.signed(text)}"
        headers = {"x_mbx_apikey": self.direct.key.key}
        return exact(self.direct.request(method, "/api/v3/order", signed, **headers).body)

    def place(self, side: str, quantity: str, mode: str) -> Any:
        order = f"side={side}&type=LIMIT&timeInForce=GTC&quantity={quantity}&price=50000.50"
        return self.send("POST", f"{order}&selfTradePreventionMode={mode}")

    def reports(self, number: int) -> list[Any]:
        events = [message["event"] for message in self.line.take() if "event" in message]
        return [event for event in events if event.get("i") == number]


@pytest.mark.parametrize(
    ("mode", "resting", "taking"),
    [
        ("EXPIRE_TAKER", None, "0.02000000"),
        ("EXPIRE_MAKER", "0.01000000", None),
        ("EXPIRE_BOTH", "0.01000000", "0.02000000"),
        ("DECREMENT", "0.01000000", "0.01000000"),
    ],
)
def test_what_was_prevented_is_told(mode: str, resting: str | None, taking: str | None) -> None:
    account = Account()
    maker = account.place("SELL", "0.01", "NONE")["orderId"]
    answer = account.place("BUY", "0.02", mode)
    assert answer.get("preventedQuantity") == taking
    for number, prevented in ((maker, resting), (answer["orderId"], taking)):
        shown = account.send("GET", f"orderId={number}")
        assert shown.get("preventedQuantity") == prevented
        assert shown["executedQty"] == "0.00000000"
    assert account.direct.exchange.fills(account.direct.me) == []


def test_an_order_that_it_ended_expired_in_match() -> None:
    account = Account()
    account.place("SELL", "0.01", "NONE")
    answer = account.place("BUY", "0.02", "EXPIRE_TAKER")
    last = account.reports(answer["orderId"])[-1]
    assert (last["x"], last["X"], last["A"]) == (
        "TRADE_PREVENTION",
        "EXPIRED_IN_MATCH",
        "0.02000000",
    )
    assert answer["status"] == "EXPIRED_IN_MATCH"
    assert "eR" not in last
