"""The processes of a soak while it is played: a venue server, runs one after another, faults.

The server, each run and the last reconciliation are kimera itself, in process groups of their own.
Whatever happens, also Ctrl-C, nothing of them is left behind.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kimera_cli.errors import RunError
from kimera_cli.journal.intent_replay import DATABASE, read_orders
from kimera_cli.journal.intents import account_folder
from kimera_cli.units import NS_PER_S
from kimera_cli.venues.clients.socket_entry import has_socket
from kimera_cli.venues.faults.scenario import expect
from kimera_cli.venues.soak.acts import KILLS, Act, Call, Execute, Target, Way, acts, speaks
from kimera_cli.venues.soak.compare import ACCOUNT, Json, Life, lines
from kimera_cli.venues.soak.control import Control
from kimera_cli.venues.soak.processes import Group, wait_for

UP_S = 400.0
"""How long a run may take to be up: its start looks up what an earlier one left in doubt."""
CALM_S = 12.0
"""How long a connection may be silent before it is given up, and a bit more."""
BACK_S = 120.0
"""How long connections may take to come back: clients wait longer with each that did not last."""
DOUBT_S = 330.0
"""How long an order may be in doubt."""
STILL_S = 1.5
"""How long the market stands still before books are compared: frames are on their way."""
SETTINGS = (
    "portfolio.cash=200000",
    "grid.levels=2",
    "grid.half_spread_ticks=20",
    "grid.gap_ticks=40",
)
"""Of the runs: orders that rest long enough to be filled, and that do not fill the budgets."""
ORDERS_PER_S = 4
"""Of each venue, where its budget lets so many leave."""
LEVELS = 20
RATE = 60
"""Background acts per second and market."""
LIMIT_S = 3600.0
"""Added to the time under faults: after so long server and run end by themselves, whatever became
of the soak that began them.
"""


class Plan(NamedTuple):
    """What to play, how long, and the surroundings."""

    venues: tuple[str, ...]
    execute: Execute
    way: Way
    seconds: float
    seed: int
    gap_s: float
    kill_s: float
    """Mean time between two SIGKILLs; 0: none."""
    env: Mapping[str, str]
    now_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    note: Callable[[str], None]


@dataclass
class Theatre:
    """A soak while it is played, in its folder."""

    plan: Plan
    folder: Path
    server: Group
    control: Control
    targets: list[Target]
    run: Group | None = None
    lives: list[Life] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    """What was injected, by name."""
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    """What came about of it, by venue and name: a rule may wait in vain for what it matches."""
    kills: int = 0
    totals: Counter[str] = field(default_factory=Counter)
    """Orders and fills, at the venues or of a paper run."""
    books: dict[str, Json] = field(default_factory=dict)
    """The venues' books when the last run was asked to end."""
    differences: dict[str, str] = field(default_factory=dict)
    """What a reconciliation found by venue; empty where it found nothing."""
    _rules: dict[int, Act] = field(default_factory=dict)
    """Acts of which it is not known whether they came about, by the number of their rule."""
    _due: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    _began_ns: int = 0
    _by_socket: bool = False

    @property
    def home(self) -> Path:
        """KIMERA_HOME of the runs."""
        return self.folder / "home"

    @property
    def seconds(self) -> float:
        """The host's steady clock."""
        return self.plan.monotonic_ns() / NS_PER_S

    # --- runs

    def start_run(self) -> None:
        """Start a run, and wait until it reads and trades everywhere."""
        plan, self._began_ns = self.plan, self.plan.now_ns()
        number = len(self.lives) + 1
        self._by_socket = plan.execute == "live" and speaks(number, plan.seed, plan.way)
        words = ["run", "--source", "venue", "--server", self.server.out.name]
        words += ["--execute", plan.execute, "--strategy", "grid", "--seed", str(plan.seed)]
        paces = [f"risk.venue_orders_per_s.{venue}={ORDERS_PER_S}" for venue, _ in self.targets]
        way = f"live.orders={'websocket' if self._by_socket else 'rest'}"
        for setting in (*SETTINGS, *paces, way):
            words += ["--set", setting]
        words += ["--for", f"{4 * plan.seconds + LIMIT_S:.0f}s"]
        words += ["--out", f"run-{number}"]
        for venue, symbol in self.targets:
            words += ["--market", f"{venue}/{symbol.replace('/', '')}"]
        self.run = Group(f"run-{number}", words, self.folder, _env(self))
        self.plan.note(f"{self.run.name} starts{', orders by websocket' * self._by_socket}")
        up = wait_for(lambda: self._is_up() or self._ended(), UP_S)
        expect(up and not self._ended(), f"expected {self.run.name} to come up, {self._how()}")

    def _is_up(self) -> bool:
        found = self.control.get("/")
        return all(found[venue]["sockets"] >= self._sockets(venue) for venue, _ in self.targets)

    def _sockets(self, venue: str) -> int:
        """How many a run has at a venue: of market data, of private events, of orders."""
        if self.plan.execute == "paper":
            return 1
        return 3 if self._by_socket and has_socket(venue) else 2

    def _ended(self) -> bool:
        return self.run is not None and self.run.code is not None

    def _how(self) -> str:
        assert self.run is not None
        was = "was still waiting" if self.run.code is None else f"was ended with {self.run.code}"
        return f"{was}: {self.run.last_words()}"

    def kill_run(self, what: str, chance: random.Random) -> None:
        """Kill a run, see that nothing of it is left, and start another."""
        assert self.run is not None
        self.run.kill(what, chance)
        self.kills += 1
        self.plan.note(f"{self.run.name}: {what}, after {self.done.total()} faults")
        self._bury(killed=True)
        self._follow(float("inf"))  # a start asks, and may refuse by what is told it:
        self._clear()  # a market that stands still, an answer that cannot be read
        self.start_run()

    def _bury(self, *, killed: bool) -> None:
        run = self.run
        assert run is not None
        expect(run.gone(), f"expected {run.name} to end, was left: processes {run.members()}")
        self.lives.append(Life(self._began_ns, self.plan.now_ns(), run.out, killed))
        self.run = None

    # --- faults

    def play(self) -> None:
        """Do what the schedule says, as long as was asked for."""
        plan = self.plan
        chance = random.Random(plan.seed)
        end = self.seconds + plan.seconds
        given = (plan.seed, self.targets, plan.execute, plan.gap_s, plan.kill_s, plan.way)
        for act in acts(*given):
            self.wait(min(act.wait_s, end - self.seconds))
            if self.seconds >= end:
                return
            expect(not self._ended(), f"expected the run to live, {self._how()}")
            self.done[act.kind] += 1
            if act.kind in KILLS:
                before = self.seconds
                self.kill_run(act.kind, chance)
                end += self.seconds - before  # the time under faults is what was asked for
            else:
                self.inject(act)

    def inject(self, act: Act) -> None:
        """Call what an act calls; what is to follow, follows in its time."""
        assert act.call is not None
        answer = self.control.post(act.call.path, act.call.body)
        if "id" in answer:
            self._rules[answer["id"]] = act
        else:
            self.met[act.venue, act.kind] += 1
        if act.then is not None:
            self._later(act.lasts_s, act.then)
        elif act.lasts_s:
            rule = answer["id"]
            self._due.append((self.seconds + act.lasts_s, lambda: self._clear(rule)))

    def _later(self, seconds: float, call: Call) -> None:
        self._due.append((self.seconds + seconds, lambda: self.control.post(call.path, call.body)))

    def _clear(self, rule: int | None = None) -> None:
        """Take a rule back, or all; count those that came about."""
        told = self.control.get("/faults")
        for each in (*told["rules"], *told["spent"]):
            if each["hits"] and (act := self._rules.pop(each["id"], None)):
                self.met[act.venue, act.kind] += 1
        self.control.delete("/faults" if rule is None else f"/faults?id={rule}")

    def wait(self, seconds: float) -> None:
        """Let time pass; what is to follow, follows in its time."""
        end = self.seconds + seconds
        while True:
            self._follow(self.seconds)
            if not wait_for(lambda: self.seconds >= min(end, self._next()), seconds):
                return
            if self.seconds >= end:
                return

    def _next(self) -> float:
        return min((at for at, _ in self._due), default=float("inf"))

    def _follow(self, now: float) -> None:
        due = [act for at, act in self._due if at <= now]
        self._due = [(at, act) for at, act in self._due if at > now]
        for act in due:
            act()

    # --- the end

    def calm(self) -> None:
        """No faults any more; wait until nothing is in doubt, and let the market stand still."""
        self._follow(float("inf"))
        self._clear()
        self.plan.note("no more faults: waiting for connections, then for orders in doubt")
        self.wait(CALM_S)
        back = wait_for(lambda: self._ended() or self._is_up(), BACK_S)
        expect(back, f"expected connections to all venues within {BACK_S:g} s")
        self.wait(CALM_S)
        clear = wait_for(lambda: self._ended() or not self.doubts(), DOUBT_S)
        expect(not self._ended(), f"expected the run to live, {self._how()}")
        expect(clear, f"expected no order in doubt, was {', '.join(self.doubts())}")
        for target in self.targets:
            self.control.post(f"/{target.venue}/flow", {"rate": 0})
        self.wait(STILL_S)
        for venue, symbol in self.targets:
            self.books[venue] = self.control.get(f"/{venue}/book?symbol={symbol}&depth={LEVELS}")
        assert self.run is not None
        self.run.stop()
        self._bury(killed=False)

    def doubts(self) -> list[str]:
        """Return the orders that the venue is being asked for."""
        found: list[str] = []
        for target in self.targets:
            folder = account_folder(self.home, target.venue, ACCOUNT)
            if (folder / DATABASE).exists():
                found += [state.client_id for state in read_orders(folder).in_doubt()]
        return found

    def reconcile(self) -> None:
        """Let `kimera trade reconcile` say what differs at each venue."""
        words = ["trade", "reconcile", "--server", self.server.out.name]
        for target in self.targets:
            words += ["--venue", target.venue]
        group = Group("reconcile", words, self.folder, _env(self))
        try:
            expect(group.gone(), "expected the reconciliation to end, was left")
        finally:
            group.end()
        found = [each for each in lines(group.out) if each["type"] == "difference"]
        failed = f"reconcile ended with {group.code}: {group.last_words()}" if group.code else ""
        self.differences = {
            target.venue: "; ".join(d["text"] for d in found if d["venue"] == target.venue)
            or ("" if found else failed)
            for target in self.targets
        }


def _env(theatre: Theatre) -> dict[str, str]:
    return _surroundings(theatre.plan.env, theatre.folder)


def _surroundings(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the environment of the processes: nothing of theirs is kept outside of the folder."""
    runtime = {"KIMERA_HOME": str(folder / "home"), "KIMERA_RUNTIME": str(folder / "shm")}
    return {**env, **runtime}


@contextmanager
def opened(plan: Plan, folder: Path) -> Iterator[Theatre]:
    """Start the server and the first run; end whatever there is of them."""
    words = ["venue", "serve", "--venues", ",".join(plan.venues), "--seed", str(plan.seed)]
    words += ["--for", f"{4 * plan.seconds + LIMIT_S:.0f}s"]
    server = Group(
        "server", [*words, "--rate", str(RATE), "--folder", "server"], folder,
        _surroundings(plan.env, folder),
    )  # fmt: skip
    theatre: Theatre | None = None
    try:
        control = Control(_listening(server)["control_port"])
        told = control.get("/")
        targets = [Target(name, told[name]["symbols"][0]) for name in plan.venues]
        theatre = Theatre(plan, folder, server, control, targets)
        yield theatre
    finally:
        if theatre is not None and theatre.run is not None:
            theatre.run.end()
        server.end()


def _listening(server: Group) -> Json:
    """Return where the server is; RunError `run.soak` when it does not come up."""

    def said() -> list[Json]:
        return [each for each in lines(server.out) if each["type"] == "venue_listening"]

    if not wait_for(lambda: said() or server.code is not None, UP_S) or not said():
        raise RunError("run.soak", f"expected a venue server, was {server.last_words()}")
    return said()[0]
