"""Which processors there are, and which of them are left to the engine.

Housekeeping (interrupts, other programs, the journal's thread) gets the first physical core of
each four, the engine the rest. Siblings of one core stay together: they share its first caches.
"""

from __future__ import annotations

from typing import NamedTuple

from kimera_cli.host.tree import Tree
from kimera_cli.host.values import cpus

CPU = "/sys/devices/system/cpu"
FEWEST_TO_ISOLATE = 4
"""Below this many cores isolation takes more from the rest of the host than it gives."""


class Cores(NamedTuple):
    """Processors by number; `physical` are sets of siblings, first to last."""

    online: frozenset[int]
    physical: tuple[frozenset[int], ...]
    isolated: frozenset[int]

    @property
    def engine(self) -> frozenset[int]:
        """Processors for the engine: the isolated ones, or all but housekeeping's."""
        if self.isolated:
            return self.isolated
        kept = max(1, len(self.physical) // 4)
        return frozenset().union(*self.physical[kept:])

    @property
    def housekeeping(self) -> frozenset[int]:
        """Processors for everything else."""
        return self.online - self.engine


def cores(tree: Tree) -> Cores:
    """Return the processors of a host."""
    online = cpus(tree.text(f"{CPU}/online")) or {
        int(name.rpartition("cpu")[2]) for name in tree.names(f"{CPU}/cpu[0-9]*")
    }
    groups: list[frozenset[int]] = []
    for number in sorted(online):
        if not any(number in group for group in groups):
            groups.append(frozenset(_siblings(tree, number) & online) or frozenset({number}))
    isolated = cpus(tree.text(f"{CPU}/isolated")) & online
    return Cores(frozenset(online), tuple(groups), frozenset(isolated))


def _siblings(tree: Tree, number: int) -> set[int]:
    topology = f"{CPU}/cpu{number}/topology"
    text = tree.text(f"{topology}/core_cpus_list") or tree.text(f"{topology}/thread_siblings_list")
    return cpus(text) or {number}
