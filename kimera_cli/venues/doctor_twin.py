"""The venue server as the doctor's other patient: the same questions, the answers that are known.

It runs in this process, without a background market, and has an order, a fill and balances of the
account, so that no list is empty.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.venues.clients.addresses import Server
from kimera_cli.venues.clients.api import Listing
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.outcome import Accepted, Intent, Side, TimeInForce
from kimera_cli.venues.server.build import Setup, build_host, client_key
from kimera_cli.venues.server.serve import Ports, Serving

LOW, HIGH = Decimal("0.9"), Decimal("1.05")
"""Prices of the two orders, as parts of where the market began."""
ANSWER_S = 120.0
"""The server may compile kernels in this very loop."""
QUANTITY = Decimal("0.01")


class Twin(NamedTuple):
    """A client of the venue server, and the market that it is asked about."""

    client: VenueClient
    listing: Listing
    low: Decimal
    """A price at which an order rests."""


@asynccontextmanager
async def twin_of(venue: str, world: World) -> AsyncIterator[Twin]:
    """Serve a venue as long as the context lasts."""

    def bug(name: str, where: str, error: Exception) -> None:
        words = f"the venue server's {name} failed at {where}: {type(error).__name__}: {error}"
        world.report(KimeraError("internal", words, "please report it"))

    setup = Setup(venues=[venue], rate=0.0, limits=False)
    host = build_host(setup, world.now_ns, bug)
    served = host.venues[venue]
    key = client_key(served)
    with tempfile.TemporaryDirectory(prefix="kimera-") as folder:
        async with Serving(host, Ports(), Path(folder), world.now_ns()) as serving:
            transport = Transport(Server(serving.listener.port), world, answer_s=ANSWER_S)
            credentials = Credentials(venue, key.key, key.secret, key.passphrase)
            client = client_for(venue, credentials, transport, world)
            client.session.budget = Budget(venue, (), world)
            try:
                await client.session.start()
                market = next(iter(served.exchange.desks.values())).market
                listing = client.session.listing(market.symbol)
                low = market.start_px * LOW
                await _order(client, listing, 1, low, "gtc")
                await _order(client, listing, 2, market.start_px * HIGH, "ioc")
                yield Twin(client, listing, low)
            finally:
                transport.close()


def example(
    client: VenueClient, listing: Listing, number: int, price: Decimal, quantity: Decimal,
    tif: TimeInForce = "post_only", side: Side = "buy",
) -> Intent:  # fmt: skip
    """Return an order that is in no journal: for the venue server, or to be validated alone."""
    return Intent(
        number=number,
        client_id=client_id(client.venue, IntentKey(0, number)),
        venue=client.venue,
        account=client.account,
        symbol=listing.instrument.symbol,
        side=side,
        kind="limit",
        tif=tif,
        created_ns=client.session.clock.now_ns(),
        price=price,
        quantity=quantity,
    )


async def _order(
    client: VenueClient, listing: Listing, number: int, price: Decimal, tif: TimeInForce
) -> None:
    outcome = await client.entry.place(example(client, listing, number, price, QUANTITY, tif))
    if not isinstance(outcome, Accepted):
        raise VenueError(
            "venue.order", f"expected the venue server to take an order, was {outcome}"
        )
