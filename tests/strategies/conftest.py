"""Settings of the tests of strategies."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("compiled", deadline=None)  # a first call may compile
settings.load_profile("compiled")
