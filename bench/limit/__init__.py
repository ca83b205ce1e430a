"""Yardsticks: the same work in C++ (`NAME.cpp` beside this file), timed in turn with kimera's.

Each is compiled with `g++ -O3 -march=native`, once per source, compiler and processor, and
started by `bench/yardstick.py` on a file of the same input. It makes a run for every line that
it is sent (the protocol is in limit.hpp), so that its runs alternate with kimera's. Without a
compiler there is no yardstick, and the row's detail says ABSENT.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path

from kimera_cli.errors import RunError

SOURCES = Path(__file__).parent
COMPILER = "g++"
FLAGS = ("-O3", "-march=native", "-std=c++17", "-Wall", "-Wextra", "-pthread", "-ffp-contract=off")
ABSENT = f"no {COMPILER} on this machine: not compared with C++"


@cache
def compiler() -> str | None:
    """Return what the C++ compiler says of its version; None where there is none."""
    program = shutil.which(COMPILER)
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.returncode == 0 and done.stdout else None


def build(name: str, folder: Path, processor: str) -> Path | None:
    """Compile `name`.cpp into `folder`, unless it is there; None where there is no compiler.

    The file's name carries sources, compiler and `processor` (which -march=native depends on).

    RunError `run.bench_build` with the compiler's first complaint when the source does not compile.
    """
    version = compiler()
    if version is None:
        return None
    program = folder / f"{name}-{_key(name, version, processor)}"
    if program.is_file():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    temporary = program.with_name(f".{program.name}.part")
    command = [COMPILER, *FLAGS, "-o", str(temporary), str(SOURCES / f"{name}.cpp")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr)
        raise RunError(
            "run.bench_build",
            f"expected {COMPILER} to compile {name}.cpp, was: {said.strip()}",
            f"run it by hand: {' '.join(command)}",
        )
    temporary.replace(program)
    return program


def _key(name: str, version: str, processor: str) -> str:
    """16 hex digits over what the program is made from: sources, compiler, flags, processor."""
    digest = hashlib.sha256(" ".join((version, *FLAGS, processor)).encode())
    for path in (*sorted(SOURCES.glob("*.hpp")), SOURCES / f"{name}.cpp"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
