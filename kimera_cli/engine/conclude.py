"""After the loop: the report into the run's folder, the ratios into its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.errors import KimeraError
from kimera_cli.records import RunSummary

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.report.analysis import Analysis

MOST_RECORDS = 2_000_000
"""A report reads all records of a run at once (160 bytes each); a longer run gets it on request."""


class Conclusion(NamedTuple):
    """What a run came to, analysed; `analysis` is None when it was too long or not readable."""

    summary: RunSummary
    analysis: Analysis | None

    def page(self, width: int, *, colour: bool) -> str:
        """Return the result as a person reads it on a terminal."""
        from kimera_cli.engine.brief import page

        return page(self.summary, self.analysis, width, colour=colour)

    def where(self) -> str:
        """Return one line that says where the report is, or how to get it."""
        if self.summary.report:
            return f"report: {self.summary.report}"
        return f"run: {self.summary.folder} (kimera report html {self.summary.run} makes a report)"


def conclude(folder: RunFolder, summary: RunSummary, world: Context) -> Conclusion:
    """Write report.html and complete summary.json with what the analysis found.

    A report that cannot be written is a warning: the run itself is in its folder.
    """
    from kimera_cli.report.analysis import analyse
    from kimera_cli.report.html import FILE, page, save
    from kimera_cli.report.run import read

    records = int(folder.manifest["files"]["events.parquet"]["rows"])
    if records > MOST_RECORDS:
        world.diagnostics.note(f"no report yet: the run wrote {records:,} records")
        return Conclusion(summary, None)
    try:
        analysis = analyse(read(folder))
        save(folder.path / FILE, page(analysis))
        full = _with_ratios(summary, analysis, str(folder.path / FILE))
        folder.write_summary(full)
    except KimeraError as error:
        world.diagnostics.warning(f"the report could not be written: {error}")
        return Conclusion(summary, None)
    return Conclusion(full, analysis)


def _with_ratios(summary: RunSummary, analysis: Analysis, report: str) -> RunSummary:
    sharpe, filled = analysis.measures["sharpe_annual"], analysis.measures["fill_ratio"]
    return msgspec.structs.replace(
        summary,
        sharpe=sharpe.value,
        sharpe_se=sharpe.se,
        fill_ratio=filled.value,
        report=report,
    )
