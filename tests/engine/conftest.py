"""What the tests of a run share: scripted strategies, and a session in one call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for `tapes`: tests are no package

from tapes import SCRIPTED, Ran, plain_profile, start

from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.settings import Profile
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Sleeved]:
    """Return a strategy from lines that see `n` (which call), `name` (instrument) and `market`."""

    def write(body: str, name: str = "scripted") -> Sleeved:
        path = tmp_path / f"{name}.py"
        lines = "\n".join(f"        {line}" for line in body.splitlines())
        path.write_text(SCRIPTED.replace("BODY", lines))
        spec = load(str(path))
        return Sleeved(spec, resolve(spec, {}))

    return write


@pytest.fixture
def request_of(tmp_path: Path) -> Callable[..., RunRequest]:
    """Return a request: `request_of(sources, strategies, profile, **fields)`."""

    def make(
        sources: Sequence[Any],
        strategies: Sequence[Sleeved],
        profile: Profile | None = None,
        **fields: Any,
    ) -> RunRequest:
        chosen = profile or plain_profile()
        out = fields.pop("out", tmp_path / "run")
        return RunRequest("replay", sources, strategies, chosen, seed=1, out=out, **fields)

    return make


@pytest.fixture
def run_all(request_of: Callable[..., RunRequest]) -> Callable[..., Ran]:
    """Run a request to its end."""

    def run(*args: Any, **fields: Any) -> Ran:
        session = start(request_of(*args, **fields))
        for _ in session.steps():
            pass
        summary = session.finish("complete", 1.0)
        return Ran(session, summary, RunFolder.open(session.folder.path))

    return run
