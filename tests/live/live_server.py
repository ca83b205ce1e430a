"""A served venue for runs: the real server, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

LIVELY = 100
"""Background events a second."""


def paced(*venues: str) -> tuple[str, ...]:
    """Return words that give venues an order rate each: under a common one, one starves others."""
    return tuple(w for v in venues for w in ("--set", f"risk.venue_orders_per_s.{v}=4"))


class Served:
    """One `kimera venue serve`: where it listens, and what it knows."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.folder = folder
        folder.mkdir()
        self.listening = folder / "listening.jsonl"
        command = [sys.executable, "-m", "kimera_cli", "venue", "serve", "--folder", str(folder)]
        self._log = (folder / "stderr").open("wb")
        self._process = subprocess.Popen(
            [*command, "--format", "jsonl", *args],
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=folder,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, (folder / "stderr").read_text()
        self.told: dict[str, Any] = json.loads(line)
        self.listening.write_bytes(line)
        self.keys = Path(self.told["keys"])

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the control port; with a body, POST."""
        url = f"http://127.0.0.1:{self.told['control_port']}{path}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=60) as answer:
            return json.loads(answer.read())

    def flow(self, live: bool, *venues: str) -> None:
        """Set the background of these going, or let it stand still."""
        for venue in venues:
            self.ask(f"/{venue}/flow", {"rate": LIVELY if live else 0})

    def clear(self) -> None:
        """Take all faults out of force."""
        url = f"http://127.0.0.1:{self.told['control_port']}/faults"
        with urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60):
            pass

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.communicate(timeout=60)
        self._log.close()
