"""What a run needs is compiled apart, once per version of the kernels, and that is said."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from kimera_cli.diagnostics import Diagnostics
from kimera_cli.engine import first_use
from kimera_cli.engine.first_use import LABEL, LIVE, LOOP, OTHER_LABEL, compile_first
from kimera_cli.kernels import _jit

LIGHT = ("statistics",)
"""A module that compiles nothing."""


def said(cache: Path, monkeypatch: pytest.MonkeyPatch, modules: tuple[str, ...] = LIGHT) -> str:
    monkeypatch.setattr(_jit, "CACHE_ROOT", cache)
    stream = io.StringIO()
    compile_first(Diagnostics(stream), modules)
    return stream.getvalue()


def test_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", False)
    assert said(tmp_path / "cache", monkeypatch) == OTHER_LABEL + "\n"
    assert said(tmp_path / "cache", monkeypatch) == ""


def test_each_set_is_said_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", False)
    monkeypatch.setattr(first_use, "LOOP", ("colorsys",))
    assert said(tmp_path, monkeypatch) == OTHER_LABEL + "\n"
    assert said(tmp_path, monkeypatch, ("colorsys",)) == LABEL + "\n"
    assert said(tmp_path, monkeypatch, ("calendar",)) == OTHER_LABEL + "\n"
    assert len(list(tmp_path.glob("*.ready"))) == 3


def test_what_could_not_be_compiled_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", False)
    for _ in range(2):
        assert said(tmp_path, monkeypatch, ("no_such_module",)) == OTHER_LABEL + "\n"
    assert not list(tmp_path.iterdir())


def test_nothing_is_said_where_nothing_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert said(tmp_path, monkeypatch) == ""


def test_what_comes_before_has_no_kernel_in_it() -> None:
    """Else the compiler's memory would be the run's: 340 MB."""
    code = (
        "import sys, kimera_cli.commands.run; from kimera_cli.engine import child, first_use;"
        "sys.exit(any(name in sys.modules for name in first_use.LIVE))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert set(LOOP) < set(LIVE)
