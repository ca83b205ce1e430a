"""What is sent to a venue: compact JSON, its keys in the order given."""

from __future__ import annotations

import msgspec


def message(**fields: object) -> bytes:
    """Return the text of one message."""
    return msgspec.json.encode(fields)
