"""The kill switch: one file that every process of the user sees, and that stays until `arm`.

While it is there, nothing that adds risk is sent: no order, no amendment; cancels are. It is the
file that `kimera run` looks at, too. Looking costs one stat, so it is done for each order, behind
everything else that may take time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kimera_cli.errors import RiskError
from kimera_cli.files import write_error

KILL_FILE = "kill"


class Killed(msgspec.Struct, frozen=True):
    """What the file says; a file that somebody made by hand says nothing."""

    why: str = ""
    since_ns: int = 0


@dataclass(frozen=True)
class Latch:
    """The kill switch of one user's data folder."""

    path: Path

    @classmethod
    def of(cls, home: Path) -> Latch:
        """Return the switch of a data folder."""
        return cls(home / KILL_FILE)

    @property
    def is_set(self) -> bool:
        """Whether new risk is stopped."""
        return self.path.exists()

    def set(self, why: str, now_ns: int) -> None:
        """Stop new risk; a switch that is set already keeps its first reason."""
        if self.is_set:
            return
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(msgspec.json.encode(Killed(why, now_ns)))
            temporary.replace(self.path)
        except OSError as error:
            raise write_error(self.path, error) from error

    def clear(self) -> bool:
        """Allow new risk again; return whether it was stopped."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise write_error(self.path, error) from error
        return True

    def read(self) -> Killed | None:
        """Return what the file says; None when the switch is not set."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Killed)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            return Killed()

    def check(self) -> None:
        """RiskError `risk.kill_switch` while new risk is stopped."""
        if not self.is_set:
            return
        found = self.read() or Killed()
        because = f" ({found.why})" if found.why else ""
        raise RiskError(
            "risk.kill_switch",
            f"expected the kill switch to be open, was {self.path}{because}",
            "when it is safe to trade again: kimera trade arm",
            file=str(self.path),
        )
