"""Settings files that outlast a restart: one of ours in sysctl.d, one in limits.d.

Only values of /proc/sys have a place in sysctl.d. What lives in /sys or /proc/irq (governor, idle
states, interrupts, huge page modes) starts anew with the kernel: apply again after a restart.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from kimera_cli.files import replacing, temporary_name
from kimera_cli.host.item import Item, Limit, Profile
from kimera_cli.host.sysctls import key_of
from kimera_cli.host.tree import Tree

SYSCTL = "/etc/sysctl.d/90-kimera.conf"
LIMITS = "/etc/security/limits.d/90-kimera.conf"
FILES = (SYSCTL, LIMITS)
_MARK = "# Written by kimera tune-host apply --persist."
_HEAD = f"""\
{_MARK}
# Taken away by: kimera tune-host revert. Edits are kept, and then revert asks for --force.
# Profile: {{profile}}.
"""


def sysctl_text(profile: Profile, values: Mapping[str, str]) -> str:
    """Return the sysctl.d file of values by their path below /proc/sys; empty for none."""
    lines = [f"{key_of(path)} = {value}" for path, value in values.items()]
    return _HEAD.format(profile=profile) + "\n".join(lines) + "\n" if lines else ""


def limits_text(profile: Profile, limits: Iterable[Limit]) -> str:
    """Return the limits.d file; `*` does not speak for root, so root has lines of its own."""
    lines = []
    for limit in limits:
        for who in ("*", "root"):
            for kind in ("soft", "hard") if limit.hard else ("soft",):
                lines.append(f"{who:<6}{kind:<6}{limit.name:<9}{limit.new}")
    return _HEAD.format(profile=profile) + "\n".join(lines) + "\n" if lines else ""


def wanted(profile: Profile, items: Iterable[Item], values: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each file that is needed, by name."""
    limits = [item.limit for item in items if item.limit]
    texts = {SYSCTL: sysctl_text(profile, values), LIMITS: limits_text(profile, limits)}
    return {name: text for name, text in texts.items() if text}


def held(tree: Tree, name: str) -> str | None:
    """Return a file's text, None when there is none."""
    try:
        return tree.path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def refused(tree: Tree, name: str) -> str:
    """Return why a file must not be written: no folder, not ours, no permission; empty for none."""
    folder = name.rpartition("/")[0]
    if reason := tree.blocked(folder):
        return f"{folder}: {reason}"
    text = held(tree, name)
    return "" if text is None or text.startswith(_MARK) else "somebody else's file of that name"


def tidy(tree: Tree, name: str) -> None:
    """Take away what a killed write left: a hidden file that nothing reads."""
    temporary_name(tree.path(name)).unlink(missing_ok=True)


def put(tree: Tree, name: str, text: str | None) -> None:
    """Write a file whole, readable for all, or take it away (None). Raises OSError, RunError."""
    path = tree.path(name)
    if text is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as file:
        file.write(text.encode())
        os.fchmod(file.fileno(), 0o644)
