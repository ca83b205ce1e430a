"""Quality checks of recorded data: one record per check, with counts, file and line."""

from __future__ import annotations

from kimera_cli.data.checks.runner import run

__all__ = ["run"]
