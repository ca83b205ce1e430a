"""The error of data that failed a check."""

from __future__ import annotations

from kimera_cli.errors import DataError
from kimera_cli.records import Check


def check_failed(check: Check) -> DataError:
    """Return `data.check_failed` for a failed check: dataset, counts, file and line if known."""
    details: dict[str, str | int | float] = {"check": check.check, "dataset": check.dataset}
    where = check.dataset
    if check.file:
        details["file"] = where = check.file
    if check.line is not None:
        details["line"] = check.line
        where += f" line {check.line}"
    return DataError(
        "data.check_failed",
        f"expected {check.check} to hold {check.total} of {check.total} times in {check.dataset}, "
        f"was {check.passed}; first in {where}",
        check.detail or "record the data again, or leave the damaged part out",
        **details,
    )
