"""From a difference to the writes that mend it, with what stands in their way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kimera_cli.host.item import NOW, Item, Write
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import settled


def to_write(tree: Tree, item: Item, writes: Sequence[Write]) -> Item:
    """Return the item as `ok`, or as `change` with those writes that would change something."""
    needed = [w for w in writes if settled(w.path, w.old) != settled(w.path, w.new)]
    if not needed:
        return replace(item, status="ok", settable=NOW)
    reason = next((why for w in needed if (why := tree.blocked(w.path))), "")
    return replace(item, status="change", settable=NOW, reason=reason, writes=tuple(needed))


def absent(item: Item, outside: str, otherwise: str) -> Item:
    """Return the item as absent: for want of the host around a guest or container, or otherwise."""
    return replace(
        item,
        current=item.current or "absent",
        status="absent",
        settable="outside" if outside else "no",
        reason=outside or otherwise,
    )
