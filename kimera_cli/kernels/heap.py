"""Binary heaps of requests and answers on their way, ordered by (due_ns, seq)."""

from __future__ import annotations

from kimera_cli.kernels._jit import kernel


@kernel
def _before(items, a, b):
    if items[a].due_ns != items[b].due_ns:
        return items[a].due_ns < items[b].due_ns
    return items[a].seq < items[b].seq


@kernel
def _swap(items, a, b, spare):
    items[spare] = items[a]
    items[a] = items[b]
    items[b] = items[spare]


@kernel
def heap_up(items, n):
    """Restore order after items[n - 1] was written; the last slot of `items` is spare room."""
    spare = items.shape[0] - 1
    i = n - 1
    while i > 0:
        parent = (i - 1) >> 1
        if not _before(items, i, parent):
            break
        _swap(items, i, parent, spare)
        i = parent


@kernel
def heap_drop(items, n):
    """Remove the first of n items and return how many are left."""
    spare = items.shape[0] - 1
    n -= 1
    if n == 0:
        return n
    items[0] = items[n]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and _before(items, child + 1, child):
            child += 1
        if not _before(items, child, i):
            break
        _swap(items, i, child, spare)
        i = child
    return n
