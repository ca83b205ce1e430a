"""Recorded messages of cryptofeed's captures, the first of each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kimera_cli.data.importers.cryptofeed import read_capture


def first_of_each(folder: Path, name: str, field: str) -> dict[str, Any]:
    """Return received messages by the value of a field (the last part of a channel for `ch`)."""
    path = folder / "l2_raw" / "cryptofeed" / name
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    found: dict[str, Any] = {}
    for message in read_capture(path):
        if not message.sent:
            body = json.loads(message.body)
            if isinstance(body, dict) and field in body:
                found.setdefault(str(body[field]), body)
    return found


def rest_answer(folder: Path, name: str) -> Any:
    """Return the first REST answer of a capture."""
    path = folder / "l2_raw" / "cryptofeed" / name
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    return json.loads(next(iter(read_capture(path))).body)
