"""What an API key may do, as far as its venue tells.

Asked at the venues that have a question for it: Binance (apiRestrictions), Bybit (query-api), OKX
(account/config), Coinbase (key_permissions) and HTX (api-key). Kraken and Coinbase Exchange show a
key's rights on their web pages alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from kimera_cli.venues.clients.rest import Query, get

Ask = Callable[[Query], Awaitable[Any]]
"""Returns the JSON of a signed question."""


class Rights(NamedTuple):
    """What a key may do; None: not told."""

    read: bool
    trade: bool
    withdraw: bool
    anywhere: bool | None = None
    """Whether it works from any address."""


async def rights_of(venue: str, ask: Ask) -> Rights | None:
    """Return what the key may do; None where the venue does not tell.

    What is not in the answer raises KeyError and the like.
    """
    question = _QUESTIONS.get(venue)
    return await question(ask) if question else None


async def _binance(ask: Ask) -> Rights:
    told = await ask(get("/sapi/v1/account/apiRestrictions"))
    return Rights(
        told["enableReading"] is True,
        told["enableSpotAndMarginTrading"] is True,
        told["enableWithdrawals"] is True,
        told["ipRestrict"] is not True,
    )


async def _bybit(ask: Ask) -> Rights:
    told = (await ask(get("/v5/user/query-api")))["result"]
    allowed: Mapping[str, Any] = told["permissions"]
    trade = not told["readOnly"] and "SpotTrade" in (allowed.get("Spot") or ())
    return Rights(True, trade, "Withdraw" in (allowed.get("Wallet") or ()), "*" in told["ips"])


async def _okx(ask: Ask) -> Rights:
    (told,) = (await ask(get("/api/v5/account/config")))["data"]
    return _listed(told["perm"], "read_only", told["ip"])


async def _coinbase(ask: Ask) -> Rights:
    told = await ask(get("/api/v3/brokerage/key_permissions"))
    return Rights(*(told[name] is True for name in ("can_view", "can_trade", "can_transfer")))


async def _htx(ask: Ask) -> Rights:
    number = (await ask(get("/v2/user/uid")))["data"]
    keys = (await ask(get("/v2/user/api-key", uid=number)))["data"]
    # Which of the keys it is cannot be told without naming it: the strongest counts.
    words = ",".join(each["permission"] for each in keys)
    open_to_all = any(not each["ipAddresses"] for each in keys)
    return _listed(words, "readOnly", "" if open_to_all else "some")


def _listed(words: str, read: str, address: str) -> Rights:
    said = words.split(",")
    return Rights(read in said, "trade" in said, "withdraw" in said, not address)


_QUESTIONS: dict[str, Callable[[Ask], Awaitable[Rights]]] = {
    "binance": _binance,
    "bybit": _bybit,
    "okx": _okx,
    "coinbase": _coinbase,
    "htx": _htx,
}
