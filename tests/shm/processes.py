"""Runs two real processes on one block, kills one of them where it is asked, and says what came.

`python processes.py JOB FOLDER SEED TOTAL` prints one line of JSON. It is a program of its own so
that it can fork: the children do nothing but run kernels that were compiled before.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.bench import ring_work as work
from kimera_cli.errors import KimeraError
from kimera_cli.kernels import broadcast, seqlock
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.pointers import array_at
from kimera_cli.shm.broadcast import Broadcaster, Listener, broadcast_shape
from kimera_cli.shm.layout import TAIL_AT
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.shm.segment import open_segment
from kimera_cli.shm.state import StateReader, StateWriter, state_shape

KILLS = 12
ENOUGH = 1000
"""Records or versions that a job must have met before its result says anything."""
CAPACITY = 1024
CORES = sorted(os.sched_getaffinity(0))


class Clocks:
    now_ns = staticmethod(time.time_ns)
    monotonic_ns = staticmethod(time.monotonic_ns)


RING = ring_shape(work.MESSAGE, CAPACITY)
RESULT = state_shape(np.dtype([("position", "i8"), ("digest", "i8")]))
WORDS = 512
WIDE = np.dtype([("words", "i8", (WORDS,))])
"""Every word of record i is i. Wide, so that a writer comes by while a reader copies."""
CAST = broadcast_shape(WIDE, 64)
STATE = state_shape(WIDE)


# --- compiled loops ----------------------------------------------------------------------------
@kernel
def write_casts(end_at, record, stop):
    """Publish records up to number `stop`, one at a time, as fast as it goes."""
    end = array_at(end_at, 1, broadcast.CAST_END)[0]
    words = array_at(record, WORDS, np.int64)
    while end.position < stop:
        for k in range(WORDS):
            words[k] = end.position
        broadcast.cast_write(end, record, 1)


@kernel
def read_casts(end_at, target, n, seen):
    """Read n times; `seen`: records got, torn, out of order, times overrun."""
    end = array_at(end_at, 1, broadcast.CAST_END)[0]
    words = array_at(target, 4 * WORDS, np.int64)
    out = array_at(seen, 4, np.int64)
    for _ in range(n):
        first = end.position
        got = broadcast.cast_read(end, target, 4)
        if got < 0:
            out[3] += 1
        for i in range(max(got, 0)):
            out[0] += 1
            out[2] += words[i * WORDS] != first + i
            for k in range(WORDS):
                if words[i * WORDS + k] != words[i * WORDS]:
                    out[1] += 1
                    break


@kernel
def write_states(slot, record, stride, n):
    """Write n records, as fast as it goes."""
    words = array_at(record, WORDS, np.int64)
    for i in range(n):
        for k in range(WORDS):
            words[k] = i
        seqlock.state_write(slot, record, WORDS, stride, i)


@kernel
def read_states(slot, target, stride, n, seen):
    """Read n times; `seen`: records got, torn, older than the one before, too busy, last version,
    different versions.
    """
    words = array_at(target, 1 + WORDS, np.int64)
    out = array_at(seen, 6, np.int64)
    for _ in range(n):
        version = seqlock.state_read(slot, target, WORDS, stride, 1000)
        if version <= 0:
            out[3] += version < 0
            continue
        out[0] += 1
        for k in range(1 + WORDS):
            if words[k] != words[0]:
                out[1] += 1
                break
        out[2] += version < out[4]
        out[5] += version != out[4]
        out[4] = version


def start(role: Callable[..., int], *args: Any) -> int:
    """Run one side in a child, on a core of its own where there are two; return its process id."""
    child = os.fork()
    if child:
        return child
    code = 99
    try:
        core = CORES[0] if role.__name__.startswith("write") else CORES[-1]
        os.sched_setaffinity(0, {core})
        code = role(*args)
    except KimeraError as error:
        os.write(2, f"{error.code}: {error}\n".encode())
    finally:
        os._exit(code)


def join(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def finish(children: list[int]) -> list[int]:
    """Wait for all; when one fails the others are ended, which would wait for it for ever."""
    codes: dict[int, int] = {}
    while len(codes) < len(children):
        child, status = os.wait()
        codes[child] = os.waitstatus_to_exitcode(status)
        for other in set(children) - set(codes):
            if codes[child] != 0:
                os.kill(other, signal.SIGKILL)
    return [codes[child] for child in children]


# --- the sides ---------------------------------------------------------------------------------
def write_ring(folder: Path, total: int, batch: int) -> int:
    side = Producer(folder / "ring", RING, Clocks)
    while side.position < total:
        side.beat()
        if work.produce(side.end_address, total, batch, False) < 0:
            return 10
    side.close()
    return 0


def read_ring(folder: Path, total: int, batch: int) -> int:
    results = StateWriter(folder / "result", RESULT, Clocks)
    found = StateReader(folder / "result", RESULT, Clocks).read(0)
    state = np.zeros(1, RESULT.dtype)
    if found is not None:
        state[0] = found.value
    side = Consumer(folder / "ring", RING, Clocks, int(state["position"][0]))
    where = (state.ctypes.data, results.slots.address(0), results.slots.copy_bytes)
    while side.position < total:
        side.beat()
        if work.consume_once(side.end_address, total, *where) < 0:
            return 20
    side.close()
    results.close()
    return 0


def write_cast(folder: Path, total: int) -> int:
    side = Broadcaster(folder / "cast", CAST, Clocks)
    record = np.zeros(1, WIDE)
    write_casts(side.end_address, record.ctypes.data, total)
    side.close()
    return 0


def write_state(folder: Path, total: int) -> int:
    side = StateWriter(folder / "state", STATE, Clocks)
    record = np.zeros(1, WIDE)
    write_states(side.slots.address(0), record.ctypes.data, side.slots.copy_bytes, total)
    side.close()
    return 0


# --- the jobs ----------------------------------------------------------------------------------
def ring(folder: Path, seed: int, total: int) -> dict[str, Any]:
    """Both sides to the end; `seed` is the batch of the producer (0: 64)."""
    children = [start(side, folder, total, seed or 64) for side in (read_ring, write_ring)]
    return {"codes": finish(children), **result(folder, total)}


def kill(folder: Path, seed: int, total: int) -> dict[str, Any]:
    """Kill one side after the other at random places, and start it again each time.

    Until then the sides have no end, so that none is over before its turn comes on a busy machine;
    at last both are killed and started again with one.
    """
    rng = random.Random(seed)
    roles = {"writer": write_ring, "reader": read_ring}
    alive = {name: start(role, folder, 1 << 60, 1 + seed % 64) for name, role in roles.items()}
    judged: list[str] = []
    for number in range(KILLS):
        block = wait_until(folder / "ring", total * (number + 1) // KILLS)
        for _ in range(rng.randrange(2000)):
            block.word(TAIL_AT)
        name = rng.choice(list(roles))
        judged.append(killed(alive[name], block, name))
        alive[name] = start(roles[name], folder, 1 << 60, 1 + rng.randrange(200))
    judged += [killed(alive[name], block, name) for name in roles]
    end = block.word(TAIL_AT) + total // KILLS
    codes = finish([start(role, folder, end, 64) for role in roles.values()])
    return {"judged": judged, "codes": codes, "end": end, **result(folder, end)}


def killed(child: int, block: Any, name: str) -> str:
    """Kill one side; return what the other sees of it and how it ended."""
    os.kill(child, signal.SIGKILL)
    code = join(child)
    return f"{block.peer(name).state} {code}"


def wait_until(path: Path, tail: int) -> Any:
    """Return the block once its tail is there."""
    from kimera_cli.shm.block import Block

    while not path.exists():
        os.sched_yield()
    block = Block(open_segment(path, RING, writable=False), Clocks)
    while block.word(TAIL_AT) < tail:
        os.sched_yield()
    return block


def result(folder: Path, total: int) -> dict[str, Any]:
    found = StateReader(folder / "result", RESULT, Clocks).read(0)
    assert found is not None
    return {
        "position": int(found.value["position"]),
        "same": bool(found.value["digest"] == work.digest_of(total)),
    }


def cast(folder: Path, seed: int, total: int) -> dict[str, Any]:
    """One writer flat out, killed and started again half-way: what a reader gets is whole and in
    order, all else is counted.
    """
    Broadcaster(folder / "cast", CAST, Clocks).close()
    listener = Listener(folder / "cast", CAST, Clocks, keep=seed % 32)
    target, seen = np.zeros(4, WIDE), np.zeros(4, np.int64)
    look = (listener.end_address, target.ctypes.data, 200, seen.ctypes.data)
    first = start(write_cast, folder, 1 << 60)
    while listener.word(TAIL_AT) < total // 2 or min(seen[0], 100 * seen[3]) < ENOUGH:
        read_casts(*look)
    os.kill(first, signal.SIGKILL)
    codes = [join(first)]
    second = start(write_cast, folder, listener.word(TAIL_AT) + total // 2)
    while listener.peer("writer").state != "closed":
        read_casts(*look)
    codes.append(join(second))
    read_casts(*look)
    got, torn, disorder, overruns = seen.tolist()
    return {
        "codes": codes,
        "got": got,
        "torn": torn,
        "disorder": disorder,
        "overruns": overruns,
        "lost": listener.lost,
        "written": listener.word(TAIL_AT),
    }


def state(folder: Path, seed: int, total: int) -> dict[str, Any]:
    """One writer flat out, killed somewhere; every read is whole, also after the kill."""
    StateWriter(folder / "state", STATE, Clocks).close()
    reader = StateReader(folder / "state", STATE, Clocks)
    slots = reader.slots
    target, seen = np.zeros(1 + WORDS, np.int64), np.zeros(6, np.int64)
    where = (slots.address(0), target.ctypes.data, slots.copy_bytes)
    child = start(write_state, folder, 1 << 60)
    while seen[0] < total or seen[5] < ENOUGH:  # on a busy machine they seldom run together
        read_states(*where, 1000, seen.ctypes.data)
    os.kill(child, signal.SIGKILL)
    code = join(child)
    read_states(*where, 1, seen.ctypes.data)
    got, torn, older, busy, _, versions = seen.tolist()
    return {
        "codes": [code],
        "got": got,
        "torn": torn,
        "older": older,
        "busy": busy,
        "versions": versions,
        "after": reader.peer("writer").state,
    }


def warm_up(folder: Path) -> None:
    """Compile in the parent, so that a child starts in milliseconds."""
    folder.mkdir()
    write_ring(folder, 256, 64)
    read_ring(folder, 256, 64)
    work.digest_of(1)
    write_cast(folder, 1)
    write_state(folder, 1)
    seen = np.zeros(6, np.int64)
    listener = Listener(folder / "cast", CAST, Clocks)
    target = np.zeros(4, WIDE)
    read_casts(listener.end_address, target.ctypes.data, 1, seen.ctypes.data)
    slots = StateReader(folder / "state", STATE, Clocks).slots
    read_states(slots.address(0), target.ctypes.data, slots.copy_bytes, 1, seen.ctypes.data)


JOBS = {"ring": ring, "kill": kill, "cast": cast, "state": state}

if __name__ == "__main__":
    job, place, number, amount = sys.argv[1:]
    warm_up(Path(place) / "warm")
    print(json.dumps(JOBS[job](Path(place), int(number), int(amount))))
