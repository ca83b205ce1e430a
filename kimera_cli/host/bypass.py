"""Ways around the kernel's network path, and asynchronous input and output: what is there.

kimera uses none of them today; a host that has one can be told apart from one that has not.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable, Iterator

from kimera_cli.host.item import Item
from kimera_cli.host.network import cards
from kimera_cli.host.sysctls import path_of
from kimera_cli.host.tree import Tree

_SETUP = 425
"""io_uring_setup: the same number on every architecture."""
_ONLOAD = ("/dev/onload", "/sys/module/onload")
_LIBRARIES = "usr/lib*/**/libonload.so*"
_ZERO_COPY = {
    "i40e",
    "ice",
    "idpf",
    "igb",
    "igc",
    "ixgbe",
    "ixgbevf",
    "mlx5_core",
    "nfp",
    "sfc",
    "stmmac",
    "virtio_net",
}
_DISABLED = {"1": "for processes without CAP_SYS_ADMIN or the group", "2": "for all"}

Setup = Callable[[], int]
"""Calls io_uring_setup with nothing in it and returns errno: EFAULT says that it exists."""


def ask_io_uring() -> int:
    """Ask this kernel for io_uring, without making one."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall(ctypes.c_long(_SETUP), ctypes.c_uint(0), ctypes.c_void_p(0))
    return ctypes.get_errno()


def probe(tree: Tree, setup: Setup = ask_io_uring) -> Iterator[Item]:
    """Tell OpenOnload, AF_XDP and io_uring."""
    yield _onload(tree)
    yield _xdp(tree)
    yield _io_uring(tree, setup)


def _onload(tree: Tree) -> Item:
    module = next((path for path in _ONLOAD if tree.exists(path)), "")
    version = tree.text("/sys/module/onload/version")
    library = next(iter(sorted(str(p.name) for p in tree.root.glob(_LIBRARIES))), "")
    drivers = {tree.target(f"/sys/class/net/{name}/device/driver") for name in cards(tree)}
    if module:
        current = f"loaded {version}".strip()
    elif library:
        current = "installed, module not loaded"
    else:
        current = "not installed, its card is there" if "sfc" in drivers else "not installed"
    return Item(
        item="openonload",
        area="bypass",
        current=current,
        why="runs TCP of Solarflare and AMD cards in the program, without system calls",
        effect="kimera needs no change for it: onload kimera run",
    )


def _xdp(tree: Tree) -> Item:
    lines = tree.text("/proc/net/protocols").splitlines()
    known = any(line.startswith("XDP ") for line in lines)
    by_card = {n: tree.target(f"/sys/class/net/{n}/device/driver") for n in cards(tree)}
    able = [name for name, driver in by_card.items() if driver in _ZERO_COPY]
    cards_text = f"; zero copy may work on {', '.join(able)}" if able else ""
    return Item(
        item="af_xdp",
        area="bypass",
        current=f"in this kernel{cards_text}" if known else "not in this kernel",
        why="frames go from the driver to the program; TCP and TLS would be the program's own",
        effect="none for venues that speak TCP; for multicast feeds",
    )


def _io_uring(tree: Tree, setup: Setup) -> Item:
    return Item(
        item="io_uring",
        area="bypass",
        current=_io_uring_state(tree, setup),
        why="many reads and writes by one system call, or by none",
        effect="none yet: uvloop uses epoll for sockets",
    )


def _io_uring_state(tree: Tree, setup: Setup) -> str:
    disabled = tree.text(path_of("kernel.io_uring_disabled"))
    if disabled in _DISABLED:
        return f"switched off {_DISABLED[disabled]}"
    if not tree.live:
        return "not switched off" if disabled else "not told"
    answer = setup()
    if answer == errno.ENOSYS:
        return "not in this kernel"
    if answer in (errno.EPERM, errno.EACCES):
        return "refused (a container's seccomp filter)"
    return "available"
