"""A run against its replay as a terminal page: one table per market, then why they differ."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from kimera_cli.records import Agreement, FidelityBasis, FidelityCause
from kimera_cli.report import figures
from kimera_cli.report.braille import paint

NARROWEST, WIDEST = 40, 100
LABEL, COLUMN = 23, 13
SAID = {"1ms": "1 ms", "100ms": "100 ms", "1s": "1 s"}
"""Shares of fills that agree in time, of those that records tell."""
Row = tuple[str, str, str, str]


def page(
    basis: FidelityBasis,
    agreed: Sequence[Agreement],
    causes: Sequence[FidelityCause],
    width: int,
    *,
    colour: bool,
) -> str:
    """Return the whole text, at most `width` columns wide."""
    to = _Page(min(max(width, NARROWEST), WIDEST), colour)
    sections = [to.head(basis, agreed[-1])]
    for one in agreed:
        own = [c for c in causes if c.instrument == one.instrument]
        sections.append([*to.table(one), *to.why(own)])
    if len(agreed) == 1 and (whole := [c for c in causes if not c.instrument]):
        sections.append(to.why(whole))
    return "\n" + "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


class _Page:
    def __init__(self, width: int, colour: bool) -> None:
        self.width, self.colour = width, colour

    def head(self, basis: FidelityBasis, total: Agreement) -> list[str]:
        """Return what was compared, and the verdict."""
        words = "different trades"
        if total.same_fills:
            words = "the same trades" + ("" if total.identical else ", known at other moments")
        verdict = paint(words, "green" if total.same_fills else "yellow", self.colour)
        span = f"{basis.executor}, {basis.status}, {figures.duration(basis.seconds)} of market time"
        fits = len(span) + 2 + len(words) <= self.width
        title = f"run {basis.run} against its replay"
        lines = [
            *(paint(line, "bold", self.colour) for line in textwrap.wrap(title, self.width)),
            *(
                [f"{span}: {verdict}"]
                if fits
                else [*textwrap.wrap(f"{span}:", self.width), verdict]
            ),
        ]
        facts = [("Queue", basis.queue_model), ("Latency", basis.latency)]
        if basis.recorded_until_ns is not None:
            until = figures.moment(basis.recorded_until_ns)
            facts.append(("Recorded", f"until {until} UTC only; the rest is not compared"))
        if basis.replay:
            facts.append(("Replay", basis.replay))
        for label, text in facts:
            first, *rest = textwrap.wrap(text, self.width - 10, break_long_words=False) or [""]
            lines += [paint(label.ljust(10), "dim", self.colour) + first]
            lines += [" " * 10 + line for line in rest]
        return lines

    def table(self, one: Agreement) -> list[str]:
        """Return the figures of one market, or of all."""
        name = one.instrument or "All markets"
        wide = self.width >= LABEL + 3 * COLUMN
        head = f"{'run':>{COLUMN}}{'replay':>{COLUMN}}"
        title = paint(
            textwrap.shorten(name, LABEL - 1, placeholder="…").ljust(LABEL), "bold", self.colour
        )
        *lines, line = self._below(title)
        lines.append(
            line + paint(head + (f"{'':>{2}}difference" if wide else ""), "dim", self.colour)
        )
        for label, here, there, differ in rows(one):
            line = f"{label:<{LABEL}}"
            if here or there:
                *above, line = self._below(line)
                line += f"{here:>{COLUMN}}{there:>{COLUMN}}"
                lines += above
            room = self.width - len(line) - 2
            if len(differ) <= room:
                lines.append(f"{line}  {differ}".rstrip())
            else:
                indent = {"initial_indent": "    ", "subsequent_indent": "    "}
                lines += [line, *textwrap.wrap(differ, self.width, **indent)]  # type: ignore[arg-type]
        return lines

    def _below(self, label: str) -> list[str]:
        """Return what stands before two columns: a label, or where that is too wide, nothing."""
        fits = self.width >= LABEL + 2 * COLUMN
        return [label] if fits else [label.rstrip(), " " * (self.width - 2 * COLUMN)]

    def why(self, causes: Sequence[FidelityCause]) -> list[str]:
        """Return the classes of differences, the most frequent first."""
        lines = []
        for cause in sorted(causes, key=lambda c: -c.count):
            n = "" if cause.cause == "parted" else f"{cause.count:,}"
            body = textwrap.wrap(cause.text, self.width - 9)
            lines.append(paint(n.rjust(7), "yellow", self.colour) + "  " + body[0])
            lines += [" " * 9 + line for line in body[1:]]
        return lines


def rows(one: Agreement) -> Iterator[Row]:
    """Yield label, run, replay and difference of each figure that there is."""
    yield "Orders sent", _n(one.orders), _n(one.replay_orders), f"{one.same_orders:,} the same"
    alone = "" if one.run_only == one.replay_only == 0 else f", {one.run_only:,} only in the run"
    alone += f", {one.replay_only:,} only in the replay" if alone else ""
    yield "Fills", _n(one.fills), _n(one.replay_fills), f"{one.matched:,} matched{alone}"
    yield "Filled orders", _part(one.fill_rate), _part(one.replay_fill_rate), ""
    yield "Fills as maker", _part(one.maker_share), _part(one.replay_maker_share), ""
    if one.within:
        text = ", ".join(f"{_percent(one.within[name])} in {said}" for name, said in SAID.items())
        yield "Fills that agree", "", "", text
    if one.late_p50_ns is not None and one.apart_p95_ns is not None:
        late = figures.duration(one.late_p50_ns / 1e9)
        apart = figures.duration(one.apart_p95_ns / 1e9)
        yield "Replay's fills later by", "", "", f"{late} (median); 95 % within {apart}"
    yield from _prices(one)
    money = figures.decimals_for(max(abs(one.pnl), abs(one.replay_pnl)), None, money=True)
    yield f"Turnover, {one.currency}", _amount(one.turnover), _amount(one.replay_turnover), ""
    yield f"Fees, {one.currency}", _amount(one.fees), _amount(one.replay_fees), ""
    if one.position_same is not None:
        same = f"{_percent(one.position_same)} of the time the same"
        text = "always the same" if one.position_same == 1.0 else f"{same}; {one.position_apart} at"
        text += "" if one.position_same == 1.0 else " most"
        yield "Position at the end", one.position, one.replay_position, text
    apart = "" if one.equity_apart is None else f", at most {_amount(one.equity_apart)} apart"
    yield (
        f"PnL, {one.currency}",
        figures.signed(one.pnl, money),
        figures.signed(one.replay_pnl, money),
        f"{figures.signed(one.pnl_difference, money)}{apart}",
    )


def _prices(one: Agreement) -> Iterator[Row]:
    for noun, here, there, px, replay_px, worse in (
        ("Bought", one.bought, one.replay_bought, one.buy_px, one.replay_buy_px, one.buy_worse_bps),
        ("Sold", one.sold, one.replay_sold, one.sell_px, one.replay_sell_px, one.sell_worse_bps),
    ):
        if px is None and replay_px is None:
            continue
        yield noun, here, there, ""
        yield "  at, on average", _px(px), _px(replay_px), _bps(worse)
    if one.matched_worse_bps is not None:
        yield "  where fills match", "", "", _bps(one.matched_worse_bps)


def _n(value: int) -> str:
    return f"{value:,}"


def _part(share: float | None) -> str:
    return figures.NONE if share is None else _percent(share)


def _percent(share: float) -> str:
    """Return a share in percent; one that is not whole never looks like it."""
    text = f"{share * 100:.1f}"
    if text == "100.0" and share < 1.0:
        text = "99.9"
    return f"{text.removesuffix('.0')} %"


def _amount(value: float) -> str:
    return figures.number(value, figures.decimals_for(value, None, money=True))


def _px(value: float | None) -> str:
    return figures.NONE if value is None else f"{value:,.8g}"


def _bps(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) < 5e-4:
        return "the same"
    return f"{figures.number(abs(value), 3)} bps {'worse' if value > 0 else 'better'} in the run"
