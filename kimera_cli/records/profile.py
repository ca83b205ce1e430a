"""Profiles and their values."""

from __future__ import annotations

from typing import Any

from kimera_cli.records.base import Record


class ProfileValue(Record, frozen=True):
    """One value of a profile with the place it comes from."""

    key: str
    value: Any
    origin: str


class ProfileInfo(Record, frozen=True):
    """One profile that can be named with --profile."""

    profile: str
    path: str
    summary: str
