"""Whether what was applied still holds, and whether it made a measurable difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from kimera_cli.errors import KimeraError
from kimera_cli.host import persist
from kimera_cli.host.apply import refusal
from kimera_cli.host.revert import Changed
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import settled
from kimera_cli.records import HostResult

SETTLE_S = 0.2
"""Time for a switched governor, clock source or interrupt route to take effect."""
_LEFT_ALONE = ("/smt/control", "/vm/nr_hugepages")
"""Switching these back and forth would take processors or memory from running programs."""


def read_back(tree: Tree, changes: Sequence[Changed]) -> Iterator[HostResult]:
    """Tell of each change, first to last, whether it holds."""
    for change in reversed(changes):
        if change.is_file:
            text = persist.held(tree, change.path)
            found, holds = "absent" if text is None else "present", text == change.new
            old, new = "absent" if change.old is None else "present", "present"
            reason = "" if holds or text is None else "its text was edited"
        else:
            found = settled(change.path, tree.text(change.path))
            old, new, holds = str(change.old), str(change.new), found in change.held
            reason = "" if holds else "as before" if found == old else "changed since"
        yield HostResult(
            action="verify",
            item=change.item,
            path=change.path,
            old=old,
            new=new,
            found=found,
            status="held" if holds else "changed",
            reason=reason,
        )


class Switch:
    """Brings the applied values to the old ones and back: the states A and B of a comparison.

    The journal needs no line for it: each value is the old or the new one at any moment, and
    `revert` takes back either.
    """

    def __init__(
        self, tree: Tree, changes: Sequence[Changed], settle: Callable[[float], None]
    ) -> None:
        self._tree, self._settle = tree, settle
        kernel = [change for change in reversed(changes) if not change.is_file]
        holding = [c for c in kernel if settled(c.path, tree.text(c.path)) in c.held]
        self.switched = [c for c in holding if not c.path.endswith(_LEFT_ALONE)]
        self.left = [c.item for c in kernel if c not in self.switched]

    def check(self) -> None:
        """Raise KimeraError when there is nothing to switch, or when this process cannot."""
        if not self.switched:
            raise KimeraError(
                "host.nothing_applied",
                "expected applied settings that can be switched, was none: nothing to compare",
                "kimera tune-host apply, or measure the noise alone: --control",
            )
        if any(self._tree.blocked(change.path) for change in self.switched):
            raise refusal(self._tree, "kimera tune-host verify (or only read back: --no-jitter)")

    def __call__(self, new: bool) -> None:
        """Write all new values, or all old ones last first, and let them settle."""
        for change in self.switched if new else reversed(self.switched):
            value = str(change.new if new else change.old)
            try:
                self._tree.write(change.path, value)
            except OSError as error:
                raise KimeraError(
                    "host.switch",
                    f"expected to write {value} to {change.path}, was refused: "
                    f"{self._tree.refusal(error, change.path)}",
                    "look what holds now: kimera tune-host verify --no-jitter",
                    file=change.path,
                ) from error
        self._settle(SETTLE_S)
