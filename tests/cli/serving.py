"""`kimera venue serve` in another process, for commands that are tested in this one."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

VENUES = {
    "binance": "BTCUSDT",
    "bybit": "BTCUSDT",
    "coinbase": "BTC-USD",
    "coinbaseexchange": "BTC-USD",
    "htx": "BTCUSDT",
    "kraken": "XBTUSD",
    "okx": "BTC-USDT",
}
"""All venues, and a market of each as its orders name it."""


class Serving:
    """A venue server process."""

    def __init__(self, folder: Path, rate: str = "0") -> None:
        self.file = folder / "server.jsonl"
        command = [sys.executable, "-m", "kimera_cli", "venue", "serve", "--format", "jsonl"]
        command += ["--folder", str(folder / "venue"), "--seed", "7", "--rate", rate, "--no-limits"]
        self.process = subprocess.Popen(command, stdout=self.file.open("wb"))
        while not self.file.read_bytes().endswith(b"\n"):
            assert self.process.poll() is None
        self.record = json.loads(self.file.read_text().splitlines()[0])
        self.keys = tomllib.loads(Path(self.record["keys"]).read_text())

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """Ask the control port."""
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.record['control_port']}{path}"
        with urlopen(Request(url, data, method=method)) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
