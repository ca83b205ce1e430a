"""What a run measured inside its loop, stage by stage, as its manifest states it."""

from __future__ import annotations

import msgspec

from kimera_cli.errors import DataError
from kimera_cli.records import Stage
from kimera_cli.report import figures
from kimera_cli.report.run import Run

_HEADS = ("p50", "p99", "p99.9", "max")


def stages_of(run: Run) -> list[Stage]:
    """Return the stages that were reached; none when they were not measured (run.stages).

    DataError `data.run_manifest` where the manifest was changed.
    """
    try:
        return msgspec.convert(run.manifest.get("stages", []), list[Stage])
    except msgspec.ValidationError as error:
        raise DataError(
            "data.run_manifest",
            f"expected stages in {run.path}/manifest.json as the run wrote them, was {error}",
            "restore the manifest or run again",
        ) from error


def stage_lines(stages: list[Stage]) -> list[str]:
    """Return a table of the stages: a line of heads, then one per stage; times in ns."""
    lines = [f"{'':<18}" + "".join(f"{head:>13}" for head in _HEADS) + f"{'count':>13}"]
    for each in stages:
        times = (each.p50_ns, each.p99_ns, each.p999_ns, each.max_ns)
        cells = "".join(f"{figures.count(value):>13}" for value in (*times, each.count))
        lines.append(f"{each.stage.replace('_', ' '):<18}{cells}")
    return lines
