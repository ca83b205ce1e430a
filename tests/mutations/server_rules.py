"""The venue server breaks a rule of its own: limits, ids, filters, money, matching, timers."""

from __future__ import annotations

from mutant import Mutant

_S = "kimera_cli/venues/server"
_D = f"{_S}/dialects"
_T = "venues/server"
_EXCHANGE = f"{_T}/test_exchange.py"
_PARTS = f"{_T}/test_parts.py"

LIMITS = (
    Mutant(
        "a fixed window counts nothing", f"{_S}/limits.py",
        "return self._used <= self.limit", "return True",
        _PARTS,
    ),
    Mutant(
        "a fixed window never begins anew", f"{_S}/limits.py",
        "            self._window, self._used = window, 0", "            self._window = window",
        _PARTS,
    ),
    Mutant(
        "a sliding window lets one too many pass", f"{_S}/limits.py",
        "if self.used(now_ns) >= self.limit:", "if self.used(now_ns) > self.limit:",
        _PARTS,
    ),
    Mutant(
        "a counter does not decay", f"{_S}/limits.py",
        "passed = max(0, now_ns - self._at_ns) / 1e9", "passed = 0",
        _PARTS,
    ),
    Mutant(
        "the second ban is no longer than the first", f"{_S}/limits.py",
        "self.first_ns << (times - 1)", "self.first_ns",
        _PARTS,
    ),
    Mutant(
        "a ban follows the first violation", f"{_S}/limits.py",
        "        if self._violations[peer] < self.patience:\n            return 0\n", "",
        _PARTS,
    ),
    Mutant(
        "binance: banned addresses are served", f"{_D}/binance_limits.py",
        "        if until:\n            raise _banned(until, now_ns)\n", "",
        f"{_T}/test_binance_limits.py",
    ),
    Mutant(
        "binance: orders are not counted", f"{_D}/binance_limits.py",
        "            if not window.take(now_ns):\n                raise BinanceError(",
        "            if window.take(now_ns) is None:\n                raise BinanceError(",
        f"{_T}/test_binance_limits.py",
    ),
    Mutant(
        "bybit: banned addresses are served", f"{_D}/bybit_limits.py",
        "        if self._bans.until_ns(peer, now_ns):\n            return False\n", "",
        f"{_T}/test_bybit_dialect.py",
    ),
    Mutant(
        "bybit: requests of an account are not counted", f"{_D}/bybit_limits.py",
        "passed = all([window.take(now_ns) for _ in range(count)])",
        "passed = bool([window.take(now_ns) for _ in range(count)])",
        f"{_T}/test_bybit_dialect.py",
    ),
    Mutant(
        "okx: requests are not counted", f"{_D}/okx_limits.py",
        "return window.take(now_ns)", "return window.take(now_ns) or True",
        f"{_T}/test_okx_dialect.py",
    ),
    Mutant(
        "kraken: requests are not counted", f"{_D}/kraken_limits.py",
        "return not self.enabled or self._of_requests(who).take(now_ns, cost)", "return True",
        f"{_T}/test_kraken_dialect.py",
    ),
    Mutant(
        "kraken: a cancel costs nothing", f"{_D}/kraken_limits.py",
        "cost = _by_age(order, now_ns, _CANCEL)", "cost = 0.0",
        f"{_T}/test_kraken_dialect.py",
    ),
    Mutant(
        "coinbase: a bucket is never empty", f"{_D}/coinbase_limits.py",
        "passed = bucket.take(now_ns)", "passed = bucket.take(now_ns) or True",
        f"{_T}/test_coinbase.py {_T}/test_coinbaseexchange.py",
    ),
    Mutant(
        "htx: requests are not counted", f"{_D}/htx_limits.py",
        "passed = window.take(now_ns)", "passed = window.take(now_ns) or True",
        f"{_T}/test_htx.py",
    ),
)  # fmt: skip

IDS = (
    Mutant(
        "a client id of an open order may be used again", f"{_S}/admission.py",
        "if found.is_open or kept:", "if kept:",
        _EXCHANGE,
    ),
    Mutant(
        "a client id may be used again where it is kept", f"{_S}/admission.py",
        "if found.is_open or kept:", "if found.is_open:",
        _EXCHANGE,
    ),
    Mutant(
        "a client id is kept for ever", f"{_S}/admission.py",
        "not rules.client_id_window_ns or now_ns - found.created_ns < rules.client_id_window_ns",
        "True",
        _EXCHANGE,
    ),
    Mutant(
        "okx: a client id may hold any character", f"{_D}/okx_entry.py",
        "if text and not _CLIENT_ID.fullmatch(text):", "if len(text) > 32:",
        f"{_T}/test_okx_dialect.py",
    ),
    Mutant(
        "bybit: a link id may be of any length", f"{_D}/bybit_entry.py",
        "{1,36}", "{1,360}",
        f"{_T}/test_bybit_dialect.py",
    ),
    Mutant(
        "kraken: a client id may be of any length", f"{_D}/kraken_entry.py",
        "[!-~]{1,18}", "[!-~]{1,180}",
        f"{_T}/test_kraken_dialect.py",
    ),
    Mutant(
        "htx: a client id may hold any character", f"{_D}/htx_orders.py",
        "if client_id and not CLIENT_ID.fullmatch(str(client_id)):",
        "if client_id and len(str(client_id)) > 64:",
        f"{_T}/test_htx.py",
    ),
    Mutant(
        "binance: a client id may be of any length", f"{_D}/binance_actions.py",
        '_-]{1,36}")', '_-]{1,360}")',
        f"{_T}/test_binance_limits.py",
    ),
    Mutant(
        "coinbaseexchange: a client id need not be a UUID", f"{_D}/coinbaseexchange_orders.py",
        "if client_id and not is_uuid(client_id):", "if client_id is None:",
        f"{_T}/test_coinbaseexchange.py",
    ),
    Mutant(
        "bybit: a link id is free again once its order ended", f"{_D}/bybit.py",
        'client_id_unique="kept"', 'client_id_unique="open"',
        f"{_T}/test_bybit_dialect.py",
    ),
    Mutant(
        "okx: a client id is free again once its order ended", f"{_D}/okx.py",
        'client_id_unique="kept"', 'client_id_unique="open"',
        f"{_T}/test_okx_dialect.py",
    ),
    Mutant(
        "htx: a client id is taken", f"{_D}/htx.py",
        'client_id_unique="never"', 'client_id_unique="open"',
        f"{_T}/test_htx.py",
    ),
)  # fmt: skip

FILTERS = (
    Mutant(
        "an order may be below the minimum quantity", f"{_S}/admission.py",
        "if lots < market.min_lots:", "if lots < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "an order may be above the maximum quantity", f"{_S}/admission.py",
        "if lots > market.max_lots:", "if lots < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "an order may be worth less than the minimum", f"{_S}/admission.py",
        "if cost < desk.market.min_cost:", "if cost < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "a price may be outside of the band", f"{_S}/desk.py",
        "if not low <= px_ticks <= high:", "if px_ticks < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "any number of orders may be open", f"{_S}/admission.py",
        "if len(account.open) >= rules.max_open_orders and not account.exempt:",
        "if rules.max_open_orders < 0:",
        f"{_T}/test_binance_limits.py",
    ),
    Mutant(
        "a halted market takes orders", f"{_S}/admission.py",
        'if status == "halt":', 'if status == "stopped":',
        _EXCHANGE,
    ),
)  # fmt: skip

MONEY = (
    Mutant(
        "an order needs no funds", f"{_S}/admission.py",
        "if need > free:", "if need < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "the fee of a buy is not held where it is paid in quote", f"{_S}/admission.py",
        "return with_fee(cost, max(rates.maker, rates.taker))", "return cost",
        _EXCHANGE,
    ),
    Mutant(
        "a canceled order keeps its hold", f"{_S}/execution.py",
        "        release(exchange.ledger, order)\n        owner.open.pop", "        owner.open.pop",
        _EXCHANGE,
    ),
    Mutant(
        "a refused order keeps its hold", f"{_S}/execution.py",
        "        release(self.exchange.ledger, order)\n"
        "        self.exchange.ledger.take_touched()\n\n    def accept",
        "        self.exchange.ledger.take_touched()\n\n    def accept",
        _EXCHANGE,
    ),
    Mutant(
        "a fill at a better price leaves the difference held", f"{_S}/settlement.py",
        "    if order.kind == \"limit\":\n        shrink_hold(ledger, rules, order, rates)\n", "",
        _EXCHANGE,
    ),
    Mutant(
        "money is made of nothing", f"{_S}/accounts.py",
        "self._set(target, target.free + amount, target.held, payee, asset)",
        "self._set(target, target.free + amount + 1, target.held, payee, asset)",
        _EXCHANGE,
    ),
    Mutant(
        "a fee goes to nobody", f"{_S}/accounts.py",
        "            self.pay(account, FEES, asset, fee)\n", "",
        _EXCHANGE,
    ),
    Mutant(
        "a balance may become negative", f"{_S}/accounts.py",
        "if free < 0 or held < 0:", "if free < 0 and held < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "the conservation check does not look at sums", f"{_S}/invariants.py",
        "if found != wanted:", "if found < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "sums are not looked at after a request", f"{_S}/invariants.py",
        "        if amount:\n", "        if amount == 10**40:\n",
        _EXCHANGE,
    ),
    Mutant(
        "the conservation check does not look at holds", f"{_S}/invariants.py",
        "if balance.held != wanted or balance.free < 0 or balance.held < 0:",
        "if balance.free < 0 or balance.held < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "the conservation check does not look at books", f"{_S}/invariants.py",
        "if [tuple(level) for level in found] != levels or by_order != dict(levels):",
        "if not desk:",
        _EXCHANGE,
    ),
    Mutant(
        "a crossed book is not noticed", f"{_S}/invariants.py",
        "if bid is not None and ask is not None and bid >= ask:",
        "if bid is not None and ask is not None and bid > ask + 10**12:",
        _EXCHANGE,
    ),
    Mutant(
        "fees do not fall with the volume", f"{_S}/admission.py",
        "if tier.volume <= units][-1]", "if tier.volume <= units][0]",
        _EXCHANGE,
    ),
)  # fmt: skip

MATCHING = (
    Mutant(
        "a post-only order is accepted where it is to be refused", f"{_S}/exchange.py",
        'return rules.post_only_cross == "cancel"', "return True",
        _EXCHANGE,
    ),
    Mutant(
        "a fill-or-kill order is accepted where it is to be refused", f"{_S}/exchange.py",
        'return refusal == "fok" and rules.fok_unfilled == "expire"', 'return refusal == "fok"',
        _EXCHANGE,
    ),
    Mutant(
        "bybit: orders of one account trade though they are told not to",
        f"{_D}/bybit_entry.py",
        'SMP.get(str(parameters.get("smpType") or "None"))', 'SMP.get("None")',
        f"{_T}/test_bybit_dialect.py",
    ),
    Mutant(
        "htx: orders of one account trade though they are told not to", f"{_D}/htx_orders.py",
        'str(body.get("self-match-prevent", 0)) == "1"', "not body",
        f"{_T}/test_htx.py",
    ),
    Mutant(
        "a request's own self-trade mode is not heard", f"{_S}/exchange.py",
        "mode = request.self_trade or self.rules.self_trade", "mode = self.rules.self_trade",
        _EXCHANGE,
    ),
    Mutant(
        "a decremented maker keeps its size", f"{_S}/execution.py",
        "        for order in (maker, taker):\n            order.prevented_lots += lots",
        "        for order in (taker,):\n            order.prevented_lots += lots",
        _EXCHANGE,
    ),
    Mutant(
        "an amend may go below what is filled", f"{_S}/exchange.py",
        "if size.lots <= order.filled_lots + order.prevented_lots:", "if size.lots <= 0:",
        _EXCHANGE,
    ),
)  # fmt: skip

TIMERS = (
    Mutant(
        "a dead-man switch never fires", f"{_S}/exchange.py",
        "if due <= now]:", "if due < 0]:",
        _EXCHANGE,
    ),
    Mutant(
        "a dead-man switch cannot be pushed on", f"{_S}/exchange.py",
        "            timers[symbol] = self.clock.now_ns() + delay_ns",
        "            timers.setdefault(symbol, self.started_ns + delay_ns)",
        _EXCHANGE,
    ),
    Mutant(
        "a dead-man switch cannot be switched off", f"{_S}/exchange.py",
        "        timers.pop(symbol, None)\n", "",
        _EXCHANGE,
    ),
    Mutant(
        "bybit: disconnect protection never fires", f"{_D}/bybit_dcp.py",
        "if now_ns - heard > self.window_s(account) * NS:", "if now_ns < heard:",
        f"{_T}/test_bybit_dialect.py",
    ),
    Mutant(
        "bybit: a heartbeat is not heard", f"{_D}/bybit_dcp.py",
        "        if account in self._heard:\n            self._heard[account]",
        "        if account not in self._heard:\n            self._heard[account]",
        f"{_T}/test_bybit_dialect.py",
    ),
)  # fmt: skip

MUTANTS = (*LIMITS, *IDS, *FILTERS, *MONEY, *MATCHING, *TIMERS)
