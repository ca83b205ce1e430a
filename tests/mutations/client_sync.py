"""kimera shows a book that is not the venue's, or the rule that would notice is broken."""

from __future__ import annotations

from mutant import Mutant

_F = "kimera_cli/feeds"
_KERNEL = "kimera_cli/kernels/sync.py"
_T = "feeds"
_MODELS = f"{_T}/test_sync.py -k"
_RULES = f"{_T}/test_sync_rules.py -k 'not recorded'"

KERNEL = (
    Mutant(
        "a message need not follow the last one", _KERNEL,
        "        if first.ref != s.last:\n            return np.int64(ORDER), n\n", "",
        _RULES,
    ),
    Mutant(
        "a message may skip numbers", _KERNEL,
        "if first.ref != s.last:", "if first.ref < s.last:",
        f"{_MODELS} 'binance or okx or bybit or htx'",
    ),
    Mutant(
        "a crossed book passes", _KERNEL,
        "    if book.best_bid_ticks >= book.best_ask_ticks:\n        return np.int64(CROSSED)\n",
        "",
        _RULES,
    ),
    Mutant(
        "a book whose best prices are the same passes", _KERNEL,
        "if book.best_bid_ticks >= book.best_ask_ticks:",
        "if book.best_bid_ticks > book.best_ask_ticks:",
        _RULES,
    ),
    Mutant(
        "a change passes while the book is not good", _KERNEL,
        "return np.int64(PASSED if s.state == UNCHECKED else HELD), n",
        "return np.int64(PASSED), n",
        _RULES,
    ),
    Mutant(
        "a message of the connection may be missing", _KERNEL,
        "if number != link.count + 1:", "if number <= link.count:",
        _RULES,
    ),
    Mutant(
        "an audit does not learn what the stream touched", _KERNEL,
        "return np.int64(WATCHED if s.watched else PASSED)", "return np.int64(PASSED)",
        f"{_T}/test_audit.py",
    ),
    Mutant(
        "kraken: a checksum is not compared", "kimera_cli/kernels/top_book.py",
        "return np.int64(TOP_OK if right else TOP_WRONG), n", "return np.int64(TOP_OK), n",
        f"{_MODELS} kraken",
    ),
    Mutant(
        "kraken: the sum is over nine levels", "kimera_cli/kernels/top_book.py",
        "range(max(n - SUMMED, 0), n)", "range(max(n - SUMMED + 1, 0), n)",
        f"{_T}/test_top_book.py",
    ),
    Mutant(
        "kraken: levels behind the depth stay", "kimera_cli/kernels/top_book.py",
        "        n += more\n", "",
        _RULES,
    ),
)  # fmt: skip

BOOKS = (
    Mutant(
        "a lost book is not marked", f"{_F}/sync.py",
        "return [mark(self.number, self.venue, ts_local_ns)]", "return []",
        _RULES,
    ),
    Mutant(
        "a lost book stays good", f"{_F}/sync.py",
        'was_good = self.good\n        self.row["state"] = WAITING\n', "was_good = self.good\n",
        _RULES,
    ),
    Mutant(
        "a crossed snapshot is shown", f"{_F}/sync.py",
        "if self.book.best_bid_ticks >= self.book.best_ask_ticks:", "if not self.book:",
        _RULES,
    ),
    Mutant(
        "a repeated message is taken for a restart", f"{_F}/sync.py",
        "        elif self.came_before(message):\n            self.counts.repeated += 1\n"
        "            return []\n",
        "",
        _RULES,
    ),
    Mutant(
        "numbers that begin anew are taken for repetitions", f"{_F}/sync.py",
        'return bool(timed and not newer and first["seq"] in known)',
        'return bool(first["seq"] in known or timed)',
        _RULES,
    ),
    Mutant(
        "a late snapshot is taken", f"{_F}/sync.py",
        'return bool(timed and message[0]["ts_exch_ns"] < self.row["ts_exch_ns"])', "return False",
        _RULES,
    ),
    Mutant(
        "a crossed message's rest is kept as good", f"{_F}/sync.py",
        'return [*self.lose("the book is crossed", ts_local_ns), *self.hold(message)]',
        "return [message]",
        _RULES,
    ),
)  # fmt: skip

RANGE = (
    Mutant(
        "binance, htx: a snapshot older than the changes is taken", f"{_F}/sync_range.py",
        'if int(self._kept[0][0]["ref"]) > seq:', "if seq < 0:",
        _RULES,
    ),
    Mutant(
        "binance, htx: a snapshot ahead of the changes is taken", f"{_F}/sync_range.py",
        'if int(self._kept[-1][0]["seq"]) < seq:', "if seq < 0:",
        _RULES,
    ),
    Mutant(
        "binance, htx: changes behind the snapshot are left out", f"{_F}/sync_range.py",
        'if int(each[0]["seq"]) > seq)]', 'if int(each[0]["seq"]) < seq)]',
        _RULES,
    ),
    Mutant(
        "binance, htx: changes with a hole are kept", f"{_F}/sync_range.py",
        "            self.counts.gaps += 1\n            self.counts.dropped += len(self._kept)\n"
        "            self._kept.clear()\n",
        "            self.counts.gaps += 1\n",
        f"{_MODELS} 'binance or htx'",
    ),
    Mutant(
        "binance, htx: one answer is the book where nothing moves", f"{_F}/sync_range.py",
        'if before is not None and before[0]["seq"] == message[0]["seq"]:', "if True:",
        _RULES,
    ),
)  # fmt: skip

CHAIN = (
    Mutant(
        "okx: a snapshot without a number is taken", f"{_F}/sync_chain.py",
        'unnumbered = self.rule == CHAINED and not message[0]["seq"]', "unnumbered = False",
        _RULES,
    ),
    Mutant(
        "okx, bybit: an old snapshot is taken", f"{_F}/sync_chain.py",
        "if self.is_late(message) or (before and self.came_before(message)):", "if not before:",
        _RULES,
    ),
    Mutant(
        "coinbase: a hole in the connection's numbers is no loss", f"{_F}/sync_count.py",
        "return whole", "return True",
        _RULES,
    ),
    Mutant(
        "coinbase: a repeated message is read", f"{_F}/sync_count.py",
        "self.repeated = 0 <= count <= last", "self.repeated = False",
        _RULES,
    ),
    Mutant(
        "coinbase: a hole spoils no book", f"{_F}/intake.py",
        '        self._lose("messages of the connection were lost", ts_local_ns)\n', "",
        _RULES,
    ),
    Mutant(
        "kraken: a snapshot's checksum is not compared", f"{_F}/sync_crc.py",
        "return rows[: n if status == TOP_OK else 0]", "return rows[:n]",
        _RULES,
    ),
    Mutant(
        "kraken: an old snapshot is taken", f"{_F}/sync_crc.py",
        "        if self.is_late(message):\n            self.counts.repeated += 1\n"
        "            return []\n",
        "",
        _RULES,
    ),
)  # fmt: skip

AUDIT = (
    Mutant(
        "coinbaseexchange: an audit never finds anything", f"{_F}/sync_audit.py",
        "if not wrong:", "if wrong is not None:",
        f"{_T}/test_audit.py",
    ),
    Mutant(
        "coinbaseexchange: an audit does not spare what the stream touched", f"{_F}/sync_audit.py",
        "if place not in self._touched and told.get(place, 0) != own.get(place, 0)",
        "if told.get(place, 0) != own.get(place, 0)",
        f"{_T}/test_audit.py",
    ),
    Mutant(
        "coinbaseexchange: levels that only the venue has are not compared", f"{_F}/sync_audit.py",
        "for place in told.keys() | own.keys()", "for place in own.keys()",
        f"{_T}/test_audit.py",
    ),
    Mutant(
        "coinbaseexchange: an audit is never begun", f"{_F}/audit.py",
        "elif audit.task is None and not audit.judge_ns and now >= audit.due_ns:",
        "elif audit.task is None and now < 0:",
        f"{_T}/test_audit.py",
    ),
    Mutant(
        "coinbaseexchange: an answer is compared before the stream settles", f"{_F}/audit.py",
        "audit.judge_ns = self.around.monotonic_ns() + int(self.plan.settle_s * _NS)",
        "audit.judge_ns = self.around.monotonic_ns()",
        f"{_T}/test_audit.py",
    ),
)  # fmt: skip

SILENCE = (
    Mutant(
        "any answer of the venue proves that nothing has happened", f"{_F}/sync.py",
        "self.counts.proved += self.good and same", "self.counts.proved += self.good",
        f"{_T}/test_still_markets.py -k 'forgotten or differs' {_T}/test_proof.py",
    ),
    Mutant(
        "the second answer of a market that stands still may be long in coming", f"{_F}/attend.py",
        "            asking.again_ns = min(asking.again_ns, soon)", "            pass",
        f"{_T}/test_live_server.py -k 'stands_still and binance'",
    ),
    Mutant(
        "a connection that is silent for good reason is given up", f"{_F}/client.py",
        "return self.counts.messages - echoes + self.attending.proofs",
        "return self.counts.messages - echoes",
        f"{_T}/test_still_markets.py -k stays",
    ),
    Mutant(
        "a connection of trades is given up because they stand still", f"{_F}/client.py",
        "echoes = self.counts.echoes if self.link.booked else 0", "echoes = self.counts.echoes",
        f"{_T}/test_still_markets.py -k trades",
    ),
    Mutant(
        "a venue without heartbeats is not asked if it lives", f"{_F}/client.py",
        "return not link.booked and now - since_ns >=", "return now < 0 and now - since_ns >=",
        f"{_T}/test_still_markets.py -k trades",
    ),
    Mutant(
        "one answer that differs is the last question", f"{_F}/attend.py",
        "_ASKED = (0.5, 0.6, 0.8)", "_ASKED = (0.5,)",
        f"{_T}/test_still_markets.py -k differs",
    ),
    Mutant(
        "kraken: a still book is never told again", f"{_F}/sync_crc.py",
        "        if same:\n            self.counts.proved += 1\n            return []\n", "",
        f"{_T}/test_still_markets.py -k 'stays and kraken'",
    ),
    Mutant(
        "kraken: another book than ours is a proof", f"{_F}/sync_crc.py",
        "same = compared and self.is_ours(message, DEPTH)", "same = compared",
        f"{_T}/test_still_markets.py -k 'forgotten and kraken'",
    ),
    Mutant(
        "kraken: a channel that tells nothing of what changes is trusted", f"{_F}/sync_crc.py",
        "if heard_ns != before_ns:", "if heard_ns > 0:",
        f"{_T}/test_still_books.py",
    ),
    Mutant(
        "a channel that does not come back is not noticed", f"{_F}/prove.py",
        "elif now - asked_ns >= AGAIN_S * _NS:", "elif now < 0:",
        f"{_T}/test_still_books.py",
    ),
    Mutant(
        "a silent channel is not noticed", f"{_F}/attend.py",
        "if now_ns - self.since_ns < self.limit_ns << self.doublings:", "if self.since_ns:",
        f"{_T}/test_attend.py",
    ),
    Mutant(
        "a silent book stays shown", f"{_F}/intake.py",
        'self._show(book.lose(f"the channel is silent{told}", ts_local_ns))', "self._show([])",
        f"{_T}/test_attend.py",
    ),
    Mutant(
        "a lost connection leaves books shown", f"{_F}/intake.py",
        'self._lose("the connection was lost", ts_local_ns)', "pass",
        f"{_T}/test_live.py {_T}/test_sync.py",
    ),
    Mutant(
        "an unreadable frame leaves the connection", f"{_F}/listener.py",
        "        self._take = self._drop\n        self._report(error)\n"
        "        transport.disconnect()\n",
        "        self._report(error)\n",
        f"{_T}/test_client.py",
    ),
    Mutant(
        "an answer of a lost connection is used", f"{_F}/attend.py",
        "                asking.task.cancel()\n", "",
        f"{_T}/test_attend.py",
    ),
    Mutant(
        "a venue that asks for a pause is asked again at once", f"{_F}/attend.py",
        'pause_s = float(error.details.get("retry_after_s", 0.0))', "pause_s = 0.0",
        f"{_T}/test_attend.py",
    ),
    Mutant(
        "books that do not come are asked for without end", f"{_F}/attend.py",
        "if asking.attempts > self.patience.tries:", "if asking.attempts < 0:",
        f"{_T}/test_attend.py",
    ),
)  # fmt: skip

MUTANTS = (*KERNEL, *BOOKS, *RANGE, *CHAIN, *AUDIT, *SILENCE)
