"""`kimera trade`: orders and accounts at venues, one command at a time.

The callbacks are in trade_orders, trade_account, trade_reconcile and trade_switch.
"""

from __future__ import annotations

import typer

from kimera_cli.commands import trade_account, trade_orders, trade_reconcile, trade_switch

app = typer.Typer(help="Send, cancel and follow orders; tell what accounts hold.")

app.command()(trade_orders.order)
app.command()(trade_orders.cancel)
app.command("cancel-all")(trade_orders.cancel_all)
app.command()(trade_orders.amend)
app.command()(trade_account.status)
app.command("open")(trade_account.open_)
app.command()(trade_account.fills)
app.command()(trade_account.balance)
app.command()(trade_account.positions)
app.command()(trade_account.fees)
app.command()(trade_reconcile.reconcile)
app.command()(trade_switch.kill)
app.command()(trade_switch.arm)
