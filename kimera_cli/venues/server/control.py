"""The control API: JSON over HTTP on its own loopback port. It sees what no client may see.

    GET    /                               venues and their hosts
    GET    /V/orders|fills|balances        ground truth of an account (?account=client, ?symbol=)
    GET    /V/book?symbol=&depth=          the real book
    GET    /V/log?last=N                   requests and messages as received, newest last
    GET    /V/check                        checks every invariant
    POST   /V/order                        a foreign order: account, symbol, side, qty, price, ...
    POST   /V/cancel                       account, order_id
    POST   /V/deposit                      account, asset, amount (negative: withdrawal)
    POST   /V/market                       symbol, and any of status, min_qty, min_notional
    POST   /V/clock                        step_s, or set_ns; timers that are due fire
    POST   /V/flow                         rate of the background
    POST   /V/maintenance                  on
    POST   /V/key                          account, permissions; answers with the key
    DELETE /V/key?key=                     withdraw a key
    POST   /V/disconnect                   path (regular expression), and how: close (code), abort,
                                           expire (its login ends), freeze (half open)
    POST   /V/restart                      the venue restarts: sequence numbers begin anew
    GET    /faults                         rules in force and rules spent
    POST   /faults                         a rule (faults.py); answers with its id
    DELETE /faults[?id=]                   take one or all out of force

V is a venue's name. Errors are {"error": text} with status 400 or 404.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.errors import KimeraError
from kimera_cli.venues.server import truth
from kimera_cli.venues.server.accounts import Account
from kimera_cli.venues.server.dialect import Request, Response, answer
from kimera_cli.venues.server.faults import Rule
from kimera_cli.venues.server.flow import Flow
from kimera_cli.venues.server.host import Host, Venue
from kimera_cli.venues.server.keys import Permission
from kimera_cli.venues.server.model import OrderRequest, Reject, Side, Tif
from kimera_cli.venues.server.new_keys import new_key

if TYPE_CHECKING:
    from kimera_cli.venues.server.connection import Connection

Json = dict[str, Any]
CLIENT = "client"
RESTART_CODE = 1012


class ForeignOrder(msgspec.Struct, forbid_unknown_fields=True):
    """An order placed behind the client's back."""

    symbol: str
    side: Side
    qty: str
    price: str | None = None
    account: str = CLIENT
    client_id: str = ""
    tif: Tif = "gtc"
    post_only: bool = False


class Control:
    """Answers the control port; it has the shape of a Host, so Connection serves it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.connections: set[Connection] = set()
        self._venue_routes: dict[tuple[str, str], Callable[[Venue, Request], Any]] = {
            ("GET", "orders"): self._orders,
            ("GET", "fills"): self._fills,
            ("GET", "balances"): self._balances,
            ("GET", "book"): self._book,
            ("GET", "log"): self._log,
            ("GET", "check"): lambda venue, _: truth.totals(venue.exchange),
            ("POST", "order"): self._order,
            ("POST", "cancel"): self._cancel,
            ("POST", "deposit"): self._deposit,
            ("POST", "market"): self._market,
            ("POST", "clock"): self._clock,
            ("POST", "flow"): self._flow,
            ("POST", "maintenance"): self._maintenance,
            ("POST", "key"): self._key,
            ("DELETE", "key"): self._drop_key,
            ("POST", "disconnect"): self._disconnect,
            ("POST", "restart"): self._restart,
        }
        self._routes: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", ""): self._venues,
            ("GET", "faults"): self._rules,
            ("POST", "faults"): self._inject,
            ("DELETE", "faults"): self._clear,
        }

    # what Connection calls

    def connected(self, connection: Connection) -> None:
        """Nothing stands between the control port and its user."""

    def handle(self, connection: Connection, request: Request, keep_alive: bool) -> None:
        """Answer a request."""
        connection.write(self.answer(request), keep_alive)

    def upgrade(self, connection: Connection, request: Request) -> None:
        """Refuse a websocket."""
        connection.write(_error(404, "the control API has no websocket"), keep_alive=False)

    def answer(self, request: Request) -> Response:
        """Carry out a request."""
        first, _, second = request.path.strip("/").partition("/")
        act = self._find(request.method, first, second)
        if act is None:
            return _error(404, f"no {request.method} {request.path}: see GET /")
        try:
            return answer(act(request))
        except (Reject, KimeraError, msgspec.MsgspecError, ValueError) as error:
            return _error(400, str(error))
        except ArithmeticError:
            return _error(400, f"expected a number, was none in {_excerpt(request.body)}")
        except KeyError as error:
            return _error(400, f"expected {error}, was not there")
        except TypeError as error:
            return _error(400, f"expected values of other types: {error}")

    def _find(self, method: str, first: str, second: str) -> Callable[[Request], Any] | None:
        venue = self.host.venues.get(first)
        if venue is None:
            return self._routes.get((method, first)) if not second else None
        act = self._venue_routes.get((method, second))
        return act and partial(act, venue)

    # the whole host

    def _venues(self, request: Request) -> Json:
        return {
            name: {
                "hosts": list(venue.dialect.hosts),
                "symbols": [market.symbol for market in venue.exchange.markets],
                "now_ns": venue.exchange.clock.now_ns(),
                "sockets": len(self.host.sockets(name)),
            }
            for name, venue in self.host.venues.items()
        }

    def _rules(self, request: Request) -> Json:
        return {"rules": self.host.faults.rules, "spent": self.host.faults.done}

    def _inject(self, request: Request) -> Json:
        return {"id": self.host.faults.add(msgspec.convert(_object(request), Rule))}

    def _clear(self, request: Request) -> Json:
        rule_id = request.query.get("id")
        for venue in self.host.venues.values():
            venue.first_answers.clear()
        return {"cleared": self.host.faults.clear(None if rule_id is None else int(rule_id))}

    # one venue: reading

    def _orders(self, venue: Venue, request: Request) -> list[Json]:
        account = _account(venue, request.query.get("account", CLIENT))
        symbol = request.query.get("symbol", "")
        return [truth.order(o) for o in venue.exchange.orders(account.id, symbol)]

    def _fills(self, venue: Venue, request: Request) -> list[Json]:
        account = _account(venue, request.query.get("account", CLIENT))
        symbol = request.query.get("symbol", "")
        return [truth.fill(f) for f in venue.exchange.fills(account.id, symbol)]

    def _balances(self, venue: Venue, request: Request) -> Json:
        account = _account(venue, request.query.get("account", CLIENT))
        return truth.balances(venue.exchange, account)

    def _book(self, venue: Venue, request: Request) -> Json:
        market = venue.exchange.market(request.query["symbol"])
        return truth.book(venue.exchange, market, int(request.query.get("depth", 20)))

    def _log(self, venue: Venue, request: Request) -> list[Any]:
        last = int(request.query.get("last", 100))
        return list(venue.log)[-last:] if last else []

    # one venue: acting

    def _order(self, venue: Venue, request: Request) -> Json:
        asked = msgspec.convert(_object(request), ForeignOrder)
        wanted = OrderRequest(
            asked.symbol,
            asked.side,
            "market" if asked.price is None else "limit",
            asked.qty,
            asked.price,
            tif=asked.tif,
            post_only=asked.post_only,
            client_id=asked.client_id,
        )
        account = _account(venue, asked.account)
        return truth.order(venue.exchange.place(account.id, wanted))

    def _cancel(self, venue: Venue, request: Request) -> Json:
        body = _object(request)
        account = _account(venue, body.get("account", CLIENT))
        reason = body.get("reason", "venue")
        return truth.order(venue.exchange.cancel(account.id, int(body["order_id"]), reason=reason))

    def _deposit(self, venue: Venue, request: Request) -> Json:
        body = _object(request)
        account = _account(venue, body.get("account", CLIENT))
        venue.exchange.deposit(account.id, body["asset"], str(body["amount"]))
        return truth.balances(venue.exchange, account)

    def _market(self, venue: Venue, request: Request) -> Json:
        body = _object(request)
        market = venue.exchange.market(body["symbol"])
        if "min_qty" in body:
            market.set_minimum(qty=Decimal(str(body["min_qty"])))
        if "min_notional" in body:
            market.set_minimum(notional=Decimal(str(body["min_notional"])))
        status = body.get("status", market.status)
        if status not in ("trading", "halt", "cancel_only", "delisted"):
            raise ValueError(f"expected a status trading, halt, cancel_only, delisted: {status}")
        venue.exchange.set_status(market.symbol, status)
        return {"symbol": market.symbol, "status": market.status}

    def _clock(self, venue: Venue, request: Request) -> Json:
        clock, body = venue.exchange.clock, _object(request)
        if not body.keys() & {"set_ns", "step_s"}:
            raise ValueError(f"expected step_s or set_ns, was {', '.join(body) or 'neither'}")
        if "set_ns" in body:
            clock.set(int(body["set_ns"]))
        clock.step(int(Decimal(str(body.get("step_s", 0))) * 10**9))
        venue.tick()
        return {"now_ns": clock.now_ns()}

    def _flow(self, venue: Venue, request: Request) -> Json:
        rate = float(_object(request)["rate"])
        for part in venue.background:
            if isinstance(part, Flow):
                part.rate = rate
        return {"rate": rate}

    def _maintenance(self, venue: Venue, request: Request) -> Json:
        venue.maintenance = bool(_object(request)["on"])
        return {"on": venue.maintenance}

    def _key(self, venue: Venue, request: Request) -> Json:
        body = _object(request)
        name = body.get("account", CLIENT)
        known = [a for a in venue.exchange.ledger.accounts.values() if a.name == name]
        account = known[0] if known else venue.exchange.open_account(name)
        allowed: frozenset[Permission] = frozenset(body.get("permissions", ["read", "trade"]))
        number = sum(1 for _ in venue.keys)
        key = new_key(venue.name, venue.exchange.seed, account.id, allowed, number)
        venue.keys.add(key)
        return {"key": key.key, "secret": key.secret, "passphrase": key.passphrase}

    def _drop_key(self, venue: Venue, request: Request) -> Json:
        venue.keys.remove(request.query["key"])
        return {}

    def _disconnect(self, venue: Venue, request: Request) -> Json:
        body = _object(request) if request.body else {}
        pattern = re.compile(body.get("path", ""))
        found = [s for s in self.host.sockets(venue.name) if pattern.search(s.path)]
        how = body.get("how", "close")
        for socket in found:
            if how == "abort":
                socket.abort()
            elif how == "freeze":
                socket.frozen = True
            elif how == "expire" and socket.conversation is not None:
                socket.guard(socket.conversation.expire)
            else:
                socket.close(int(body.get("code", RESTART_CODE)), "service restart")
        return {"sockets": len(found)}

    def _restart(self, venue: Venue, request: Request) -> Json:
        venue.dialect.restarted()
        found = self.host.sockets(venue.name)
        for socket in found:
            socket.close(RESTART_CODE, "service restart")
        return {"sockets": len(found)}


def _account(venue: Venue, name: str) -> Account:
    for account in venue.exchange.ledger.accounts.values():
        if account.name == name:
            return account
    known = ", ".join(a.name for a in venue.exchange.ledger.accounts.values())
    raise ValueError(f"expected an account of {known}, was '{name}'")


def _object(request: Request) -> Json:
    """Return the body; ValueError when it is no JSON object."""
    found = request.json
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, was {_excerpt(request.body) or 'nothing'}")
    return found


def _excerpt(body: bytes) -> str:
    return body[:80].decode("utf-8", "replace")


def _error(status: int, text: str) -> Response:
    return answer({"error": text}, status)
