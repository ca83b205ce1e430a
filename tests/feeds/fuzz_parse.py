"""Long runs of mutated frames through both parsers of every venue, by hand:

    pip install kimera[fuzz]
    python tests/feeds/fuzz_parse.py -max_total_time=600 CORPUS

libFuzzer (through atheris) keeps what reaches new code in the slow parsers; every second mutation
is one that knows what a frame looks like (mutation.py). The first byte of an input is the venue.
With NUMBA_BOUNDSCHECK=1 every read of the kernel is checked as well.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import atheris

sys.path.insert(0, str(Path(__file__).parent))

import kimera_cli.feeds.reader

with atheris.instrument_imports(include=["kimera_cli.feeds"]):
    import kimera_cli.feeds.slow_binance
    import kimera_cli.feeds.slow_bybit
    import kimera_cli.feeds.slow_coinbase
    import kimera_cli.feeds.slow_htx
    import kimera_cli.feeds.slow_kraken
    import kimera_cli.feeds.slow_okx  # noqa: F401

from mutation import mutant
from seeds import CASES
from test_fuzz import check

VENUES = sorted(CASES)
SEEDED = 64
"""One in so many mutations begins with a good frame again."""


def read_one(data: bytes) -> None:
    """Read one input; an assertion or a crash ends the run and keeps the input."""
    if data:
        check(VENUES[data[0] % len(VENUES)], data[1:])


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Return another input: libFuzzer's way, or one that knows frames."""
    random = Random(seed)
    if random.random() < 0.5 and len(data) > 1:
        return bytes(atheris.Mutate(data, most))
    venue = random.randrange(len(VENUES)) if not data else data[0] % len(VENUES)
    frames = CASES[VENUES[venue]].frames
    old = len(data) > 1 and random.randrange(SEEDED)
    return (bytes([venue]) + mutant(random, [data[1:]] if old else frames))[:most]


def write_seeds(folder: Path) -> None:
    """Begin the corpus with the good frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, venue in enumerate(VENUES):
        for k, frame in enumerate(CASES[venue].frames):
            (folder / f"{venue}-{k}").write_bytes(bytes([number]) + frame)


if __name__ == "__main__":
    folders = [Path(each) for each in sys.argv[1:] if not each.startswith("-")]
    if folders:
        write_seeds(folders[0])
    atheris.Setup(sys.argv, read_one, custom_mutator=mutate)
    atheris.Fuzz()
