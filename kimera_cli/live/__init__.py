"""Runs on live feeds: what joins feeds and venues, which have sockets, with the engine."""
