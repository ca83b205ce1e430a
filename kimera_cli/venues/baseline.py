"""What an account has before its first order: with it, fills explain every later balance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kimera_cli.venues.clients.session import RefusedError
from kimera_cli.venues.orders.balances import new_baseline

if TYPE_CHECKING:
    from kimera_cli.venues.desk import Desk

TRIES = 3


async def take_baseline(desk: Desk) -> None:
    """Put the account's balances into its journal, if they stand still.

    They are asked for twice: a fill between would be in the second answer and not in the first.
    Balances that go on moving, and a key that may not see them, leave the journal without.
    """
    queries = desk.client.queries
    try:
        before = await queries.balances()
        for _ in range(TRIES):
            asked_ns = desk.now_ns
            now = await queries.balances()
            if now == before:
                desk.note(new_baseline(now, asked_ns, "first use"))
                return
            before = now
    except RefusedError as error:
        desk.world.report(error)
