"""Orders at venues: where journal and venue disagree."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class Difference(Record, frozen=True):
    """One point in which an account's journal and its venue disagree, and what mends it.

    `repair` is what `--adopt` does: `adopt` takes the venue's word into the journal, `baseline`
    takes the venue's balances as they are, `lookup` means that the venue must be asked again first,
    `none` that nothing is done and a person has to look.
    """

    venue: str
    account: str
    kind: Literal[
        "order_found",
        "order_in_doubt",
        "order_state",
        "order_gone",
        "order_lost",
        "order_twice",
        "order_foreign",
        "fill_lost",
        "fill_foreign",
        "fill_unconfirmed",
        "fill_conflict",
        "fills_owed",
        "balance",
        "symbol_unknown",
    ]
    repair: Literal["adopt", "lookup", "baseline", "none"]
    text: str
    symbol: str = ""
    client_id: str = ""
    venue_order_id: str = ""
    trade_id: str = ""
    asset: str = ""
    amount: str = ""
    journal: str = ""
    at_venue: str = ""
    adopted: bool = False
