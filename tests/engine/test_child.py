"""Processes of a run: Ctrl-C at the terminal reaches all of them, and is their parent's alone."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Kimera

SLOW = """
import importlib.abc, os, signal, sys, time

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "numba" and "--multiprocessing-fork" in sys.orig_argv:
            sys.stderr.write("loading\\n")
            sys.stderr.flush()
            stopped = []
            signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
            try:
                time.sleep(1)
            except KeyboardInterrupt:
                os.write(2, b"heard\\n")
            if stopped:
                os._exit(1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

sys.meta_path.insert(0, Slow())
"""
WAIT_S = 120


def test_ctrl_c_while_a_process_of_a_run_loads(kimera: Kimera, tmp_path: Path) -> None:
    """What it imports is not interrupted: a traceback would come of that."""
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    process = kimera.start(
        *("run", "--shape", "split", "--for", "30d"),
        env={"PYTHONPATH": str(tmp_path)},
        start_new_session=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"loading\n", process.communicate()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130, err
    assert set(err.splitlines()) <= {b"loading"}
    assert json.loads(out.splitlines()[-1])["status"] == "interrupted"
