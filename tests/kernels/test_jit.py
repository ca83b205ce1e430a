"""What a kernel is compiled from decides where its machine code is kept."""

from __future__ import annotations

from pathlib import Path

import numba
import pytest

from kimera_cli.kernels import _jit


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three kernel modules: `top` calls `low`, `other` calls nothing."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    (tmp_path / "layouts.py").write_text("SIDE = 0\n")
    (folder / "_jit.py").write_text("\n")
    (folder / "low.py").write_text("X = 1\n")
    (folder / "top.py").write_text("from kimera_cli.kernels.low import X\n")
    (folder / "other.py").write_text("Y = 2\n")
    monkeypatch.setattr(_jit, "_HERE", folder)
    return folder


def hashes() -> dict[str, str]:
    _jit.source_hash.cache_clear()
    _jit._imports.cache_clear()
    return {name: _jit.source_hash(name) for name in ("top", "low", "other", "")}


@pytest.fixture(autouse=True)
def forget() -> object:
    yield
    _jit.source_hash.cache_clear()
    _jit._imports.cache_clear()


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("low.py", {"top", "low", ""}),
        ("top.py", {"top", ""}),
        ("other.py", {"other", ""}),
        ("_jit.py", {"top", "low", "other", ""}),
        ("../layouts.py", {"top", "low", "other", ""}),
    ],
)
def test_an_edit_changes_what_depends_on_it(sources: Path, edited: str, changed: set[str]) -> None:
    before = hashes()
    (sources / edited).write_text((sources / edited).read_text() + "# edited\n")
    after = hashes()
    assert {name for name in before if before[name] != after[name]} == changed


def test_modules_that_import_each_other_end(sources: Path) -> None:
    (sources / "low.py").write_text("from kimera_cli.kernels.top import Z\n")
    assert len(hashes()["low"]) == 12


@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.skipif(not _jit._OWN_CACHE, reason="NUMBA_CACHE_DIR decides")
def test_the_book_is_kept_by_what_it_is_made_of() -> None:
    from kimera_cli.kernels.book import book_set

    path = Path(book_set._cache.cache_path)
    assert f"kernels-{_jit.source_hash('book')}" in path.parts
