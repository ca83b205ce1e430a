"""The note about compiling comes once per version of the kernels, and never without compiling."""

from __future__ import annotations

import io
from pathlib import Path

import numba
import pytest

from kimera_cli.diagnostics import Diagnostics
from kimera_cli.engine.first_use import LABEL, compiling
from kimera_cli.kernels import _jit


def said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(_jit, "CACHE_ROOT", cache)
    stream = io.StringIO()
    with compiling(Diagnostics(stream)):
        pass
    return stream.getvalue()


def test_it_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", False)
    assert said(tmp_path / "cache", monkeypatch) == LABEL + "\n"
    assert said(tmp_path / "cache", monkeypatch) == ""


def test_work_that_failed_is_announced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", False)
    monkeypatch.setattr(_jit, "CACHE_ROOT", tmp_path)
    with pytest.raises(ValueError, match="typed"), compiling(Diagnostics(io.StringIO())):
        raise ValueError("typed")
    assert said(tmp_path, monkeypatch) == LABEL + "\n"


def test_nothing_is_said_where_nothing_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    assert said(tmp_path, monkeypatch) == ""
