"""The program in this process, for tests of one command that need no process of their own."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kimera_cli import context, main

sys.path.insert(0, str(Path(__file__).parent))  # for `serving`, `hostile`: tests are no package


@dataclass
class Said:
    """What one invocation returned and wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.json if record["type"] == kind]

    @property
    def summary(self) -> dict[str, Any]:
        (found,) = self.records("run_summary")
        return found

    @property
    def error(self) -> dict[str, Any]:
        (found,) = [json.loads(s) for s in self.err.splitlines() if s.startswith('{"type":"error"')]
        return found


Program = Callable[..., Said]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Run kimera in `tmp_path` with its own data: `program("run", "--events", 100).summary`."""
    monkeypatch.chdir(tmp_path)
    home = {"KIMERA_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    clean = {k: v for k, v in os.environ.items() if not k.startswith("KIMERA_")} | home

    def run(*args: object, env: Mapping[str, str] | None = None, **world: Any) -> Said:
        out, err = io.BytesIO(), io.StringIO()
        world = {"stdin": io.StringIO(), "stdout": out, "stderr": err, **world}
        surroundings = context.Context(env={**clean, **(env or {})}, **world)
        code = main.run(surroundings, [str(a) for a in args])
        return Said(int(code), out.getvalue().decode(), err.getvalue())

    return run
