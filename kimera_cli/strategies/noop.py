"""Watches and never trades: the loop's own cost, and a baseline that no strategy may lose to."""

PARAMS: dict[str, float] = {}

INTERVAL_NS = 0
FEATURES = False


def decide(view):
    """Do nothing."""
    return 0
