"""Settings of the tests of the loop and its venue; `rig` is beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "loop", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # a first call may compile
settings.load_profile("loop")
