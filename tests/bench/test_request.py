"""What a row says, and what it is measured on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kimera_cli.bench import machine
from kimera_cli.bench.harness import Timing
from kimera_cli.bench.request import Peer, Request, row
from kimera_cli.records import Bench


def timing(*repeats: float) -> Timing:
    return Timing(n=1000, repeats_ns=list(repeats), batches_ns=list(repeats), batch=100)


def test_row_carries_median_rate_peer_limit_and_target() -> None:
    request = Request(clock=lambda: 0, machine="m", commit="c", load=0.5)
    peer = Peer("other 1.0", timing(80.0, 100.0, 90.0), at_least=4.0)
    made = row(
        request,
        "x",
        timing(20.0, 10.0, 30.0),
        kind="batches",
        peer=peer,
        limit=timing(5.0),
        fills=3,
    )
    assert made.median_ns == 20.0
    assert made.p99_ns == made.max_ns == 30.0
    assert made.rate_per_s == 5e7
    assert made.peer == "other 1.0"
    assert made.peer_ratio == 4.5
    assert made.limit_ratio == 4.0
    assert (made.target, made.met) == (">= 4 x other 1.0", True)
    assert made.detail["kind"] == "batches"
    assert made.detail["repeats_ns"] == [20.0, 10.0, 30.0]
    assert made.detail["peer_repeats_ns"] == [80.0, 100.0, 90.0]
    assert made.detail["fills"] == 3
    assert msgspec.json.decode(msgspec.json.encode(made), type=Bench) == made


def test_a_missed_target_says_so() -> None:
    peer = Peer("other", timing(39.0), at_least=4.0)
    made = row(Request(clock=lambda: 0), "x", timing(10.0), kind="k", peer=peer)
    assert (made.peer_ratio, made.met) == (3.9, False)


def test_without_peer_and_target_nothing_is_claimed() -> None:
    made = row(Request(clock=lambda: 0), "x", timing(10.0), kind="k")
    assert (made.peer, made.peer_ratio, made.target, made.met) == ("", None, "", None)


@pytest.mark.parametrize(("flags", "virtual"), [("fpu hypervisor sse", True), ("fpu sse", False)])
def test_fingerprint_reads_processor_and_virtualisation(
    tmp_path: Path, flags: str, virtual: bool
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: Example CPU 9\nflags\t\t: {flags}\n")
    found = machine.fingerprint(cpuinfo)
    assert found.cpu == "Example CPU 9"
    assert found.virtual is virtual
    assert found.numba == machine.package("numba") != "absent"
    assert ("virtual" in str(found)) is virtual


def test_fingerprint_without_cpuinfo_does_not_guess(tmp_path: Path) -> None:
    assert machine.fingerprint(tmp_path / "absent").virtual is None


def test_commit_outside_of_a_checkout_is_the_version(tmp_path: Path) -> None:
    assert machine.commit(tmp_path) == f"kimera {machine.package('kimera')}"
