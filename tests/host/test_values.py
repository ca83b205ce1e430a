"""One form for the ways in which the kernel writes the same value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.host.values import choices, cpu_list, cpus, mask, masked, mib, settled

SOME_CPUS = st.sets(st.integers(0, 300))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never", "madvise"),
        ("/proc/irq/9/smp_affinity_list", "0,1,2,3,8", "0-3,8"),
        ("/proc/irq/default_smp_affinity", "00000000,0000000f", "f"),
        ("/sys/class/net/eth0/queues/rx-0/rps_cpus", "00000000", "0"),
        ("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072   6291456", "4096 131072 6291456"),
        ("/proc/sys/vm/swappiness", " 60\n", "60"),
    ],
)
def test_one_form(name: str, text: str, expected: str) -> None:
    assert settled(name, text) == expected


def test_a_list_and_its_mask_from_the_kernels_documentation() -> None:
    """Documentation/core-api/irq/irq-affinity.rst: mask f is processors 0-3, list 1024-1031."""
    assert masked("0000000f") == {0, 1, 2, 3}
    assert cpu_list(range(1024, 1032)) == "1024-1031"
    assert mask({0, 32}) == "1,00000001"


@given(SOME_CPUS)
def test_lists_come_back(numbers: set[int]) -> None:
    assert cpus(cpu_list(numbers)) == numbers


@given(SOME_CPUS)
def test_masks_come_back(numbers: set[int]) -> None:
    text = mask(numbers)
    assert masked(text) == numbers
    assert all(len(group) == 8 for group in text.split(",")[1:])


@pytest.mark.parametrize("text", ["", "(null)", "abc", "-", "3-", "x-4"])
def test_what_is_no_list_names_no_processor(text: str) -> None:
    assert cpus(text) <= {3}


def test_choices_and_sizes() -> None:
    assert choices("a [b] c") == ["a", "b", "c"]
    assert [mib(n) for n in (12, 2048, 8 << 20, 3 << 30)] == ["12 B", "2 KiB", "8 MiB", "3 GiB"]
