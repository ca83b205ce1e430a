"""A loopback exchange: real protocols and signatures over the matching engine, for tests."""
