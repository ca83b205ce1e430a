"""Clients of the venues: connections, budgets, clocks, and one dialect per venue."""
