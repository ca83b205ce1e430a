"""What a soak does to a run, and in which order: the same for the same seed. Pure.

Each act is one request to the venue server's control API, and, where it lasts, another one that
takes it back; a kill is an act of the soak itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.faults.marks import (
    ANSWERED,
    BIDS,
    BOOKS,
    CANCELED,
    CHECKSUMS,
    PLACED,
    SPOKEN,
    SPOKEN_CANCELS,
    WHOLE,
)
from kimera_cli.venues.orders.rules import rules_of

Execute = Literal["live", "paper"]
Way = Literal["rest", "websocket", "mixed"]
"""How the orders of runs go where a venue takes them by websocket; mixed: run by run."""
Json = dict[str, Any]
LONGEST_DOUBT_S = 60
"""Where a lost request could be executed for longer, none is lost: nothing is sent meanwhile."""
KILLS = ("kill_all", "kill_main", "kill_part")
"""SIGKILL for all processes of the run, for the one that began it, or for one that it began."""
ENDING = ("connections", "venue", "frames: cut", "frames: garbage", "frames: 11 MB")
"""Kinds of faults by which connections end."""
NOT_ENDING = 6
"""How many times as often others come."""
ASKING = frozenset({"binance", "coinbaseexchange"})
"""Venues of which market data are asked for by REST, too."""
CROSSING = "60000"
"""Price of a bid above every ask of the markets that are traded."""
ASKED = "^GET|^POST /0/private/(Open|Closed|Query|Trades|Balance)"


class Call(NamedTuple):
    """One POST to the control API."""

    path: str
    body: Json


class Act(NamedTuple):
    """One fault."""

    kind: str
    venue: str = ""
    """Empty: it is done to the run, not at a venue."""
    wait_s: float = 0.0
    """Before it."""
    call: Call | None = None
    then: Call | None = None
    lasts_s: float = 0.0
    """After so long `then` follows; without it, the rule that the call made is taken back."""


class Kind(NamedTuple):
    """What is called, what follows, after how many seconds: see Act."""

    call: Call
    then: Call | None = None
    lasts_s: float = 0.0


class Target(NamedTuple):
    """A market of the run, as the server knows it."""

    venue: str
    symbol: str


def acts(
    seed: int,
    targets: Sequence[Target],
    execute: Execute,
    gap_s: float,
    kill_s: float,
    way: Way = "rest",
) -> Iterator[Act]:
    """Yield acts without end; `gap_s` and `kill_s` are mean times between two, 0: no kills."""
    chance = random.Random(seed)
    kinds = {target: kinds_at(target, execute, way) for target in targets}
    names = {target: list(kinds[target]) for target in targets}
    weights = {target: [_weight(name) for name in names[target]] for target in targets}
    kill_in_s = chance.expovariate(1 / kill_s) if kill_s else float("inf")
    while True:
        wait_s = chance.expovariate(1 / gap_s)
        kill_in_s -= wait_s
        if kill_in_s <= 0:
            kill_in_s = kill_s / 2 + chance.expovariate(2 / kill_s)
            yield Act(chance.choice(KILLS), wait_s=wait_s)
            continue
        target = chance.choice(targets)
        (name,) = chance.choices(names[target], weights[target])
        yield Act(name, target.venue, wait_s, *kinds[target][name])


def _weight(kind: str) -> int:
    """Clients wait ever longer before they come back, unless a connection has lasted."""
    return 1 if kind.startswith(ENDING) else NOT_ENDING


def speaks(run: int, seed: int, way: Way) -> bool:
    """Whether the orders of a run (1, 2, ...) go by websocket, where a venue takes them so."""
    return way == "websocket" or (way == "mixed" and (run + seed) % 2 == 1)


def kinds_at(target: Target, execute: Execute, way: Way = "rest") -> Mapping[str, Kind]:
    """Return what may happen at a venue, by name."""
    venue = target.venue
    found = {**_of_frames(venue), **_of_connections(venue)}
    if execute == "live" or venue in ASKING:
        found |= _of_answers(venue, ASKED, "query")
    if execute == "live":
        found |= _of_answers(venue, PLACED[venue], "order") | _of_answers(venue, CANCELED, "cancel")
        found |= _of_market(target)
        if rules_of(venue).window.default_ns <= LONGEST_DOUBT_S * NS_PER_S:
            found |= _unread(venue)
        if way != "rest" and venue in SPOKEN:
            found |= _of_spoken(venue)
    return found


def _rule(venue: str, hook: str, action: str, match: str, **terms: Any) -> Kind:
    rule = {"hook": hook, "action": action, "venue": venue, "match": match, **terms}
    return Kind(Call("/faults", rule))


def _of_answers(venue: str, match: str, what: str) -> dict[str, Kind]:
    """Requests that are carried out, and whose answers are lost, late or unreadable."""
    after = partial(_rule, venue, "request.after", match=match)
    before = partial(_rule, venue, "request.before", match=match)
    html = "<html>back soon</html>"
    return {
        f"{what}: answer lost": after(action="drop"),
        f"{what}: answer empty": after(action="empty"),
        f"{what}: answer cut": after(action="truncate", size=20),
        f"{what}: answer HTML": after(action="reply", status=200, body=html),
        f"{what}: answer 502": after(action="reply", status=502, body="bad gateway"),
        f"{what}: answer 2 s late": after(action="delay", seconds=2.0),
        f"{what}: answer 12 s late": after(action="delay", seconds=12.0),
        f"{what}: 429": before(action="reply", status=429, body="", headers={"Retry-After": "2"}),
    }


def _unread(venue: str) -> dict[str, Kind]:
    """New orders that never come to be, which has to be proved."""
    before = partial(_rule, venue, "request.before", match=PLACED[venue])
    return {
        "order: lost on its way": before(action="drop"),
        "order: 503, not executed": before(action="reply", status=503, body="busy"),
        "order: 2 s late at the venue": before(action="delay", seconds=2.0),
    }


def _of_spoken(venue: str) -> dict[str, Kind]:
    """Orders and cancels by websocket: lost, late, and their answers lost, late, unreadable."""
    read = partial(_rule, venue, "frame.in")
    told = partial(_rule, venue, "frame.out", match=ANSWERED[venue])
    return {
        "spoken order: lost on its way": read(action="drop", match=SPOKEN[venue]),
        "spoken order: 2 s late at the venue": read(
            action="delay", match=SPOKEN[venue], seconds=2.0
        ),
        "spoken cancel: lost on its way": read(action="drop", match=SPOKEN_CANCELS[venue]),
        "spoken: answer lost": told(action="drop"),
        "spoken: answer cut": told(action="truncate", size=20),
        "spoken: answer garbage": told(action="garbage"),
        "spoken: answer without an id": told(
            action="replace", pattern='"(orderId|order_id|ordId)":"?[^,}"]*"?', body='"none":0'
        ),
        "spoken: answer 2 s late": told(action="delay", seconds=2.0),
        "spoken: answer 8 s late": told(action="delay", seconds=8.0),
        "spoken: answer twice": told(action="duplicate"),
        "spoken: answer behind the next": told(action="reorder"),
    }


def _of_frames(venue: str) -> dict[str, Kind]:
    """Messages of the venue, public and private."""
    out = partial(_rule, venue, "frame.out", match=".")
    found = {
        "frames: lost": out(action="drop", count=3),
        "frames: cut": out(action="truncate", size=15),
        "frames: garbage": out(action="garbage"),
        "frames: 11 MB": out(action="garbage", body="[", size=11_000_000),
        "frames: twice": out(action="duplicate", count=3),
        "frames: in another order": out(action="reorder", count=2),
        "frames: late": out(action="delay", seconds=1.5, count=2),
        "frames: unknown": out(action="insert", body='{"no":"such message"}'),
        "frames: none for 4 s": out(action="drop", count=None)._replace(lasts_s=4.0),
    }
    found |= _of_books(venue)
    if venue in CHECKSUMS:
        pattern, body = CHECKSUMS[venue]
        found["frames: wrong checksum"] = _rule(
            venue, "frame.out", "replace", '"checksum"', pattern=pattern, body=body
        )
    return found


def _of_books(venue: str) -> dict[str, Kind]:
    """Books that are crossed, or those of an earlier connection."""
    pattern, bid = BIDS[venue]
    body, match = bid.replace("{price}", CROSSING), f"{BOOKS[venue]}.*{pattern}"
    crossed = _rule(venue, "frame.out", "replace", match, pattern=pattern, body=body)
    if venue in WHOLE:
        old = _rule(venue, "frame.out", "stale", WHOLE[venue], count=2)
    else:
        old = _rule(venue, "request.after", "stale", "depth", count=2)
    return {"books: crossed": crossed, "books: old": old}


def _of_connections(venue: str) -> dict[str, Kind]:
    """Connections that end, or seem to live; a venue that restarts, or is in maintenance."""
    found: dict[str, Kind] = {
        f"connections: {how}": Kind(Call(f"/{venue}/disconnect", {"path": "", "how": how}))
        for how in ("abort", "close", "freeze", "expire")
    }
    refused = _rule(venue, "connect", "status", "^/", status=503, count=2)
    closed = Call(f"/{venue}/disconnect", {"how": "close"})
    found["connections: handshakes refused"] = refused._replace(then=closed)
    found["venue: restart"] = Kind(Call(f"/{venue}/restart", {}))
    on, off = (Call(f"/{venue}/maintenance", {"on": on}) for on in (True, False))
    found["venue: maintenance"] = Kind(on, off, 3.0)
    return found


def _of_market(target: Target) -> dict[str, Kind]:
    path, open_ = f"/{target.venue}/market", {"symbol": target.symbol, "status": "trading"}
    return {
        f"market: {status}": Kind(Call(path, open_ | {"status": status}), Call(path, open_), 3.0)
        for status in ("halt", "cancel_only")
    }
