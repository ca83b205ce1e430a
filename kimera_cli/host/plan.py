"""The exact changes that bring a host to a profile, and the same as a shell script."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kimera_cli.host.item import Item, Profile, Write
from kimera_cli.host.persist import LIMITS
from kimera_cli.host.tree import NEEDS_ROOT, Tree
from kimera_cli.records import HostChange


@dataclass(frozen=True)
class Step:
    """One write of one item, in the order in which `apply` makes them."""

    item: str
    write: Write


def steps(items: Iterable[Item]) -> list[Step]:
    """Return the writes of all items that are to change.

    Parting siblings comes last: it takes processors away whose files the others write.
    """
    found = [Step(item.item, write) for item in items for write in item.writes]
    return sorted(found, key=lambda step: step.write.path.endswith("/smt/control"))


def changes(tree: Tree, items: Sequence[Item]) -> Iterator[HostChange]:
    """Tell every change: first what `apply` writes, then what is left to a person."""
    for step in steps(items):
        write, blocked = step.write, tree.blocked(step.write.path)
        yield HostChange(
            item=step.item,
            path=write.path,
            old=write.old,
            new=write.new,
            how="write",
            needs="root" if blocked == NEEDS_ROOT else "",
            command=shell_write(tree, write.path, write.new),
            reason="" if blocked == NEEDS_ROOT else blocked,
        )
    for item in items:
        yield from _by_hand(item)


def _by_hand(item: Item) -> Iterator[HostChange]:
    if item.limit:
        yield HostChange(
            item=item.item,
            path=LIMITS,
            old=item.limit.old,
            new=item.limit.new,
            how="file",
            needs="root, --persist, a new login",
            reason=item.reason,
        )
    elif item.boot:
        yield HostChange(
            item=item.item,
            path="kernel command line",
            old=item.current,
            new=item.boot,
            how="boot",
            needs="a restart",
            command=f"add to GRUB_CMDLINE_LINUX: {item.boot}",
            reason=item.reason,
        )
    elif item.status == "manual":
        yield HostChange(
            item=item.item,
            path="",
            old=item.current,
            new=item.advised,
            how="hand",
            command=item.command,
            reason=item.reason,
        )


def shell_write(tree: Tree, path: str, value: str) -> str:
    """Return the shell command of one write."""
    return f"printf '%s\\n' {shlex.quote(value)} > {shlex.quote(str(tree.path(path)))}"


_HEAD = """\
#!/bin/sh
# Host settings of the profile {profile}, planned by kimera tune-host.
# Run as root. Each value is written, read back and told; nothing is made that is not there.
# Without arguments the new values are set, with `old` the old ones, last first.
failed=0
set_value() {{
    if [ ! -e "$2" ]; then
        echo "absent: $1: $2" >&2
        failed=1
    elif ! printf '%s\\n' "$3" 2>/dev/null > "$2"; then
        echo "denied: $1: $2" >&2
        failed=1
    else
        echo "$1: $2: $(tr '\\n' ' ' < "$2")"
    fi
}}
"""


def script(tree: Tree, profile: Profile, items: Sequence[Item]) -> str:
    """Return a script for /bin/sh that makes the changes, or with `old` takes them back."""
    todo = steps(items)
    lines = [_HEAD.format(profile=profile), 'case "${1:-new}" in', "new)"]
    lines += [_line(tree, step.item, step.write.path, step.write.new) for step in todo] or ["    :"]
    lines += ["    ;;", "old)"]
    lines += [_line(tree, s.item, s.write.path, s.write.old) for s in reversed(todo)] or ["    :"]
    lines += ["    ;;", "*)", '    echo "expected new or old, was $1" >&2', "    exit 2", "    ;;"]
    lines += ["esac"]
    for change in (c for item in items for c in _by_hand(item)):
        what = change.command or change.reason
        lines.append(_comment(f"by hand: {change.item}: {change.new or change.old}: {what}"))
    return "\n".join([*lines, "exit $failed", ""])


def _line(tree: Tree, item: str, path: str, value: str) -> str:
    words = (item, str(tree.path(path)), value)
    return "    set_value " + " ".join(shlex.quote(word) for word in words)


def _comment(text: str) -> str:
    return "# " + " ".join(text.split())
