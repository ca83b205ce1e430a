"""Clocks that a test moves, and a folder in shared memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest


@dataclass
class TestClocks:
    """Wall and monotonic time in ns; `at` is moved by hand."""

    __test__ = False
    at: list[int] = field(default_factory=lambda: [1_000_000_000])

    def now_ns(self) -> int:
        return 1_700_000_000_000_000_000 + self.at[0]

    def monotonic_ns(self) -> int:
        return self.at[0]

    def pass_ns(self, ns: int) -> None:
        self.at[0] += ns


@pytest.fixture
def clocks() -> TestClocks:
    return TestClocks()
