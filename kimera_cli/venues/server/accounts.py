"""Accounts: free and held balances, with double-entry moves, so that assets are conserved.

Every asset enters by a deposit and leaves by a withdrawal; all else moves it between accounts. The
fees of all go to one account (FEES). A move that would make a balance negative is a bug of the
server and raises; a client's lack of funds is refused before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from kimera_cli.errors import RunError
from kimera_cli.venues.server.model import Fill, Order

FEES = 1
"""Account that receives all fees. Ids begin here: 0 is nobody in the matching engine."""


class Balance:
    """Free and held atoms of one asset."""

    __slots__ = ("free", "held")

    def __init__(self) -> None:
        self.free = 0
        self.held = 0

    @property
    def total(self) -> int:
        """Free and held together."""
        return self.free + self.held


@dataclass(slots=True, eq=False)
class Account:
    """One account: balances, its orders by id and client id, and its fills."""

    id: int
    name: str
    balances: dict[str, Balance] = field(default_factory=dict)
    open: dict[int, Order] = field(default_factory=dict)
    closed: deque[Order] = field(default_factory=deque)
    by_client_id: dict[str, Order] = field(default_factory=dict)
    """The newest order of each client id that is still kept."""
    fills: deque[Fill] = field(default_factory=deque)
    kept: int = 200_000
    """Closed orders and fills that are remembered."""
    exempt: bool = False
    """A market maker of the venue's own: minimum and maximum sizes do not apply."""
    volume: int = 0
    """Traded so far, atoms of quote (of all quote assets alike)."""
    dead_man_ns: dict[str, int] = field(default_factory=dict)
    """When all orders are cancelled, by market symbol ("" for all), of the dead-man switch."""

    def balance(self, asset: str) -> Balance:
        """Return the balance of an asset, which may be new and empty."""
        found = self.balances.get(asset)
        if found is None:
            found = self.balances[asset] = Balance()
        return found


class Ledger:
    """All accounts of one exchange and the sums that must hold."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.supply: dict[str, int] = {}
        """Deposits less withdrawals by asset: what all accounts together must have."""
        self.touched: dict[tuple[int, str], None] = {}
        """Balances that moved since take_touched, in order."""
        self.drift: dict[str, int] = {}
        """Sum of all that moved by asset, less what came in: zero after each request."""
        self.open("fees")

    def open(self, name: str) -> Account:
        """Open an empty account."""
        account = Account(len(self.accounts) + 1, name)
        self.accounts[account.id] = account
        return account

    def deposit(self, account: int, asset: str, amount: int) -> None:
        """Bring an amount in from outside (negative: take it out)."""
        balance = self.accounts[account].balance(asset)
        self._set(balance, balance.free + amount, balance.held, account, asset)
        self.supply[asset] = self.supply.get(asset, 0) + amount
        self.drift[asset] -= amount

    def hold(self, account: int, asset: str, amount: int) -> None:
        """Move free to held (negative: release)."""
        balance = self.accounts[account].balance(asset)
        self._set(balance, balance.free - amount, balance.held + amount, account, asset)

    def pay(self, payer: int, payee: int, asset: str, amount: int) -> None:
        """Move an amount from what the payer holds to what the payee has free."""
        source = self.accounts[payer].balance(asset)
        self._set(source, source.free, source.held - amount, payer, asset)
        target = self.accounts[payee].balance(asset)
        self._set(target, target.free + amount, target.held, payee, asset)

    def charge(self, account: int, asset: str, fee: int) -> None:
        """Move a fee from what the account has free to the fee account."""
        if fee:
            self.hold(account, asset, fee)
            self.pay(account, FEES, asset, fee)

    def take_touched(self) -> list[tuple[int, str]]:
        """Return the balances that moved since the last call."""
        found = list(self.touched)
        self.touched.clear()
        return found

    def totals(self) -> Iterator[tuple[str, int, int]]:
        """Yield (asset, sum over all accounts, what it must be)."""
        for asset, supply in self.supply.items():
            yield asset, sum(a.balances[asset].total for a in self._with(asset)), supply

    def _with(self, asset: str) -> Iterator[Account]:
        return (a for a in self.accounts.values() if asset in a.balances)

    def _set(self, balance: Balance, free: int, held: int, account: int, asset: str) -> None:
        if free < 0 or held < 0:
            raise RunError(
                "run.venue_balance",
                f"expected no negative balance, was free {free} held {held} atoms of {asset} "
                f"in account {account}",
            )
        self.drift[asset] = self.drift.get(asset, 0) + free + held - balance.free - balance.held
        balance.free, balance.held = free, held
        self.touched[account, asset] = None
