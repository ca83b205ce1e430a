"""A process that writes a run until it is killed or its disk is full: FOLDER DURABILITY MODE.

Prints `ready`, then the seq of each batch after the journal took it. Exits 7 with the error's code.
"""

from __future__ import annotations

import importlib.util
import itertools
import resource
import sys
import time
from pathlib import Path

spec = importlib.util.spec_from_file_location("rows", Path(__file__).with_name("conftest.py"))
rows_module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rows_module)

from kimera_cli.engine.run_recorder import RunRecorder  # noqa: E402
from kimera_cli.engine.runfolder import RunFolder  # noqa: E402
from kimera_cli.errors import KimeraError  # noqa: E402
from kimera_cli.journal.journal import Journal  # noqa: E402

BATCH = 37


def write(folder, durability: str, mode: str) -> None:
    journal = Journal.create(
        folder.path,
        run=folder.run,
        profile=rows_module.MANIFEST["profile"],
        created_ns=1,
        durability=durability,
        monotonic_ns=time.perf_counter_ns,
        group_commit_ms=10_000.0 if mode == "log_only" else 1.0,
    )
    recorder = RunRecorder(folder.path)
    print("ready", flush=True)
    try:
        for step in itertools.count():
            rows = rows_module.make_rows(BATCH, seed=step, first_seq=1 + step * BATCH)
            journal.commit_intents(rows)
            recorder.write(rows)
            journal.poll()
            print(int(rows["seq"][-1]), flush=True)
    except KimeraError:
        recorder.abort()
        end = journal.close()
        folder.finish("failed", ended_ns=2, journal=end)
        raise


def main() -> None:
    out, durability, mode = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    if mode.isdigit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(mode), int(mode)))
    try:
        folder = RunFolder.create(out, rows_module.MANIFEST, now_ns=1)
        write(folder, durability, mode)
    except KimeraError as error:
        print(f"{error.code}: {error.message}", flush=True)
        sys.exit(7)


main()
