"""What a family of checks is: rows in, one record per check out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.subject import Subject
from kimera_cli.records import Check


class Checker(ABC):
    """One family of checks of one dataset. Memory must not grow with the number of rows."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def start(self) -> None:  # noqa: B027 - most have nothing to do
        """A new source begins: nothing links its first row to the row before."""

    @abstractmethod
    def see(self, rows: NDArray[np.void]) -> None:
        """Take the next rows, in recording order."""

    @abstractmethod
    def results(self) -> Iterator[Check]:
        """Yield one record per check, in the order of docs/reference/checks.md."""


def columns(rows: NDArray[np.void], *names: str) -> Iterator[tuple[Any, ...]]:
    """Iterate over the rows as tuples of plain Python integers of the named fields."""
    return zip(*(rows[name].tolist() for name in names), strict=True)
