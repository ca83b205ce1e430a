"""Plots and table of saved records: what is drawn is what the records say, and the files stand."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from kimera_cli.bench import cdf, page, plots
from kimera_cli.errors import DataError
from kimera_cli.records import Bench

SVG = "{http://www.w3.org/2000/svg}"


def row(name: str, median_ns: float = 10.0, **more: Any) -> Bench:
    values = {"n": 1, "p99_ns": 20.0, "p999_ns": 30.0, "max_ns": 40.0, **more}
    rate = float(f"{1e9 / median_ns:.6g}")
    return Bench(name=name, median_ns=median_ns, rate_per_s=rate, machine="m", commit="c", **values)


def grown(series: str, *costs: tuple[int, float]) -> list[Bench]:
    return [
        row(f"scale.{series}-{at}", ns, detail={"series": series, "at": at}) for at, ns in costs
    ]


def staged(name: str, *points: tuple[float, float]) -> Bench:
    return row(name, detail={"cdf": [list(point) for point in points]})


def drawn(plot: plots.Plot) -> ET.Element:
    return ET.fromstring(plot.svg)


def test_throughput_lies_where_the_rate_is() -> None:
    rows = grown("instruments", (1, 10.0), (4, 20.0), (64, 10.0))
    (plot,) = plots.plots(rows)
    assert plot.name == "throughput-instruments"
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in drawn(plot).iter(f"{SVG}circle")]
    (x1, y1), (x4, y4), (x64, y64) = dots
    assert y1 == y64 < y4, "100, 50 and 100 M/s; upwards is more"
    assert (x4 - x1) * 3 == pytest.approx(x64 - x1, rel=0.02), "2^2 of 2^6: a third of the way"
    base = y1 + 2 * (y4 - y1)
    assert base == pytest.approx(10 + 300 - 10 - 26, abs=0.3), "half the rate is half the height"


def test_every_series_has_its_line_and_its_word() -> None:
    rows = grown("depth", (10, 10.0), (5_000, 11.0)) + grown("wide", (10, 10.0), (5_000, 30.0))
    (plot,) = plots.plots(rows)
    texts = [text.text for text in drawn(plot).iter(f"{SVG}text")]
    assert {"levels one tick apart", "levels ten ticks apart", "10", "5,000"} <= set(texts)
    assert len([p for p in drawn(plot).iter(f"{SVG}path") if "line" in p.get("class", "")]) == 2


def test_latency_is_drawn_by_stage_of_one_tape() -> None:
    rows = [
        staged("latency.stage.event_to_book.day", (0.5, 100.0), (0.99, 1_000.0)),
        staged("latency.stage.event_to_book.night", (0.5, 7.0), (0.99, 8.0)),
        staged("latency.tick.day", (0.5, 200.0), (0.999, 10_000.0)),
        row("book.day"),
    ]
    (plot,) = plots.plots(rows)
    texts = [text.text for text in drawn(plot).iter(f"{SVG}text")]
    assert texts[:3] == [
        "Latency by stage and percentile (day)",
        "event to book",
        "due event to order (open loop)",
    ]
    assert {"50 %", "99 %", "99.9 %", "100 ns", "1 us", "10 us"} <= set(texts)
    assert "99.99 %" not in texts


def test_nothing_to_draw_draws_nothing() -> None:
    assert plots.plots([row("book.synthetic")]) == []


def test_a_distribution_tells_no_tail_that_was_not_seen() -> None:
    points = cdf.of_samples(np.arange(1.0, 101.0).tolist())
    assert points[-1] == [0.99, 99.0]
    assert [0.5, 50.0] in points
    assert cdf.of_samples([]) == []


def test_a_histogram_gives_the_same_points_within_its_precision() -> None:
    from kimera_cli.kernels.histogram import histogram_add
    from kimera_cli.telemetry.histogram import new_histogram

    values = np.random.default_rng(1).lognormal(5, 1, 20_000).astype(np.int64)
    found = new_histogram()
    for value in values:
        histogram_add(found, value)
    exact, told = cdf.of_samples(values.tolist()), cdf.of_histogram(found)
    assert [share for share, _ in exact] == [share for share, _ in told]
    for (share, ns), (_, other) in zip(exact, told, strict=True):
        assert other == pytest.approx(ns, rel=0.02, abs=1), share


def test_the_table_says_what_was_met_and_against_what() -> None:
    rows = [
        row("a", 1_500.0, peer="other 1", peer_ratio=3.25, limit_ratio=1.5, target="t", met=False),
        row("b", target="u", met=None, detail={"peers": {"more 2": {"ratio": 7.0}}}),
        row("cold-start.help", limit_ratio=3.0),
    ]
    lines = page.table(rows).splitlines()
    assert lines[0] == "m; commit c"
    first = [cell.strip() for cell in lines[4].split("|")[1:-1]]
    assert first[:2] == ["`a`", "1.5 us"]
    assert first[4:] == ["667 k/s", "3.25 x other 1, takes 1.50 x C++", "t: **missed**"]
    assert "7 x more 2" in lines[5]
    assert "not told" in lines[5]
    assert "C++" not in lines[6]


def test_the_command_writes_files_that_anyone_may_read(kimera: Any, tmp_path: Path) -> None:
    saved = tmp_path / "x.jsonl"
    rows = grown("instruments", (1, 10.0), (2, 11.0))
    saved.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in rows))
    done = kimera("bench", "page", saved, "--out", tmp_path)
    assert [(r["path"].split("/")[-1], r["kind"]) for r in done.records("written")] == [
        ("throughput-instruments.svg", "plot"),
        ("bench.md", "table"),
    ]
    for name in ("throughput-instruments.svg", "bench.md"):
        assert (tmp_path / name).stat().st_mode & 0o044
    assert kimera("bench", "page", saved, "--out", tmp_path / "made" / "for" / "it").code == 0
    refused = kimera("bench", "page", saved, "--out", saved / "under-a-file")
    assert refused.code == 1
    assert "--out" in refused.err_json[0]["hint"]


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    with pytest.raises(DataError, match="was none"):
        list(page.write([empty], tmp_path))
