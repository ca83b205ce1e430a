"""The schedule of a soak: the same for the same seed, and every act one that the server takes."""

from __future__ import annotations

import time
from itertools import islice

import msgspec
import pytest

from kimera_cli.venues.clients.socket_entry import has_socket
from kimera_cli.venues.orders.rules import rules_of
from kimera_cli.venues.server.build import Setup, build_host
from kimera_cli.venues.server.control import Control
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects import available, load
from kimera_cli.venues.server.host import Host
from kimera_cli.venues.soak.acts import KILLS, Call, Execute, Target, acts, kinds_at, speaks

TARGETS = [Target(name, load(name).default_markets()[0].symbol) for name in available()]
MANY = 8000


def schedule(seed: int, execute: Execute = "live", kill_s: float = 100.0) -> list[object]:
    return list(islice(acts(seed, TARGETS, execute, 1.0, kill_s), MANY))


def test_the_same_seed_is_the_same_schedule_and_another_seed_is_not() -> None:
    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)


def test_every_kind_comes_at_every_venue_in_about_the_time_asked_for() -> None:
    drawn = list(islice(acts(3, TARGETS, "live", 0.5, 50.0), MANY))
    assert {(a.venue, a.kind) for a in drawn if a.venue} == {
        (target.venue, kind) for target in TARGETS for kind in kinds_at(target, "live")
    }
    assert sum(a.wait_s for a in drawn) == pytest.approx(0.5 * MANY, rel=0.1)
    kills = [a.kind for a in drawn if not a.venue]
    assert set(kills) == set(KILLS)
    assert len(kills) == pytest.approx(0.5 * MANY / 50.0, rel=0.4)


def test_orders_go_by_websocket_in_every_other_run_of_a_mixed_soak() -> None:
    assert [speaks(run, 0, "mixed") for run in (1, 2, 3, 4)] == [True, False, True, False]
    assert [speaks(run, 1, "mixed") for run in (1, 2, 3, 4)] == [False, True, False, True]
    assert [speaks(run, 1, "websocket") for run in (1, 2)] == [True, True]
    assert [speaks(run, 1, "rest") for run in (1, 2)] == [False, False]


def test_messages_of_orders_meet_faults_where_a_venue_takes_them() -> None:
    spoken = {t.venue for t in TARGETS if "spoken: answer lost" in kinds_at(t, "live", "mixed")}
    assert spoken == {t.venue for t in TARGETS if has_socket(t.venue)}
    assert not [k for t in TARGETS for k in kinds_at(t, "live", "rest") if k.startswith("spoken")]
    assert not [k for t in TARGETS for k in kinds_at(t, "paper", "mixed") if k.startswith("spoken")]


def test_no_kills_where_none_are_wanted() -> None:
    assert not {a.kind for a in islice(acts(1, TARGETS, "live", 1.0, 0.0), MANY)} & set(KILLS)


def test_a_paper_run_meets_no_fault_of_orders() -> None:
    kinds = {a.kind.split(":")[0] for a in islice(acts(1, TARGETS, "paper", 1.0, 0.0), MANY)}
    assert kinds == {"query", "frames", "books", "connections", "venue"}


def test_orders_are_lost_only_where_that_can_be_proved_within_the_soak() -> None:
    lost = {t.venue for t in TARGETS if "order: lost on its way" in kinds_at(t, "live")}
    assert lost == {t.venue for t in TARGETS if rules_of(t.venue).window.default_ns <= 60 * 10**9}
    assert "htx" not in lost


def told(control: Control, call: Call) -> int:
    body = msgspec.json.encode(call.body)
    return control.answer(Request("POST", call.path, "", {}, body, "", 0, "")).status


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.venue)
def test_the_server_takes_every_act(target: Target) -> None:
    host: Host = build_host(Setup(venues=[target.venue]), time.time_ns, lambda *_: None)
    control = Control(host)
    for kind in kinds_at(target, "live", "mixed").values():
        assert told(control, kind.call) == 200, kind
        assert kind.then is None or told(control, kind.then) == 200, kind
    venue = host.venues[target.venue]
    assert not venue.maintenance
    assert venue.exchange.market(target.symbol).status == "trading"
    assert told(control, Call("/faults", {"hook": "frame.out", "action": "refuse"})) == 400
