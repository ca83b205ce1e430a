"""The wire side of order entry: requests as bytes, one small declarative file per venue and way."""
