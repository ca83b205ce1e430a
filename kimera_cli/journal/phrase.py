"""One line in words for a decoded journal entry, for people who read a table."""

from __future__ import annotations

from kimera_cli.records import JsonObject


def of(kind: str, body: JsonObject) -> str:
    """Return who did what, with only what matters for the kind."""
    who = f"{body['strategy']} {body['instrument']}"
    if kind == "fill":
        return f"{who} {_fill(body)}"
    if kind == "denied":
        more = f", {body['count']} times" if body["count"] > 1 else ""
        return f"{who} {_wish(body)}: {body['code']}{more}"
    if "order_id" in body and "event" in body:
        reason = f": {body['reason']}" if body["reason"] else ""
        left = "" if kind == "submitted" else f", left {body['left']}"
        return f"{who} #{body['order_id']} {_wish(body)}{left}{reason}"
    return f"{who} {_facts(body)}"


def _wish(body: JsonObject) -> str:
    terms = f" {body['order_type']} {body['tif']}" if body.get("tif") else ""
    return f"{body['side']} {body['qty']} at {body['px']}{terms}"


def _fill(body: JsonObject) -> str:
    how = "maker" if body["maker"] else "taker"
    return (
        f"#{body['order_id']} {body['side']} {body['qty']} at {body['px']} {how}, "
        f"fee {body['fee']:.8g} {body['fee_currency']}, position {body['position']}"
    )


def _facts(body: JsonObject) -> str:
    named = {k: v for k, v in body.items() if k not in ("strategy", "instrument") and v is not None}
    return ", ".join(
        f"{name} {value:.10g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in named.items()
    )
