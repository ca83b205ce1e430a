"""Fixtures of the whole suite: real processes, fresh interpreters, real recordings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kimera_cli

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 300
"""Only a guard against a hang; nothing is asserted about time."""

if kimera_cli.__file__ is None:
    raise RuntimeError(
        "an empty site-packages/kimera_cli folder hides the checkout: "
        "remove it and reinstall (make setup)"
    )


@dataclass(frozen=True)
class Result:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[dict[str, Any]]:
        """Every stdout line as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def err_json(self) -> list[dict[str, Any]]:
        """Those stderr lines that are JSON records."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def records(self, kind: str) -> list[dict[str, Any]]:
        """The stdout records of one type."""
        return [record for record in self.json if record["type"] == kind]

    @property
    def end(self) -> dict[str, Any]:
        """The end record; fails the test when the stream has none."""
        last = self.json[-1]
        assert last["type"] == "end", f"stream ends with {last}"
        return last


class Kimera:
    """Runs the real program in its own folder, with its own data and settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("KIMERA_")}
        self.env |= {
            "KIMERA_HOME": str(self.home),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "COLUMNS": "100",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }

    def command(self, args: Sequence[str | Path]) -> list[str]:
        """Return the argv that runs kimera with this interpreter."""
        return [sys.executable, "-m", "kimera_cli", *(str(a) for a in args)]

    def __call__(
        self,
        *args: str | Path,
        stdin: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        """Run to the end and return code, stdout and stderr."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            self.command(args),
            input=data if data is not None else b"",
            capture_output=True,
            env={**self.env, **(env or {})},
            cwd=cwd or self.folder,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(
        self,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **options: Any,
    ) -> subprocess.Popen[bytes]:
        """Start without waiting; stdout and stderr are pipes unless `options` say otherwise."""
        settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            self.command(args),
            env={**self.env, **(env or {})},
            cwd=cwd or self.folder,
            **{**settings, **options},
        )


@pytest.fixture
def kimera(tmp_path: Path) -> Kimera:
    """Run the real program: `kimera("fetch", "list").json`."""
    return Kimera(tmp_path)


@pytest.fixture
def run_python(tmp_path: Path) -> Any:
    """Run code in a fresh interpreter with an empty HOME: `run_python("import numpy").code`."""

    def run(code: str, *args: str, env: Mapping[str, str] | None = None) -> Result:
        home = tmp_path / "empty_home"
        home.mkdir(exist_ok=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KIMERA_", "XDG_"))}
        done = subprocess.run(
            [sys.executable, "-c", code, *args],
            capture_output=True,
            text=True,
            env={**clean, "HOME": str(home), **(env or {})},
            cwd=tmp_path,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings: KIMERA_TEST_DATA, or shared/data beside the checkout."""
    named = os.environ.get("KIMERA_TEST_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "INDEX.md").is_file():
        pytest.skip(f"no recordings at {folder}: set KIMERA_TEST_DATA to their folder")
    return folder
