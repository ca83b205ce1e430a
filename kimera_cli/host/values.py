"""The ways in which the kernel writes values, brought to one form so that they can be compared.

`always [madvise] never` means madvise; `0-3` and `0,1,2,3` are the same processors, `0000000f` and
`f` the same mask; tabs and spaces between numbers mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_CHOSEN = re.compile(r"\[([^\]]+)\]")
_LISTS = ("smp_affinity_list",)
_MASKS = ("smp_affinity", "default_smp_affinity", "rps_cpus", "xps_cpus", "cpumask")


def settled(name: str, text: str) -> str:
    """Return the one form of a value that was read from (or is meant for) the file `name`."""
    last = name.rpartition("/")[2]
    if chosen := _CHOSEN.search(text):
        return chosen[1]
    plain = " ".join(text.split())
    if last in _LISTS:
        return cpu_list(cpus(plain))
    if last in _MASKS:
        return mask(masked(plain))
    return plain


def choices(text: str) -> list[str]:
    """Return what a file of the form `a [b] c` offers."""
    return text.replace("[", "").replace("]", "").split()


def cpus(text: str) -> set[int]:
    """Return the processors of a list such as `0-3,8,10-11`; unreadable parts are no processor."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        low, _, high = part.partition("-")
        if low.isdigit() and (high or low).isdigit():
            found |= set(range(int(low), int(high or low) + 1))
    return found


def cpu_list(numbers: Iterable[int]) -> str:
    """Return processors as the kernel lists them: `0-3,8`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def mask(numbers: Iterable[int]) -> str:
    """Return processors as a mask of comma-separated groups of 32 bits, as the kernel takes it."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    digits = f"{bits:x}"
    groups = []
    while digits:
        groups.append(digits[-8:])
        digits = digits[:-8]
    return ",".join(reversed(groups))


def masked(text: str) -> set[int]:
    """Return the processors of such a mask; nothing when it is none."""
    try:
        bits = int(text.replace(",", ""), 16)
    except ValueError:
        return set()
    return {k for k in range(bits.bit_length()) if bits >> k & 1}


def mib(count: int) -> str:
    """Return bytes for a person: `16 MiB`."""
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} B"
