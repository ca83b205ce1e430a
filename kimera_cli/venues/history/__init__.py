"""History and market data of venues over REST, through ccxt, into the catalog."""
