"""An orders journal on a disk that was full before it is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

OPENED = """
import resource, sys
from pathlib import Path
from kimera_cli.errors import KimeraError
from kimera_cli.journal.intents import IntentJournal, Timing
def opened():
    return IntentJournal.open(Path(sys.argv[1]), venue="binance", account="main",
        durability="disk", entropy=b"e", now_ns=1, timing=Timing(lambda: 0, 0.0))
opened().close()
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    opened()
except KimeraError as error:
    print(error.code)
"""


def test_a_disk_that_is_full_already_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENED, str(tmp_path / "j")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "run.disk_full\n"
