"""Peers are optional: imported only when asked for, with the mend when they are absent."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from kimera_cli.errors import UsageError

from .machine import package

HFTBACKTEST = "hftbacktest"


def require() -> Any:
    """Import hftbacktest; UsageError `usage.peer_absent` names the extra that brings it."""
    try:
        return import_module(HFTBACKTEST)
    except ImportError as error:
        raise UsageError(
            "usage.peer_absent",
            f"expected the peer hftbacktest to be installed, was: {error}",
            "pip install 'kimera[peers]'",
        ) from None


def name() -> str:
    """`hftbacktest 2.4.4`: the peer as records name it."""
    return f"{HFTBACKTEST} {package(HFTBACKTEST)}"
