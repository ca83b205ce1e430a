"""Transparent huge pages, and the limits of locked memory and open files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kimera_cli.host.item import LOGIN, Item, Limit, Profile, Write
from kimera_cli.host.tree import Tree
from kimera_cli.host.values import choices, mib, settled
from kimera_cli.host.writes import absent, to_write

THP = "/sys/kernel/mm/transparent_hugepage"
LEAST_LOCKED = 128 << 20
"""Rings, pools and state blocks of one engine."""
LEAST_FILES = 65_536
_UNLIMITED = "unlimited"


def probe(tree: Tree, profile: Profile, outside: str) -> Iterator[Item]:
    """Tell huge pages and limits."""
    yield _transparent(tree, profile, outside)
    yield _background(tree, profile, outside)
    yield _swap(tree)
    yield _locked(tree, profile)
    yield _files(tree, profile)


def _transparent(tree: Tree, profile: Profile, outside: str) -> Item:
    path = f"{THP}/enabled"
    text = tree.text(path)
    item = Item(
        item="transparent huge pages",
        area="memory",
        current=settled(path, text),
        advised="madvise",
        why="with `always` the kernel merges pages of any process, at times of its own",
        effect="huge pages only where a program asks for them, at its start",
    )
    if not text:
        return absent(item, outside, "this kernel does not have them")
    if item.current == "never" or "madvise" not in choices(text):
        return replace(item, status="ok", reason="off altogether" if profile == "hft" else "")
    return to_write(tree, item, [Write(path, item.current, "madvise")])


def _background(tree: Tree, profile: Profile, outside: str) -> Item:
    path = f"{THP}/khugepaged/defrag"
    item = Item(
        item="background merging",
        area="memory",
        current=tree.text(path),
        why="khugepaged may compact memory to make huge pages of small ones",
        effect="no page moves under the engine; huge pages come at allocation only",
        status="ok",
    )
    if not item.current:
        return absent(item, outside, "this kernel does not have it")
    if profile != "hft":
        return item
    return to_write(tree, replace(item, advised="0"), [Write(path, item.current, "0")])


def _swap(tree: Tree) -> Item:
    areas = tree.text("/proc/swaps").splitlines()[1:]
    return Item(
        item="swap space",
        area="memory",
        current=", ".join(line.split()[0] for line in areas) or "none",
        status="ok",
        why="a page on disk costs a fault of milliseconds",
        effect="swappiness matters only where there is some",
    )


def limits_of(tree: Tree, name: str) -> tuple[str, str]:
    """Return soft and hard limit of this process (`Max open files`): numbers or `unlimited`."""
    for line in tree.text("/proc/self/limits").splitlines():
        if line.startswith(name):
            soft, hard = line[len(name) :].split()[:2]
            return soft, hard
    return "", ""


def _locked(tree: Tree, profile: Profile) -> Item:
    found = limits_of(tree, "Max locked memory")
    wanted = _UNLIMITED if profile == "hft" else str(LEAST_LOCKED)
    in_file = wanted if wanted == _UNLIMITED else str(LEAST_LOCKED >> 10)  # limits.d counts KiB
    item = Item(
        item="memory lock limit",
        area="limits",
        current=mib(int(found[0])) if found[0].isdigit() else found[0],
        advised=wanted if wanted == _UNLIMITED else f"at least {mib(LEAST_LOCKED)}",
        why="memory that is not locked can be paged out; more than the limit cannot be locked",
        effect="rings and pools stay in memory; for a service: LimitMEMLOCK=infinity in its unit",
    )
    return _limited(item, "memlock", found, wanted, in_file)


def _files(tree: Tree, profile: Profile) -> Item:
    found = limits_of(tree, "Max open files")
    wanted = str(LEAST_FILES if profile != "laptop" else 4_096)
    item = Item(
        item="open file limit",
        area="limits",
        current=found[0],
        advised=f"at least {wanted}",
        why="sockets, journal, Parquet parts and shared memory each hold one",
        effect="a run with many streams does not fail; for a service: LimitNOFILE= in its unit",
    )
    return _limited(item, "nofile", found, wanted, wanted)


def _limited(item: Item, name: str, found: tuple[str, str], wanted: str, in_file: str) -> Item:
    soft, hard = found
    if not soft:
        return absent(replace(item, current=""), "", "the host does not tell")
    if _enough(soft, wanted):
        return replace(item, status="ok")
    reason = "limits.d, from the next login on: apply --persist"
    limit = Limit(name, soft, in_file, hard=not _enough(hard, wanted))
    return replace(item, status="change", settable=LOGIN, reason=reason, limit=limit)


def _enough(found: str, wanted: str) -> bool:
    if found == _UNLIMITED:
        return True
    return wanted != _UNLIMITED and found.isdigit() and int(found) >= int(wanted)
