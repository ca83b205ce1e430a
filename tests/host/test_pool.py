"""Memory pools: where arrays lie, what the kernel says of them, what guards them."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.host import smaps
from kimera_cli.host.pool import BLOCK, Pool
from kimera_cli.layouts import CACHE_LINE, EVENT

linux = pytest.mark.skipif(sys.platform != "linux", reason="read back through /proc")

SHAPES = st.lists(
    st.tuples(
        st.lists(st.integers(0, 20), min_size=1, max_size=3).map(tuple),
        st.sampled_from(["u1", "i4", "f8", EVENT]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(SHAPES)
def test_arrays_are_zeroed_on_cache_lines_and_never_overlap(wanted: list[Any]) -> None:
    pool = Pool(BLOCK, huge=False)
    arrays = [pool.zeros(shape, kind) for shape, kind in wanted]
    for array, (shape, kind) in zip(arrays, wanted, strict=True):
        assert (array.shape, array.dtype) == (shape, np.dtype(kind))
        assert array.size == 0 or array.ctypes.data % CACHE_LINE == 0
        assert array.tobytes() == bytes(array.nbytes)
    for i, array in enumerate(arrays):
        array.reshape(-1).view("u1")[:] = i + 1
    for i, array in enumerate(arrays):
        assert array.tobytes() == bytes([i + 1]) * array.nbytes


def test_what_does_not_fit_lies_outside_and_is_counted() -> None:
    pool = Pool(BLOCK, huge=False)
    inside = pool.zeros(BLOCK - 64, "u1")
    beyond = pool.zeros(100, "i8")
    beyond[:] = 7
    assert pool.address <= inside.ctypes.data < pool.address + pool.size
    assert not pool.address <= beyond.ctypes.data < pool.address + pool.size
    assert beyond.ctypes.data % CACHE_LINE == 0
    assert (pool.outside, pool.used_unlocked) == (800, BLOCK - 64 + 800)
    assert not inside.any()


@linux
@pytest.mark.parametrize("huge", [False, True])
def test_every_page_is_present_before_it_is_used(huge: bool) -> None:
    pool = Pool(3 * BLOCK + 1, huge=huge)
    assert pool.size == 4 * BLOCK
    extent = pool.extent()
    assert extent is not None
    assert extent.resident == pool.size
    assert extent.locked == 0
    assert huge or extent.huge == 0


@linux
def test_locking_is_what_the_kernel_shows() -> None:
    pool = Pool(2 * BLOCK, huge=False)
    before = smaps.process_locked()
    assert before is not None
    size = 64 * 1024
    if pool.lock(size):
        pytest.skip("this process may lock nothing")
    extent = pool.extent()
    assert extent is not None
    assert extent.locked == size
    assert smaps.process_locked() == before + size
    assert pool.close()
    assert smaps.process_locked() == before


def test_memory_stays_while_an_array_lies_in_it() -> None:
    pool = Pool(BLOCK)
    array = pool.zeros(10, "i8")
    part = array[2:4]
    part[:] = 5
    del array
    assert not pool.close()
    assert part.tolist() == [5, 5]
    del part
    assert pool.close()


@pytest.mark.parametrize("where", ["pool.address + pool.size", "pool.address - 1"])
def test_a_write_past_the_pool_ends_the_process(run_python: Any, where: str) -> None:
    code = (
        "import ctypes\n"
        "from kimera_cli.host.pool import BLOCK, Pool\n"
        "pool = Pool(BLOCK, huge=False)\n"
        "print('before', flush=True)\n"
        f"ctypes.memset({where}, 1, 1)\n"
        "print('after', flush=True)\n"
    )
    done = run_python(code)
    assert done.out == "before\n"
    assert done.code in (-signal.SIGSEGV, -signal.SIGBUS)


@linux
def test_explicit_huge_pages_are_used_when_there_are_any() -> None:
    page, free = smaps.huge_page()
    pool = Pool(2 * BLOCK)
    if not page or free * page < pool.size or pool.size % page:
        assert pool.huge.kind != "explicit"
        assert "huge page" in pool.huge.reason
        return
    assert pool.huge == ("explicit", "")
    assert pool.extent() == smaps.Extent(resident=pool.size, locked=0, huge=pool.size)
    pool.zeros(100, "i8")[:] = 1
    assert pool.close()
    assert smaps.huge_page() == (page, free), "given back"


SMAPS = """\
7f0000000000-7f0000200000 rw-p 00000000 00:00 0
Rss:                2048 kB
AnonHugePages:      2048 kB
Locked:             1024 kB
VmFlags: rd wr mr mw me lo ac hg
7f0000200000-7f0000400000 rw-p 00000000 00:0f 12345      /anon_hugepage (deleted)
Rss:                   0 kB
Private_Hugetlb:    2048 kB
AnonHugePages:         0 kB
Locked:                0 kB
7f0000400000-7f0000900000 rw-p 00000000 00:00 0          [heap]
Rss:                4096 kB
AnonHugePages:      4096 kB
Locked:             4096 kB
"""


def test_only_what_lies_inside_is_claimed(tmp_path: Path) -> None:
    path = tmp_path / "smaps"
    path.write_text(SMAPS)
    mib = 1 << 20
    inside = smaps.read_back(0x7F0000000000, 4 * mib, path)
    assert inside == smaps.Extent(resident=4 * mib, locked=mib, huge=4 * mib)
    assert smaps.read_back(0x7F0000400000, 4 * mib, path) is None, "merged with a neighbour"
    assert smaps.read_back(0x7F0000000000, 4 * mib, tmp_path / "absent") is None


def test_memory_that_is_free_is_the_least_of_host_and_control_groups(tmp_path: Path) -> None:
    meminfo, groups, own = tmp_path / "meminfo", tmp_path / "cgroup", tmp_path / "own"
    meminfo.write_text("MemTotal: 999 kB\nMemAvailable:  500 kB\nHugepagesize: 2048 kB\n")
    inner = groups / "kimera.slice/run.scope"
    inner.mkdir(parents=True)
    own.write_text("1:cpu:/elsewhere\n0::/kimera.slice/run.scope\n")
    assert smaps.available(meminfo, groups, own) == 500 * 1024
    limits = {inner: ("300000", "100000"), inner.parent: ("150000", "10000"), groups: ("max", "9")}
    for folder, (most, used) in limits.items():
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used}\n")
    assert smaps.available(meminfo, groups, own) == 140_000, "the group above is the tighter one"
    (inner.parent / "memory.max").write_text("max\n")
    assert smaps.available(meminfo, groups, own) == 200_000
    assert smaps.available(tmp_path / "absent", groups, own) == 200_000
    assert smaps.available(tmp_path / "absent", tmp_path / "absent", own) is None
    assert smaps.available(meminfo, groups, tmp_path / "absent") == 500 * 1024
    assert smaps.huge_page(tmp_path / "absent") == (0, 0)
