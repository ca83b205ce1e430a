"""Ctrl-C and SIGTERM at moments when Python alone would lose them, or print a traceback."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Kimera

WAIT_S = 120

SWALLOWERS = {
    "a callback from C": """
import ctypes
ctypes.CFUNCTYPE(None)(ask)()
""",
    "a destructor": """
class Dies:
    def __del__(self):
        ask()
Dies()
""",
    "the callback of a weak reference": """
import weakref
class Dies:
    pass
one = Dies()
kept = weakref.ref(one, lambda reference: ask())
del one
""",
}
ENDS = {
    "goes on": "while True: pass",
    "waits": "import threading; threading.Event().wait()",
    "sleeps": "import time; time.sleep(1000)",
    "fails": "raise RuntimeError('no compiled object yet')",
}
PROGRAM = """
import os, signal
from kimera_cli import main

def ask():
    os.kill(os.getpid(), signal.{number})
    for _ in range(1000):
        pass

def dispatch(world, args):
{swallower}
    {end}

main._dispatch = dispatch
main.main()
"""


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("where", SWALLOWERS)
def test_what_python_swallows_comes_again(
    run_python: Any, where: str, end: str, number: str
) -> None:
    text = PROGRAM.format(number=number, swallower=indented(SWALLOWERS[where]), end=ENDS[end])
    done = run_python(text)
    assert (done.code, done.err) == (130, "")
    assert done.json == [{"type": "end", "status": "interrupted", "rows": 0, "code": 130}]


IGNORED = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""


def test_an_ignored_ctrl_c_stays_ignored_and_sigterm_ends_it(run_python: Any) -> None:
    """As of a job in the background of a script."""
    both = "    os.kill(os.getpid(), signal.SIGINT)\n" + indented(SWALLOWERS["a callback from C"])
    done = run_python(IGNORED + PROGRAM.format(number="SIGTERM", swallower=both, end=ENDS["waits"]))
    assert (done.code, done.err) == (130, "")


def test_other_complaints_of_python_are_still_told(run_python: Any) -> None:
    text = PROGRAM.format(
        number="SIGTERM",
        swallower=indented("class Dies:\n    def __del__(self):\n        1 / 0\nDies()"),
        end="return",
    )
    done = run_python(text)
    assert done.code == 0
    assert "ZeroDivisionError" in done.err


IN_A_LOOP = """
import asyncio
async def work():
    ask()
    {rest}
with asyncio.Runner() as runner:
    runner.run(work())
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_both_end_an_event_loop_the_same_way(run_python: Any, number: str) -> None:
    """What its `finally` blocks have to do is done, waiting included."""
    rest = "try: await asyncio.sleep(1000)\n    finally:\n        await asyncio.sleep(0.01)\n"
    rest += "        world.diagnostics.note('tidied up')"
    loop = IN_A_LOOP.format(rest=rest)
    done = run_python(PROGRAM.format(number=number, swallower=indented(loop), end="return"))
    assert done.code == 130
    assert done.err == "tidied up\n"


COMPILING = """
import os, signal
import numba.core.codegen as codegen
kept = codegen.CPUCodeLibrary.__dict__["_object_compiled_hook"].__func__
left = {count}

def hook(cls, module, data):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.{number})
    return kept(cls, module, data)

codegen.CPUCodeLibrary._object_compiled_hook = classmethod(hook)
from kimera_cli.engine import first_use
first_use.compile_first = lambda *_: None  # not in a process of its own
from kimera_cli.main import main
main()
"""


@pytest.mark.parametrize(("number", "count"), [("SIGINT", 1), ("SIGTERM", 2), ("SIGINT", 3)])
def test_ctrl_c_while_kernels_compile(
    run_python: Any, tmp_path: Path, number: str, count: int
) -> None:
    """A real command with an empty cache; LLVM, which has just made code, tells Python of it."""
    at = tmp_path / "s.jsonl"
    at.write_text('{"type":"venue_listening","port":1,"tls_port":1,"ca":"none"}\n')
    done = run_python(
        COMPILING.format(number=number, count=count),
        *("venue", "doctor", "okx", "--server", str(at)),
        env={"KIMERA_CACHE": str(tmp_path / "cache"), "KIMERA_HOME": str(tmp_path / "home")},
    )
    assert done.code == 130, done.err
    assert "Traceback" not in done.err
    assert "ignored" not in done.err
    assert done.json == [{"type": "end", "status": "interrupted", "rows": 0, "code": 130}]


def test_ctrl_c_while_a_process_compiles(kimera: Kimera, tmp_path: Path) -> None:
    """At a terminal that process gets it as well."""
    empty = {"KIMERA_CACHE": str(tmp_path / "cache")}
    process = kimera.start("trade", "balance", env=empty, start_new_session=True)
    assert process.stderr is not None
    assert b"compiling" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, err) == (130, b"")
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["interrupted"]


SLOW = """
import importlib.abc, sys, time

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "kimera_cli.{module}":
            sys.stderr.write("loading\\n")
            sys.stderr.flush()
            time.sleep(1000)

sys.meta_path.insert(0, Slow())
"""


@pytest.mark.parametrize(
    ("module", "codes"), [("main", {-signal.SIGINT}), ("commands.venue_doctor", {130})]
)
def test_ctrl_c_while_the_program_loads(
    kimera: Kimera, tmp_path: Path, module: str, codes: set[int]
) -> None:
    """Before it has handlers it dies of the signal, which shells show as 130."""
    (tmp_path / "sitecustomize.py").write_text(SLOW.format(module=module))
    process = kimera.start("venue", "doctor", "okx", env={"PYTHONPATH": str(tmp_path)})
    assert process.stderr is not None
    assert process.stderr.readline() == b"loading\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode in codes
    assert err == b""
    assert [json.loads(line)["status"] for line in out.splitlines()] in ([], ["interrupted"])
    assert bool(out) == (process.returncode == 130)
