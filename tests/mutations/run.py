"""Break verifiers, rules and sync one by one, and see a test fail for each: `make mutations`.

First the tests that are to notice run on an unbroken copy: they must pass there. Then each mutant
is tried. One that no test notices has survived, which means that a test is missing: exit code 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import workshop
from catalogue import MUTANTS
from mutant import Mutant

_folder = Path()


class Result(NamedTuple):
    """What became of one mutant."""

    mutant: Mutant
    state: str
    """killed, survived, hangs (noticed all the same), or error: the tests could not be run."""
    seconds: float
    by: str
    output: str

    @property
    def noticed(self) -> bool:
        return self.state in ("killed", "hangs")


def judged(mutant: Mutant, verdict: workshop.Verdict) -> Result:
    """Tell what a verdict means."""
    names = {workshop.PASSED: "survived", workshop.FAILED: "killed", -1: "hangs"}
    state = names.get(verdict.code, "error")
    return Result(mutant, state, verdict.seconds, verdict.noticed_by, verdict.output)


def _begin(folder: str) -> None:
    """Give a worker its copy."""
    global _folder
    _folder = workshop.new_copy(Path(folder) / str(os.getpid()))
    workshop.prepare(_folder)


def _try(mutant: Mutant) -> Result:
    return judged(mutant, workshop.attempt(_folder, mutant))


def _whole(tests: str) -> tuple[str, workshop.Verdict]:
    return tests, workshop.run(_folder, workshop.arguments(_folder, tests))


def survey(mutants: Sequence[Mutant], jobs: int) -> list[Result]:
    """Try all; print a line for each as it is known.

    A mutant whose tests fail on unbroken code too is an error: they say nothing about it.
    """
    context = multiprocessing.get_context("spawn")  # nothing of ours is imported there
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        ProcessPoolExecutor(jobs, context, _begin, (folder,)) as workers,
    ):
        whole = dict(workers.map(_whole, dict.fromkeys(m.tests for m in mutants)))
        bad = {tests: v for tests, v in whole.items() if v.code != workshop.PASSED}
        for tests, verdict in bad.items():
            print(f"unbroken code fails {tests} ({verdict.code}):\n{verdict.output}", flush=True)
        found = [Result(m, "error", 0.0, "", "") for m in mutants if m.tests in bad]
        for result in workers.map(_try, [m for m in mutants if m.tests not in bad]):
            print(line(result), flush=True)
            if result.state == "error":
                print(result.output, flush=True)
            found.append(result)
    return found


def line(result: Result) -> str:
    """Return a row of the table."""
    name, by = result.mutant.name, result.by.removeprefix("tests/")
    return f"{result.state:8} {result.seconds:6.1f} s  {name:70} {by}"


def main(argv: Sequence[str]) -> int:
    """Run what is asked for; return the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "-k", default="", help="only mutants with one of these in name or file (a,b)"
    )
    options.add_argument("--jobs", type=int, default=2)
    told = options.parse_args(argv)
    words = told.k.split(",")
    chosen = [m for m in MUTANTS if any(w in m.name or w in m.file for w in words)]
    if not chosen:
        sys.exit(f"expected a mutant with '{told.k}' in name or file, was none")
    begun = time.monotonic()
    results = survey(chosen, told.jobs)
    alive = [r for r in results if not r.noticed]
    noticed = len(results) - len(alive)
    print(f"{noticed} of {len(results)} mutants noticed in {time.monotonic() - begun:.0f} s")
    for result in alive:
        print(f"{result.state}: {result.mutant.file}: {result.mutant.name}")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
