"""A trader that is killed at one step of its journal: FOLDER DURABILITY STRIDE.

Steps are the lines of Python that run in the journal's modules, and the points between a frame's
bytes. Forks one trader per step, kills it there with SIGKILL, and prints a line per trader:
its folder. The venue is a file beside the journal: what is written there was sent.
"""

from __future__ import annotations

import os
import signal
import sys
from decimal import Decimal
from pathlib import Path

from kimera_cli.journal import frame_log, intent_replay, intent_store, intents, owner
from kimera_cli.venues.orders.entry import Answered
from kimera_cli.venues.orders.outcome import (
    Accepted,
    FillUpdate,
    OrderUpdate,
    Reason,
    Unknown,
    VenueFill,
    VenueOrder,
)

WATCHED = {module.__file__ for module in (intents, intent_replay, intent_store, frame_log, owner)}
ORDERS = 5


class Steps:
    """Counts the lines of the journal's modules; kills its process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.count, self.kill_at = 0, kill_at

    def step(self) -> None:
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def trace(self, frame, event, _argument):
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            self.step()
        return self.trace


class TornMap:
    """A mapped log whose frames arrive in pieces, with a step between them."""

    def __init__(self, inner, steps: Steps) -> None:
        self._inner, self._steps = inner, steps

    def __len__(self) -> int:
        return len(self._inner)

    def __setitem__(self, place: slice, data: bytes) -> None:
        for at in range(0, len(data), 97):
            part = data[at : at + 97]
            self._inner[place.start + at : place.start + at + len(part)] = part
            self._steps.step()

    def close(self) -> None:
        self._inner.close()


def open_journal(folder: Path, durability: str) -> intents.IntentJournal:
    return intents.IntentJournal.open(
        folder, venue="binance", account="main", durability=durability, entropy=b"entropy",
        now_ns=1, timing=intents.Timing(lambda: 0, group_commit_ms=0.0),
    )  # fmt: skip


def say(descriptor: int, text: str) -> None:
    """Tell the outside world; one write is whole or absent."""
    os.write(descriptor, f"{text}\n".encode())


def trade(folder: Path, durability: str, steps: Steps) -> None:
    """Send orders: an odd one is answered and filled, an even one's answer is lost."""
    wire = os.open(folder / "wire", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    told = os.open(folder / "told", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    sys.settrace(steps.trace)
    journal = open_journal(folder, durability)
    if durability == "process":
        journal._log._map = TornMap(journal._log._map, steps)
    for number in range(1, ORDERS + 1):
        intent = journal.draft(number, symbol="BTCUSDT", side="buy", kind="limit", tif="gtc",
                               price=Decimal(100), quantity=Decimal(2))  # fmt: skip
        journal.plan([intent])
        say(told, f"planned {intent.client_id}")
        if not journal.release([intent.client_id], number, number + 1).ok:
            continue
        say(wire, intent.client_id)
        answer(journal, intent, number)
        say(told, f"answered {intent.client_id}")
        journal.poll()
        say(told, f"polled {intent.client_id}")
    journal.close()
    say(told, "closed")


def answer(journal: intents.IntentJournal, intent, number: int) -> None:
    if number % 2 == 0:
        lost = Unknown(why=Reason.NO_ANSWER, detail="timeout")
        journal.record(Answered(client_id=intent.client_id, outcome=lost), number)
        return
    ack = Accepted(venue_order_id=f"v{number}", ts_ns=number)
    fill = VenueFill(
        venue="binance", symbol="BTCUSDT", trade_id=f"t{number}", venue_order_id=f"v{number}",
        side="buy", price=Decimal(100), quantity=Decimal(2), fee=Decimal(0), fee_asset="USDT",
        ts_ns=number,
    )  # fmt: skip
    order = VenueOrder(
        venue="binance", symbol="BTCUSDT", venue_order_id=f"v{number}", status="filled",
        filled=Decimal(2),
    )  # fmt: skip
    journal.record(FillUpdate(fill=fill), number)  # before the acknowledgement
    journal.record(Answered(client_id=intent.client_id, outcome=ack), number)
    journal.record(OrderUpdate(order=order), number)


def run_one(folder: Path, durability: str, kill_at: int) -> int:
    """Fork a trader that is killed at a step; return how many steps it made when it was not."""
    folder.mkdir()
    read, write = os.pipe()
    if os.fork() == 0:
        steps = Steps(kill_at)
        trade(folder, durability, steps)
        sys.settrace(None)
        os.write(write, str(steps.count).encode())
        os._exit(0)
    os.close(write)
    count = os.read(read, 32)
    os.close(read)
    _, status = os.wait()
    assert (status == 0) == bool(count), status
    return int(count or 0)


def main() -> None:
    base, durability, stride = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    total = run_one(base / "whole", durability, 0)
    print(total, flush=True)
    for kill_at in range(1, total + 1, stride):
        run_one(base / str(kill_at), durability, kill_at)
        print(kill_at, flush=True)


main()
