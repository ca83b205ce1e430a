"""All mutants."""

from __future__ import annotations

import client_orders
import client_sync
import server_rules
import server_signatures

MUTANTS = (
    *server_signatures.MUTANTS,
    *server_rules.MUTANTS,
    *client_sync.MUTANTS,
    *client_orders.MUTANTS,
)
