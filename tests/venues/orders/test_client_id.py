"""Ids are deterministic, within every venue's rules, distinct, and read back without a journal."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import RunError, UsageError
from kimera_cli.venues.orders.client_id import (
    NUMBER_BITS,
    SESSION_BITS,
    IntentKey,
    client_id,
    read_client_id,
    session_of,
)
from kimera_cli.venues.orders.rules import ALIASES, RULES, canonical, rules_of
from kimera_cli.venues.wire import (
    binance,
    binance_ws,
    bybit,
    coinbase,
    coinbase_exchange,
    htx,
    kraken,
    okx,
)

WIRES = [
    dialect
    for module in (binance, binance_ws, bybit, coinbase, coinbase_exchange, htx, kraken, okx)
    for dialect in (getattr(module, "REST", None), getattr(module, "WEBSOCKET", None))
    if dialect is not None
]
KEYS = st.builds(
    IntentKey, st.integers(0, (1 << SESSION_BITS) - 1), st.integers(1, (1 << NUMBER_BITS) - 1)
)
VENUES = st.sampled_from(sorted(RULES))


def test_every_wire_has_rules():
    assert {dialect.way.venue for dialect in WIRES} == set(RULES)


@settings(deadline=None)
@given(KEYS, VENUES)
def test_an_id_is_what_the_venue_takes_and_reads_back(key, venue):
    text = client_id(venue, key)
    assert rules_of(venue).id_pattern.fullmatch(text)
    for dialect in WIRES:
        if dialect.way.venue == venue:
            assert dialect.client_id.pattern.fullmatch(text.encode())
    assert read_client_id(text) == key
    assert client_id(venue, key) == text


@settings(deadline=None)
@given(KEYS, KEYS, VENUES)
def test_two_intents_never_share_an_id(one, other, venue):
    assert (client_id(venue, one) == client_id(venue, other)) == (one == other)


@settings(deadline=None)
@given(KEYS, VENUES, st.data())
def test_a_changed_id_is_not_ours(key, venue, data):
    text = client_id(venue, key)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefghjkmnpqrstvwxyzABC-"))
    changed = text[:at] + other + text[at + 1 :]
    read = read_client_id(changed)
    # 15 bits of checksum: another key may fit by chance, the same key never does.
    assert read != key or changed == text


@settings(deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"km[0-9a-z]{16}", fullmatch=True))
def test_what_reads_as_ours_is_what_we_would_write(text):
    key = read_client_id(text)
    assert key is None or text in {client_id(venue, key) for venue in RULES}


@settings(deadline=None)
@given(st.uuids(version=4) | st.uuids(version=5))
def test_a_foreign_uuid_is_foreign(foreign):
    assert read_client_id(str(foreign)) is None


def test_known_answers_stay_for_ever():
    """Restart-stable means stable across releases: open orders carry these."""
    key = IntentKey(session=0x2A5F00D, number=1)
    assert client_id("okx", key) == "km1abw0d0000001s83"
    text = client_id("coinbaseexchange", key)
    assert text == "0a97c034-0000-5000-8394-0d5d203f9c3d"
    assert uuid.UUID(text).version == 5
    assert uuid.UUID(text).variant == uuid.RFC_4122


def test_a_session_has_its_bits_and_follows_from_its_entropy():
    sessions = {session_of(bytes([i]) * 16) for i in range(256)}
    assert len(sessions) == 256
    assert all(0 <= s < 1 << SESSION_BITS for s in sessions)
    assert session_of(b"a") == session_of(b"a")


@pytest.mark.parametrize("number", [0, -1, 1 << NUMBER_BITS])
def test_numbers_end(number):
    with pytest.raises(RunError) as caught:
        client_id("okx", IntentKey(1, number))
    assert caught.value.code == "run.journal_full"


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_former_names(old, new):
    assert canonical(old) == canonical(old.upper()) == new
    assert rules_of(old) is RULES[new]


def test_an_unknown_venue_names_the_nearest():
    with pytest.raises(UsageError) as caught:
        rules_of("bybot")
    assert caught.value.code == "usage.venue"
    assert "'bybit'" in caught.value.hint
