"""Restarts between any two messages change nothing of what is known in the end."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimera_cli.journal.intent_replay import read_orders
from kimera_cli.journal.intents import IntentJournal, Timing
from kimera_cli.venues.orders.account_orders import AccountOrders


def open_journal(folder, durability):
    journal = IntentJournal.open(
        folder, venue="binance", account="main", durability=durability, entropy=b"e",
        now_ns=1, timing=Timing(lambda: 0, group_commit_ms=1e9),
    )  # fmt: skip
    journal.orders.session = 77  # that of the histories' client ids
    return journal


def killed(journal):
    """What a kill leaves: nothing more is committed."""
    journal._store.leave()
    journal._log.close()
    journal._owner.release()


def ended(journal):
    journal.close()


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_restarts_anywhere_lose_and_invent_nothing(make, tmp_path_factory, data):
    several = [data.draw(make.histories(number=n)) for n in (1, 2)]
    starts = [entry for history in several for entry in history.start]
    messages = [m for history in several for m in history.messages]
    told = starts + data.draw(make.deliveries(messages, drops=True))
    ends = data.draw(
        st.dictionaries(st.integers(0, len(told)), st.sampled_from([killed, ended]), max_size=4)
    )
    folder = tmp_path_factory.mktemp("journal")
    straight = AccountOrders(make.session)
    journal = open_journal(folder, "process")
    for at, entry in enumerate(told):
        if at in ends:
            ends[at](journal)
            journal = open_journal(folder, "process")
        straight.apply(entry)
        journal.record(entry, at)
    journal.close()
    orders = read_orders(folder)
    assert orders.states == straight.states
    assert set(orders.fills) == set(straight.fills)
    assert orders.fills.positions() == straight.fills.positions()
    assert orders.unclaimed == straight.unclaimed
