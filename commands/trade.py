"""`kimera trade`: orders and accounts at venues, one command at a time.

The callbacks are in trade_orders, trade_account, trade_reconcile and trade_switch.
"""

from __future__ import annotations

from importlib import import_module

import typer

app = typer.Typer(help="Send, cancel and follow orders; tell what accounts hold.")

CALLBACKS = {
    "order": "trade_orders:order",
    "cancel": "trade_orders:cancel",
    "cancel-all": "trade_orders:cancel_all",
    "amend": "trade_orders:amend",
    "status": "trade_account:status",
    "open": "trade_account:open_",
    "fills": "trade_account:fills",
    "balance": "trade_account:balance",
    "positions": "trade_account:positions",
    "fees": "trade_account:fees",
    "reconcile": "trade_reconcile:reconcile",
    "kill": "trade_switch:kill",
    "arm": "trade_switch:arm",
    "guard": "trade_switch:guard",
}

for _name, _where in CALLBACKS.items():
    _module, _function = _where.split(":")
    app.command(_name)(getattr(import_module(f"kimera_cli.commands.{_module}"), _function))
