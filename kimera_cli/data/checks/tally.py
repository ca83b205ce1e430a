"""What a check counts, and the first place where it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from kimera_cli.data.checks.subject import Subject
from kimera_cli.records import Check


@dataclass
class Tally:
    """Counts of one check; `bad` remembers the first failure only, because the rest often
    follow it."""

    subject: Subject
    passed: int = 0
    total: int = 0
    file: str = ""
    line: int | None = None
    detail: str = ""

    def good(self, count: int = 1) -> None:
        """Count what passed."""
        self.passed += count
        self.total += count

    def bad(self, line: int, detail: str, count: int = 1) -> None:
        """Count what failed; the first failure is told with its file and line."""
        if self.failed == 0:
            self.file, self.line = self.subject.place(line)
            self.detail = detail
        self.total += count

    @property
    def failed(self) -> int:
        """How many failed so far."""
        return self.total - self.passed

    def record(self, check: str, detail: str = "") -> Check:
        """Return the record of this check; `detail` is used when nothing failed."""
        return Check(
            check=check,
            dataset=self.subject.dataset,
            passed=self.passed,
            total=self.total,
            ok=self.failed == 0,
            detail=self.detail or detail,
            file=self.file,
            line=self.line,
        )


def merged(records: Sequence[Check], dataset: str) -> Check:
    """Return one record for the same check of several datasets of one recording.

    Counts and values (gaps) add up; detail, file and line are those of the failure that comes
    first in the file.
    """
    if len(records) == 1:
        return replace(records[0], dataset=dataset)
    failed = sorted((r for r in records if not r.ok), key=lambda r: r.line or 0)
    first = failed[0] if failed else records[0]
    values = [record.value for record in records if record.value is not None]
    return replace(
        first,
        dataset=dataset,
        passed=sum(record.passed for record in records),
        total=sum(record.total for record in records),
        detail=f"{first.dataset}: {first.detail}" if failed else _common(records),
        value=sum(values) if values else None,
    )


def _common(records: Sequence[Check]) -> str:
    details = {record.detail for record in records}
    return details.pop() if len(details) == 1 else ""
