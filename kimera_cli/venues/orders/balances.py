"""Balances against fills: what is there must be the baseline and all fills since, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from kimera_cli.records import Difference
from kimera_cli.venues.orders.entry import Baseline
from kimera_cli.venues.orders.fills import Assets, asset_changes
from kimera_cli.venues.orders.finding import AccountReport
from kimera_cli.venues.orders.outcome import Balance, VenueFill
from kimera_cli.venues.orders.wording import plain

ZERO = Decimal(0)


def new_baseline(balances: Sequence[Balance], asked_ns: int, why: str) -> Baseline:
    """Return the entry that takes balances as they are; `asked_ns` is of the venue's clock.

    To be taken at rest: a fill between the question and the answer would be counted twice.
    """
    return Baseline(balances=tuple(balances), ts_ns=asked_ns, why=why)


def balance_differences(
    baseline: Baseline | None,
    report: AccountReport,
    fills: Iterable[VenueFill],
    assets: Mapping[str, Assets],
) -> list[Difference]:
    """Return each asset whose balance the fills since the baseline do not explain.

    Nothing without a baseline. A symbol that `assets` does not have makes balances incomparable,
    which is the only difference then.
    """
    if baseline is None:
        return []
    since = [fill for fill in fills if fill.ts_ns > baseline.ts_ns]
    unknown = sorted({fill.symbol for fill in since} - assets.keys())
    if unknown:
        return [_unknown_symbol(report, symbol) for symbol in unknown]
    before = {balance.asset: balance.total for balance in baseline.balances}
    there = {balance.asset: balance.total for balance in report.balances or ()}
    changes = asset_changes(since, assets)
    found = []
    for asset in sorted(before.keys() | there.keys() | changes.keys()):
        expected = before.get(asset, ZERO) + changes.get(asset, ZERO)
        actual = there.get(asset, ZERO)
        if actual != expected:
            found.append(_unexplained(report, asset, expected, actual))
    return found


def _unexplained(
    report: AccountReport, asset: str, expected: Decimal, actual: Decimal
) -> Difference:
    more = actual - expected
    what = "a deposit, a transfer or a trade" if more > 0 else "a withdrawal, a fee or a trade"
    word = "more" if more > 0 else "less"
    return Difference(
        venue=report.venue,
        account=report.account,
        kind="balance",
        repair="baseline",
        text=(
            f"{report.venue} has {plain(actual)} {asset}, {plain(abs(more))} {word} than the fills "
            f"explain: {what} that no fill tells"
        ),
        asset=asset,
        amount=plain(more),
        journal=plain(expected),
        at_venue=plain(actual),
    )


def _unknown_symbol(report: AccountReport, symbol: str) -> Difference:
    return Difference(
        venue=report.venue,
        account=report.account,
        kind="symbol_unknown",
        repair="none",
        text=f"there are fills of {symbol}, unknown at {report.venue}: balances not compared",
        symbol=symbol,
    )
