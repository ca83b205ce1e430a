"""Python's garbage collector, held still while events are processed.

What exists at the start is frozen (never looked at again) and automatic collection is off. `rest`
is called between two slices of the loop and collects what gathered since, young objects only; so
a collection never falls between an event and its order.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

YOUNG = 50_000
"""Container objects made since the last collection at which `rest` collects."""


@dataclass
class Collector:
    """The collector's state before, and what was collected since."""

    was_enabled: bool = field(default_factory=gc.isenabled)
    collections: int = 0
    collected: int = 0
    frozen: int = 0

    def freeze(self) -> int:
        """Collect once, freeze what is left, switch automatic collection off; return how many."""
        gc.collect()
        before = gc.get_freeze_count()
        gc.freeze()
        gc.disable()
        self.frozen = gc.get_freeze_count() - before
        return self.frozen

    @property
    def still(self) -> bool:
        """Whether the collector keeps still, as asked."""
        return not gc.isenabled() and gc.get_freeze_count() > 0

    def rest(self, young: int = YOUNG) -> bool:
        """Collect if enough has gathered; call it where no event waits. Return whether it did."""
        if gc.get_count()[0] < young:
            return False
        self.collected += gc.collect(1)
        self.collections += 1
        return True

    def restore(self) -> None:
        """Let Python collect again when it did before."""
        gc.unfreeze()
        if self.was_enabled:
            gc.enable()
