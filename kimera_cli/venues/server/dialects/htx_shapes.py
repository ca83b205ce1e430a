"""What HTX says of markets, orders, fills and accounts.

An order's filled sizes are `field-...` in most answers (the venue's own slip of the pen) and
`filled-...` in the list of open orders.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.htx_text import (
    account_id,
    exact,
    long_text,
    ms,
    name_of,
    order_text,
)
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Fill, Market, Order

STATES = {"trading": "online", "halt": "suspend", "cancel_only": "suspend", "delisted": "offline"}
FINAL = {"partial-canceled": 5, "filled": 6, "canceled": 7}
"""States that an order does not leave, as cancels by client id number them."""


def symbol(market: Market) -> dict[str, Any]:
    """Return a market as /v1/common/symbols has it."""
    least, most = market.qty_text(market.min_lots), format(market.max_qty, "f")
    return {
        "base-currency": market.base.lower(),
        "quote-currency": market.quote.lower(),
        "price-precision": market.px_digits,
        "amount-precision": market.qty_digits,
        "symbol-partition": "main",
        "symbol": name_of(market),
        "state": STATES[market.status],
        "value-precision": 8,
        "min-order-amt": exact(least),
        "max-order-amt": exact(most),
        "min-order-value": exact(format(market.min_notional.normalize(), "f")),
        "limit-order-min-order-amt": exact(least),
        "limit-order-max-order-amt": exact(most),
        "limit-order-max-buy-amt": exact(most),
        "limit-order-max-sell-amt": exact(most),
        "sell-market-min-order-amt": exact(least),
        "sell-market-max-order-amt": exact(most),
        "buy-market-max-order-value": 1_000_000,
        "api-trading": "enabled",
        "tags": "",
    }


def type_of(order: Order) -> str:
    """Return side and kind as one word (buy-limit-maker)."""
    if order.kind == "market":
        kind = "market"
    elif order.post_only:
        kind = "limit-maker"
    else:
        kind = {"gtc": "limit", "ioc": "ioc", "fok": "limit-fok"}[order.tif]
    return f"{order.side}-{kind}"


def state_of(order: Order) -> str:
    """Return an order's state."""
    if order.is_open:
        return "partial-filled" if order.filled_lots else "submitted"
    if order.status == "filled":
        return "filled"
    return "partial-canceled" if order.filled_lots else "canceled"


def fees_of(order: Order) -> int:
    """Return an order's fees in atoms of what it received."""
    return sum(fill.fee for fill in order.fills)


def size_of(order: Order) -> int:
    """Return an order's size in atoms of base, of quote for a market buy."""
    return order.quote_qty or order.qty_lots * order.market.lot_atoms


def order_body(order: Order, filled: str = "field") -> dict[str, Any]:
    """Return an order; `filled` is how the filled sizes are called."""
    market, state = order.market, state_of(order)
    ended = 0 if order.is_open else ms(order.updated_ns)
    return {
        "symbol": name_of(market),
        "source": "spot-api",
        "price": long_text(order.px_ticks * market.tick_atoms),
        "created-at": ms(order.created_ns),
        "amount": long_text(size_of(order)),
        "account-id": account_id(order.account),
        f"{filled}-cash-amount": long_text(order.cost),
        "client-order-id": order.client_id,
        f"{filled}-amount": long_text(order.filled_lots * market.lot_atoms),
        f"{filled}-fees": long_text(fees_of(order)),
        "id": order_text(order.id),
        "state": state,
        "type": type_of(order),
        **({"finished-at": ended, "canceled-at": ended if "canceled" in state else 0}
           if filled == "field" else {}),
    }  # fmt: skip


def fill_body(fill: Fill) -> dict[str, Any]:
    """Return a fill ("match result")."""
    order = fill.order
    return {
        "symbol": name_of(order.market),
        "fee-currency": fill.fee_asset.lower(),
        "source": "spot-api",
        "price": amounts.text(fill.px_ticks * order.market.tick_atoms),
        "created-at": ms(fill.ts_ns),
        "role": "maker" if fill.maker else "taker",
        "order-id": order_text(order.id),
        "match-id": fill.trade_id,
        "trade-id": fill.trade_id,
        "filled-amount": amounts.text(fill.qty_lots * order.market.lot_atoms),
        "filled-fees": amounts.text(fill.fee),
        "filled-points": "0.0",
        "fee-deduct-currency": "",
        "fee-deduct-state": "done",
        "id": fill_number(fill),
        "type": type_of(order),
    }


def fill_number(fill: Fill) -> int:
    """Return the number of a fill among all fills: the sides of a trade have one each."""
    return fill.serial * 2 + int(not fill.maker)


def account(number: int) -> dict[str, Any]:
    """Return an account's entry in the list of accounts."""
    return {"id": account_id(number), "type": "spot", "subtype": "", "state": "working"}


def api_key(key: Key) -> dict[str, Any]:
    """Return a key's entry in /v2/user/api-key."""
    names = {"read": "readOnly", "trade": "trade", "withdraw": "withdraw"}
    return {
        "accessKey": key.key,
        "note": "kimera",
        "permission": ",".join(names[each] for each in sorted(key.permissions)),
        "ipAddresses": "",
        "validDays": -1,
        "status": "normal",
        "createTime": 1_700_000_000_000,
        "updateTime": 1_700_000_000_000,
    }


def balance(number: int, balances: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Return an account's balances: two entries per asset."""
    listed = [
        {"currency": asset.lower(), "type": kind, "balance": amounts.text(amount), "seq-num": "0"}
        for asset, (free, held) in sorted(balances.items())
        for kind, amount in (("trade", free), ("frozen", held))
    ]
    return {"id": account_id(number), "type": "spot", "state": "working", "list": listed}


def currency(asset: str) -> dict[str, Any]:
    """Return an asset as /v2/reference/currencies has it: one chain, nothing to deposit."""
    name = asset.lower()
    chain = {
        "chain": name,
        "displayName": asset,
        "baseChain": asset,
        "baseChainProtocol": asset,
        "isDynamic": False,
        "depositStatus": "prohibited",
        "minDepositAmt": "0",
        "withdrawStatus": "prohibited",
        "minWithdrawAmt": "0",
        "withdrawPrecision": "8",
        "maxWithdrawAmt": "0",
        "withdrawQuotaPerDay": "0",
        "withdrawQuotaPerYear": None,
        "withdrawQuotaTotal": None,
        "withdrawFeeType": "fixed",
        "transactFeeWithdraw": "0",
        "addrWithTag": False,
        "addrDepositTag": False,
    }
    return {"currency": name, "assetType": 1, "chains": [chain], "instStatus": "normal"}
