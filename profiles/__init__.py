"""Shipped profiles, installed as `kimera_cli.profiles`."""
