"""The two sides of the ring's benchmark: they do their work, and a dead one is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kimera_cli.bench import ring_side
from kimera_cli.bench.ring_side import Job, both, sides
from kimera_cli.errors import RunError


def test_jobs_one_after_the_other_and_a_side_that_dies(tmp_path: Path) -> None:
    with sides(tmp_path / "ring", [None, None]) as (writer, reader):
        for batch in (1, 64):
            wrote, read = both(writer, reader, Job(5000, batch=batch))
            assert wrote.began_ns < read.ended_ns
        late = tmp_path / "late"
        both(writer, reader, Job(500, gap=3000.0, out=str(late)))
        assert len(np.fromfile(late, np.int64)) == 500
        writer.process.kill()
        with pytest.raises(RunError, match="writer of the ring to do its work, was: the process"):
            both(writer, reader, Job(500, gap=3000.0, out=str(late)))
    assert not reader.process.is_alive()


def test_a_side_whose_answer_nobody_takes_ends_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after Ctrl-C: the pipe is reset, where one that was read to its end is only closed."""
    monkeypatch.setattr(ring_side, "PATIENCE_S", 120)  # else one that takes its time is killed
    with sides(tmp_path / "ring", [None, None]) as (writer, reader):
        writer.send(Job(100))
        reader.send(Job(100))
        assert writer.link.poll(60)
        assert reader.link.poll(60)
    assert (writer.process.exitcode, reader.process.exitcode) == (0, 0)
