"""A live run whose strategy is told no all the time: few records, and none of the noes is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kimera_cli.engine.run_audit import verify_run
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.journal.denials import numbers
from kimera_cli.layouts import R_DENIED
from kimera_cli.units import NS_PER_S

if TYPE_CHECKING:
    from live_server import Served

STORM = ("--strategy", "grid", "--set", "risk.max_orders_per_s=0.1", "--set", "risk.order_burst=1")


def test_denials_that_repeat_are_one_record_a_second(kimera: Any, served: Served) -> None:
    words = ("--source", "venue", "--market", "binance/BTCUSDT", "--server", str(served.listening))
    out = kimera.folder / "run"
    result = kimera("run", *words, *STORM, "--for", "4s", "--format", "jsonl", "--out", str(out))
    assert result.code == 0, result.err
    (summary,) = result.records("run_summary")
    told = result.records("denial")
    assert summary["denied"] > len(told) > 1
    times = [each["ts_ns"] for each in told[:-1]]  # the last one is what is left at the end
    assert all(later - earlier >= NS_PER_S for earlier, later in pairwise(times))
    folder = RunFolder.open(out)
    denied = folder.events()[folder.events()["kind"] == R_DENIED]
    assert int(numbers(denied).sum()) == summary["denied"]
    assert sum(each["count"] for each in told) >= summary["denied"] - int(numbers(denied)[-1])
    assert all(check.ok for check in verify_run(folder))
    assert f"{summary['denied']:,}" in (kimera.folder / summary["report"]).read_text()
