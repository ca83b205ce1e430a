"""docs/reference/strategies.md, made from strategies and layouts; a test compares the two."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from kimera_cli.kernels import quoting
from kimera_cli.kernels import strategy as actions
from kimera_cli.layouts import OPEN_ORDER, VIEW
from kimera_cli.strategies.protocol import StrategyInfo
from kimera_cli.strategies.python import Market, Order
from kimera_cli.strategies.registry import BUILT_IN, info

HEAD = """# Strategies

What comes with kimera, what a strategy sees, and what it can say.
[Write a strategy](../how-to/write-a-strategy.md) shows how. `kimera strategies show NAME` prints
the same for any strategy. This page is written by `kimera_cli.strategies.reference.markdown()`.
"""

FIELDS = {
    "now_ns": "time of this call, ns since the Unix epoch, UTC",
    "strategy": "index of the strategy in the run",
    "instrument": "index of the instrument in the run",
    "reason": "why it is called: 0 event, 1 timer, 2 fill, 3 another instrument of the group",
    "tick": "quote currency per tick",
    "lot": "base units, or contracts, per lot",
    "contract_size": "base units per unit of size; inverse: quote units per contract",
    "maker_fee": "fraction of traded value; negative is a rebate",
    "taker_fee": "fraction of traded value",
    "best_bid_ticks": "best bid; -1 when the side is empty",
    "best_bid_lots": "size at the best bid",
    "best_ask_ticks": "best ask; 2^60 when the side is empty",
    "best_ask_lots": "size at the best ask",
    "mid_ticks": "(bid + ask) / 2; NaN when a side is empty",
    "microprice_ticks": "mid weighted by the opposite sizes at the touch",
    "queue_imbalance": "(bid - ask) / (bid + ask) of the sizes at the touch, -1 to 1",
    "depth_imbalance": "the same over five levels",
    "ofi": "order-flow imbalance in lots, fading with time",
    "signed_flow": "traded lots, bought minus sold by the aggressor, fading with time",
    "vol_fast": "volatility of the mid, ticks per square root of second; NaN at the start",
    "vol_mid": "the same, slower",
    "vol_slow": "the same, slowest",
    "last_trade_ticks": "price of the last trade",
    "last_trade_lots": "its size",
    "last_trade_side": "its aggressor: 0 bought, 1 sold, 2 unknown",
    "position_lots": "own position; negative is short",
    "open_bid_lots": "open size of own buy orders",
    "open_ask_lots": "open size of own sell orders",
    "cash": "settlement currency, fees included",
    "equity": "settlement currency",
    "n_orders": "own orders in `orders`",
    "n_actions": "actions said so far in this call",
    "params": "parameters, in the order of PARAMS",
    "state": "32 numbers that last from call to call; zero at the start",
    "orders": "own orders, a table with holes: rows with state 0 are free",
    "actions": "what this call says; written by the functions below",
    "kind": "0 spot, 1 linear, 2 inverse",
    "min_lots": "smallest order",
    "settle_rate": "portfolio currency per unit of quote currency",
    "min_notional": "smallest order value, quote currency",
    "table": "the strategy's decision table, for `table_consult`; 0: it has none",
    "group_size": "instruments of the group; 1: it is alone, and what follows is not kept",
    "group_bid": "best net bid of all venues: what selling a unit brings; NaN when there is none",
    "group_bid_instrument": "index of the instrument whose bid that is; -1: nobody's",
    "group_bid_size": "size there",
    "group_ask": "best net ask of all venues: what buying a unit costs; NaN when there is none",
    "group_ask_instrument": "index of the instrument whose ask that is; -1: nobody's",
    "group_ask_size": "size there",
    "group_position": "own position in all instruments of the group",
    "group_orders": "own orders in all instruments of the group",
    "spot_short": "1: the gate lets spot be sold that the run did not buy (risk.spot_short)",
}

GROUP = """### One asset on several venues

A *group* is one base asset of one kind in all instruments of the run: BTC/USDT and BTC/USD on spot,
or linear perpetuals of BTC; an inverse contract is alone. Prices `group_*` are portfolio currency
per base unit: the quote currency's rate (`portfolio.rates`) and the taker fee are in them. Sizes
are base units. They are what this side knows of each book at the time of the call; a book in a gap,
silent for longer than `risk.stale_after` or empty is left out. Each call still acts in its own
instrument: `group_ask_instrument == instrument` says that buying is cheapest here. A strategy with
`GROUP = True` is called at a change of any instrument of the group, for each of them (`reason` 3),
so that both legs of a pair leave in one turn.
[The consolidated book](../explanation/consolidated-book.md) has the rule in full."""

ORDER_FIELDS = {
    "state": "0 free, 1 pending, 2 open, 3 cancelling, 4 amending",
    "id": "number of the order in the run",
    "side": "0 buys, 1 sells",
    "px_ticks": "limit price",
    "left_lots": "open size",
    "tag": "your own mark, as given to `place`",
    "ts_sent_ns": "when it, or what it was amended to, was sent",
    "reserved": "not used",
}

ACTIONS = ("place", "cancel", "amend", "cancel_all")
QUESTIONS = (
    "has_market",
    "find_order",
    "is_open",
    "lots_for_notional",
    "sellable_lots",
    "tradable_lots",
)
QUOTING = (
    "keep_quotes",
    "keep_quote",
    "basis_point",
    "volatility_bps",
    "as_reservation",
    "as_spread",
    "glft_bid_delta",
    "glft_ask_delta",
)


def markdown() -> str:
    """Return the page."""
    parts = [HEAD, *(_strategy(info(name)) for name in BUILT_IN), _view(), _functions(), _classes()]
    return "\n".join(part.strip() + "\n" for part in parts)


def _strategy(found: StrategyInfo) -> str:
    every = f"every {found.interval_ns / 1e6:g} ms" if found.interval_ns else "at every change"
    lines = [f"## {found.name}", "", found.summary, "", found.description, "", f"Called {every}."]
    if found.params:
        lines += ["", "| parameter | default | unit | meaning |", "| --- | --- | --- | --- |"]
    for name, default in found.params.items():
        unit, meaning = found.docs[name]
        lines.append(f"| `{name}` | {default:g} | {unit} | {meaning} |")
    return "\n".join(lines)


def _view() -> str:
    lines = ["## The view", "", "What `decide(view)` reads, one record per instrument."]
    lines += ["", *_table("field", _rows(VIEW.names, FIELDS))]
    lines += [
        "",
        "A row of `view.orders`:",
        "",
        *_table("field", _rows(OPEN_ORDER.names, ORDER_FIELDS)),
        "",
        GROUP,
    ]
    return "\n".join(lines)


def _rows(names: tuple[str, ...] | None, texts: dict[str, str]) -> list[tuple[str, str]]:
    return [(name, texts[name]) for name in names or () if name != "reserved"]


def _table(head: str, rows: list[tuple[str, str]]) -> list[str]:
    lines = [f"| {head} | meaning |", "| --- | --- |"]
    return lines + [f"| `{name}` | {text} |" for name, text in rows]


def _functions() -> str:
    lines = ["## What compiled strategies call"]
    for module, names in ((actions, ACTIONS), (actions, QUESTIONS), (quoting, QUOTING)):
        rows = [_signature(getattr(module, name)) for name in names]
        lines += ["", f"From `{module.__name__}`:", "", *_table("function", rows)]
    return "\n".join(lines)


def _signature(kernel: Any) -> tuple[str, str]:
    function: Callable[..., Any] = getattr(kernel, "py_func", kernel)
    return f"{function.__name__}{inspect.signature(function)}", _first_line(function)


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _classes() -> str:
    lines = ["## What classes see", "", "`market` also has every number of the view by its name."]
    lines += ["", *_table("market", list(_members(Market)))]
    fields = ", ".join(f"`{name}`" for name in Order._fields)
    return "\n".join([*lines, "", f"An own order in `market.orders` has {fields}."])


def _members(cls: type) -> Iterator[tuple[str, str]]:
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            yield name, _first_line(member.fget)
        elif callable(member):
            params = list(inspect.signature(member).parameters.values())[1:]
            shown = ", ".join(str(p).partition(":")[0] + _default(p) for p in params)
            yield f"{name}({shown})", _first_line(member)


def _default(param: inspect.Parameter) -> str:
    return "" if param.default is inspect.Parameter.empty else f"={param.default!r}"
