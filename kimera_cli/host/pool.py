"""Memory for a run, taken once: present before the first event, kept out of swap, on huge pages.

Arrays are carved from it one after another and lie on cache lines; nothing is given back before the
end. Guard pages stand on both sides (not of explicit huge pages): a kernel that writes past the
pool ends the process, and not its neighbour's data. What the pool has is read back from the kernel
(`extent`), never assumed. What does not fit lies in ordinary memory and is counted (`outside`).
"""

from __future__ import annotations

import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from kimera_cli.host import locking, smaps
from kimera_cli.host.smaps import Extent
from kimera_cli.layouts import CACHE_LINE, aligned_zeros

BLOCK = 2 << 20
"""A transparent huge page: where the pool begins and what its size is a multiple of."""


class HugePages(NamedTuple):
    """Which huge pages a pool asked for, and why it has no better ones (empty: it has)."""

    kind: str  # explicit, transparent, none
    reason: str


class Pool:
    """A stretch of memory of `size` bytes (rounded up to 2 MiB); see the module."""

    def __init__(self, size: int, *, huge: bool = True) -> None:
        self.size = -(-size // BLOCK) * BLOCK
        self.used = 0
        self.outside = 0
        self.locked_until = 0
        """Bytes from the start that were asked to be locked and not refused."""
        explicit, reason = _map_explicit(self.size) if huge else (None, "not asked for")
        if explicit is not None:
            self.huge = HugePages("explicit", "")
            self._memory, self.address = explicit, _address(explicit)
            return
        self._memory, self.address = _map_ordinary(self.size)
        code = locking.advise(self.address, self.size, locking.MADV_HUGEPAGE) if huge else 0
        kind = "transparent" if huge and not code else "none"
        self.huge = HugePages(kind, locking.why(code) if code else reason)
        _touch(self._memory, self.address, self.size)

    def extent(self) -> Extent | None:
        """Return what the kernel holds of this pool; None where it does not tell."""
        return smaps.read_back(self.address, self.size)

    def lock(self, size: int) -> int:
        """Lock the first `size` bytes; return 0 or the errno."""
        code = locking.lock(self.address, size)
        if code == 0:
            self.locked_until = size
        return code

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Return a zeroed array on a cache line; in ordinary memory when the pool is full."""
        kind = np.dtype(dtype)
        nbytes = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        begin = -(-self.used // CACHE_LINE) * CACHE_LINE
        if begin + nbytes > self.size or nbytes == 0:
            self.outside += nbytes
            return aligned_zeros(shape, kind)
        self.used = begin + nbytes
        offset = begin + self.address - _address(self._memory)
        # frombuffer (not ndarray) holds the memory: it cannot be unmapped while an array lives.
        return np.frombuffer(self._memory, np.uint8, nbytes, offset).view(kind).reshape(shape)

    @property
    def used_unlocked(self) -> int:
        """Bytes of arrays that lie beyond the locked part, or outside of the pool."""
        return max(0, self.used - self.locked_until) + self.outside

    def close(self) -> bool:
        """Unlock, and give the memory back; False while arrays still lie in it (they keep it)."""
        if self.locked_until:
            locking.unlock(self.address, self.locked_until)
            self.locked_until = 0
        try:
            self._memory.close()
        except BufferError:
            return False
        return True


def _map_explicit(size: int) -> tuple[mmap.mmap | None, str]:
    """Map the pages that an administrator set aside (vm.nr_hugepages), or say why not."""
    page, free = smaps.huge_page()
    if page <= 0:
        return None, "this system has no explicit huge pages"
    if size % page or free * page < size:
        return None, f"expected {-(-size // page)} free huge pages of {page >> 20} MiB, was {free}"
    try:
        memory = _anonymous(size, locking.MAP_HUGETLB)
    except OSError as error:
        return None, f"mapping huge pages was refused: {error.strerror}"
    # A control group may refuse the page itself, with a signal. This asks first.
    code = locking.advise(_address(memory), size, locking.MADV_POPULATE_WRITE)
    if code:
        memory.close()
        return None, f"the huge pages could not be made present: {locking.why(code)}"
    return memory, ""


def _map_ordinary(size: int) -> tuple[mmap.mmap, int]:
    """Return a mapping, and where in it the pool begins: on a huge page, between two guards."""
    memory = _anonymous(size + 2 * BLOCK)
    base = _address(memory)
    address = -(-(base + mmap.PAGESIZE) // BLOCK) * BLOCK
    end = address + size
    locking.fence_off(base, address - base)
    locking.fence_off(end, base + size + 2 * BLOCK - end)
    return memory, address


def _anonymous(size: int, flags: int = 0) -> mmap.mmap:
    """Map private memory; Python's own default is shared memory, which has other huge pages."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags)


def _touch(memory: mmap.mmap, address: int, size: int) -> None:
    """Make every page present, at once where the kernel can, else by writing to each."""
    if locking.advise(address, size, locking.MADV_POPULATE_WRITE) != 0:
        offset = address - _address(memory)
        np.frombuffer(memory, np.uint8, size, offset)[:: mmap.PAGESIZE] = 0


def _address(memory: mmap.mmap) -> int:
    return int(np.frombuffer(memory, np.uint8).ctypes.data)
