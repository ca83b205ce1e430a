"""kimera sends twice, forgets, counts twice or believes too early."""

from __future__ import annotations

from mutant import Mutant

_O = "kimera_cli/venues/orders"
_C = "kimera_cli/venues/clients"
_T = "venues/orders"

OUTCOMES = (
    Mutant(
        "an acknowledgement without an id is accepted", f"{_C}/order_entry.py",
        "    if not name:\n", "    name = name or 'none'\n    if not name:\n",
        "venues/clients/test_venues.py -k without_a_clear_answer",
    ),
    Mutant(
        "an unreadable answer is a refusal", f"{_C}/order_entry.py",
        "return Unknown(why=Reason.UNREADABLE, detail=seen(), ts_ns=ts_ns)",
        "return Rejected(reason=Reason.UNREADABLE, raw=seen(), ts_ns=ts_ns)",
        "venues/clients/test_venues.py -k without_a_clear_answer",
    ),
    Mutant(
        "no answer is a refusal", f"{_C}/order_entry.py",
        "            return Unknown(\n"
        "                why=Reason.NO_ANSWER, detail=error.message, "
        "ts_ns=self.session.clock.now_ns()\n            )",
        "            return Rejected(\n"
        "                reason=Reason.NO_ANSWER, raw=error.message, "
        "ts_ns=self.session.clock.now_ns()\n            )",
        "venues/clients/test_venues.py -k without_a_clear_answer",
    ),
    Mutant(
        "what no table knows is a definite refusal", f"{_O}/reasons.py",
        "    Reason.UNREADABLE,\n    Reason.UNMAPPED,\n}", "    Reason.UNREADABLE,\n}",
        f"{_T}/test_reasons.py",
    ),
    Mutant(
        "a duplicate client id is a refusal", f"{_O}/reasons.py",
        "    Reason.DUPLICATE_ID,  # the id is there already: by an earlier request of ours, if by "
        "any\n",
        "",
        f"{_T}/test_reasons.py {_T}/test_machine.py",
    ),
    Mutant(
        "a lookup without an answer is a no", f"{_C}/order_entry.py",
        'return NoAnswer(why=f"{error.code}: {error.message}")',
        "return Absent(asked_ns=asked_ns)",
        "venues/clients/test_venues.py -k lookup_without_an_answer",
    ),
)  # fmt: skip

LOOKUP = (
    Mutant(
        "two noes at once are enough", f"{_O}/lookup.py",
        "return last - first >= self.window_ns and last >= self.expires_ns",
        "return last >= self.expires_ns",
        f"{_T}/test_lookup.py",
    ),
    Mutant(
        "a no before the request has expired is believed", f"{_O}/lookup.py",
        "return last - first >= self.window_ns and last >= self.expires_ns",
        "return last - first >= self.window_ns",
        f"{_T}/test_lookup.py",
    ),
    Mutant(
        "a venue that forgets ids is believed for ever", f"{_O}/lookup.py",
        "case Absent(asked_ns=asked_ns) if not 0 < search.forgotten_ns <= asked_ns:",
        "case Absent(asked_ns=asked_ns):",
        f"{_T}/test_lookup.py",
    ),
    Mutant(
        "an order may be sent again and again", f"{_O}/lookup.py",
        "if state.phase is not Phase.ABSENT or state.attempts >= MOST_ATTEMPTS or "
        "state.intent.resends:",
        "if state.phase is not Phase.ABSENT:",
        f"{_T}/test_lookup.py",
    ),
    Mutant(
        "an order in doubt may be sent again", f"{_O}/lookup.py",
        "if state.phase is not Phase.ABSENT or state.attempts",
        "if state.phase not in (Phase.ABSENT, Phase.UNKNOWN) or state.attempts",
        f"{_T}/test_lookup.py",
    ),
    Mutant(
        "the same id is used where a second use is not refused", f"{_O}/lookup.py",
        "return Resend.SAME_ID if rules_of(state.intent.venue).same_id_resend else Resend.NEW_ID",
        "return Resend.SAME_ID",
        f"{_T}/test_lookup.py",
    ),
    Mutant(
        "nothing is journaled before the wire", "kimera_cli/venues/desk.py",
        "        commit = self.journal.release([client_id], signed.ts_ns, signed.expires_ns)\n"
        "        if not commit.ok:\n",
        "        commit = None\n        if commit is not None:\n",
        "venues/clients/test_desk.py",
    ),
    Mutant(
        "an order in doubt does not hold up the next", "kimera_cli/venues/desk.py",
        "        if not unknown:\n", "        if unknown or not unknown:\n",
        "venues/clients/test_desk.py",
    ),
    Mutant(
        "the kill switch is not looked at before the wire", "kimera_cli/venues/desk.py",
        'behind it, bytes are written."""\n        self.latch.refuse()\n',
        'behind it, bytes are written."""\n',
        "venues/clients/test_desk.py",
    ),
)  # fmt: skip

STATE = (
    Mutant(
        "a fill counts as often as it is told", f"{_O}/fills.py",
        "        if known is not None:\n", "        if known is not None and known is fill:\n",
        f"{_T}/test_fills.py",
    ),
    Mutant(
        "fills of two symbols share their trade ids", f"{_O}/outcome.py",
        "return self.venue, self.symbol, self.trade_id", 'return self.venue, "", self.trade_id',
        f"{_T}/test_fills.py",
    ),
    Mutant(
        "a closed order opens again", f"{_O}/machine.py",
        "return _complete(state if closed else _alive(state))\n\n\ndef _refreshed",
        "return _complete(_alive(state))\n\n\ndef _refreshed",
        f"{_T}/test_machine.py",
    ),
    Mutant(
        "what is filled may shrink", f"{_O}/machine.py",
        "told=max(state.told, order.filled or ZERO)", "told=order.filled or ZERO",
        f"{_T}/test_machine.py",
    ),
    Mutant(
        "an older telling changes the order", f"{_O}/machine.py",
        "return order.version < state.version", "return False",
        f"{_T}/test_machine.py",
    ),
    Mutant(
        "a late refusal ends an order that is open", f"{_O}/machine.py",
        "if state.phase not in (Phase.SENT, Phase.UNKNOWN):\n        return state\n    again",
        "if not state:\n        return state\n    again",
        f"{_T}/test_machine.py",
    ),
    Mutant(
        "a second order of an intent is not noticed", f"{_O}/machine.py",
        'return _noted(state, f"a second order at the venue: {order_id} beside '
        '{state.venue_order_id}")',
        "return state",
        f"{_T}/test_machine.py",
    ),
    Mutant(
        "a fill before the acknowledgement is lost", f"{_O}/account_orders.py",
        "for fill in self.unclaimed.pop(name, []):", "for fill in ():",
        f"{_T}/test_machine.py",
    ),
    Mutant(
        "orders of another journal are ours", f"{_O}/account_orders.py",
        "return key if key is not None and key.session == self.session else None", "return key",
        f"{_T}/test_machine.py {_T}/test_reconcile.py",
    ),
)  # fmt: skip

IDS = (
    Mutant(
        "a client id does not tell its journal", f"{_O}/client_id.py",
        "    session, number = key\n    check", "    session, number = 0, key.number\n    check",
        f"{_T}/test_client_id.py",
    ),
    Mutant(
        "a client id's checksum is not compared", f"{_O}/client_id.py",
        "if key is None or not key.number or text not in (_short(key), _uuid(key)):",
        "if key is None or not key.number:",
        f"{_T}/test_client_id.py",
    ),
    Mutant(
        "a client id is another one after an upgrade", f"{_O}/client_id.py",
        'text = f"kimera intent {key.session} {key.number}".encode()',
        'text = f"kimera order {key.session} {key.number}".encode()',
        f"{_T}/test_client_id.py",
    ),
)  # fmt: skip

FILTERS = (
    Mutant(
        "a sell is rounded down", f"{_O}/filters.py",
        'return (steps + 1 if rest and side == "sell" else steps) * tick', "return steps * tick",
        f"{_T}/test_filters.py",
    ),
    Mutant(
        "a post-only price may touch the other side", f"{_O}/filters.py",
        "return min(price, round_price(touch.ask - tick, side, tick))",
        "return min(price, round_price(touch.ask, side, tick))",
        f"{_T}/test_filters.py",
    ),
    Mutant(
        "the minimum value is not looked at", f"{_O}/filters.py",
        "if notional is not None and notional < instrument.min_notional:", "if notional == -1:",
        f"{_T}/test_filters.py",
    ),
)  # fmt: skip

MUTANTS = (*OUTCOMES, *LOOKUP, *STATE, *IDS, *FILTERS)
