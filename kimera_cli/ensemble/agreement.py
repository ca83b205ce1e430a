"""How a table serves: hit rate, age, and whether a fresh computation decides the same.

A lookup is a hit when its status is `ok`; the hit rate is over all lookups but those before the end
of what the table was learnt on (`not_yet`), where it has no business. Fresh is what the member that
filled the table decides at the very state of the lookup (not its cell), with all that it has
learnt. A hit agrees when both actions are the same; a member without an opinion agrees with
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kimera_cli.ensemble.blocks import block_sums, estimate
from kimera_cli.ensemble.publish import PrivateMemory, Publisher, Reader, Tally
from kimera_cli.ensemble.states import States
from kimera_cli.ensemble.table_file import TableFile
from kimera_cli.layouts import BUY, F64, HOLD, I64, SELL, TABLE_STATUSES
from kimera_cli.records import TableUse
from kimera_cli.units import NS_PER_S

ACTIONS = (SELL, HOLD, BUY)
OK = TABLE_STATUSES.index("ok")
NOT_YET = TABLE_STATUSES.index("not_yet")
TARGET_HITS, TARGET_AGREEMENT = 0.80, 0.99


def serve(table: TableFile, test: States, min_confidence: float) -> tuple[I64, Tally]:
    """Look up every state at its own time as a strategy would, through a published table.

    Returns status, action and cell of each, shape (n, 3), and the reader's counts.
    """
    memory = PrivateMemory()
    Publisher(memory).publish(table.side())
    reader = Reader(memory, min_confidence=min_confidence)
    answers = reader.look_all(test.rows(), test.ts_ns)
    return answers, reader.tally()


def use_record(
    dataset: str,
    table: TableFile,
    min_confidence: float,
    tally: Tally,
    sample: tuple[I64, I64, I64, I64],
    strategy: str = "",
) -> TableUse:
    """Return the record of a reader's counts and of the lookups that were compared.

    sample: time, status, action of the table and fresh action of lookups, shape (n,) each; these
    are all of them, or those that the reader kept.
    """
    ts_ns, status, action, fresh = (column[sample[1] != NOT_YET] for column in sample)
    hit = status == OK
    same = hit & (action == fresh)
    columns = np.column_stack([np.ones(len(hit)), hit, same]).astype(np.float64)
    sums = block_sums(ts_ns, columns)
    _, hit_se = estimate(sums, lambda s: s[:, 1] / s[:, 0])
    agreement, agreement_se = estimate(sums, lambda s: s[:, 2] / s[:, 1])
    shares = _shares(fresh[hit])
    chance = float(shares @ _shares(action[hit])) if hit.any() else None
    asked = tally.lookups - tally.by_status.get("not_yet", 0)
    rate = tally.hits / asked if asked else 0.0
    return TableUse(
        dataset=dataset,
        version=table.version,
        lookups=tally.lookups,
        hits=tally.hits,
        hit_rate=rate,
        hit_rate_se=hit_se,
        compared=int(hit.sum()),
        agreement=agreement,
        agreement_se=agreement_se,
        chance=chance,
        kappa=_kappa(agreement, chance),
        **_fresh_shares(shares if hit.any() else None),
        mean_age_s=tally.mean_age_ns / NS_PER_S,
        max_age_s=tally.max_age_ns / NS_PER_S,
        statuses=tally.by_status,
        min_confidence=min_confidence,
        met=None if agreement is None else rate > TARGET_HITS and agreement >= TARGET_AGREEMENT,
        strategy=strategy,
        dropped=tally.dropped_samples,
    )


def _shares(actions: I64) -> F64:
    return np.array([np.mean(actions == a) if len(actions) else 0.0 for a in ACTIONS])


def _fresh_shares(shares: F64 | None) -> Mapping[str, float | None]:
    names = ("fresh_sell", "fresh_hold", "fresh_buy")
    return {name: None if shares is None else float(shares[k]) for k, name in enumerate(names)}


def _kappa(agreement: float | None, chance: float | None) -> float | None:
    """Return agreement beyond chance; None where chance alone would agree always."""
    if agreement is None or chance is None or chance >= 1.0:
        return None
    return (agreement - chance) / (1.0 - chance)
