"""The memory calls of the C library that Python does not have: advice, protection, locking.

Each returns 0 or the errno; where the library lacks the call it returns ENOSYS.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from typing import Any

PROT_NONE = 0
MADV_HUGEPAGE = 14
MADV_POPULATE_WRITE = 23
"""Linux 5.14: make every page present now, or say why not; touching could end the process."""
MAP_HUGETLB = 0x40000

LINUX = sys.platform == "linux"


def _library() -> Any:
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None


_LIBC = _library()


def lock(address: int, size: int) -> int:
    """Keep [address, address + size) in memory: it is never written to swap."""
    return _call("mlock", address, size)


def unlock(address: int, size: int) -> int:
    """Undo `lock`."""
    return _call("munlock", address, size)


def fence_off(address: int, size: int) -> int:
    """Make [address, address + size) untouchable: an access ends the process."""
    return _call("mprotect", address, size, PROT_NONE) if size else 0


def advise(address: int, size: int, advice: int) -> int:
    """Give the kernel advice about a stretch of memory (Linux numbers)."""
    return _call("madvise", address, size, advice) if LINUX else errno.ENOSYS


def lock_limit() -> int | None:
    """Return the bytes that this process may lock (RLIMIT_MEMLOCK); None is no limit."""
    try:
        import resource
    except ImportError:
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return None if soft == resource.RLIM_INFINITY else soft


def why(code: int) -> str:
    """Return an errno as words."""
    return os.strerror(code).lower()


def _call(name: str, address: int, size: int, *more: int) -> int:
    function: Callable[..., int] | None = getattr(_LIBC, name, None)
    if function is None:
        return errno.ENOSYS
    ctypes.set_errno(0)
    arguments = [ctypes.c_void_p(address), ctypes.c_size_t(size), *map(ctypes.c_int, more)]
    return ctypes.get_errno() if function(*arguments) != 0 else 0
