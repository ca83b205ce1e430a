"""What requests and messages of each venue look like to a fault that is to meet them."""

from __future__ import annotations

PLACED = {
    "binance": "^POST /api/v3/order",
    "bybit": "^POST /v5/order/create",
    "coinbase": "^POST /api/v3/brokerage/orders[^/]",
    "coinbaseexchange": "^POST /orders",
    "htx": "^POST /v1/order/orders/place",
    "kraken": "^POST /0/private/AddOrder",
    "okx": "^POST /api/v5/trade/order",
}
"""The request of a new order, by venue."""
CANCELED = "ancel|^DELETE"
"""The request of a cancel, at every venue."""
BOOKS = {
    "binance": "depthUpdate",
    "bybit": "orderbook.50.BTCUSDT",
    "coinbase": "l2_data",
    "coinbaseexchange": "l2update",
    "htx": "mbp.150",
    "kraken": '"channel":"book","type":"update"',
    "okx": '"action":"update"',
}
"""What a change of a book has in its text, by venue."""
WHOLE = {
    "bybit": 'orderbook.50.BTCUSDT","ts":[0-9]+,"type":"snapshot"',
    "coinbase": '"channel":"l2_data".*"type":"snapshot"',
    "coinbaseexchange": '"type":"snapshot"',
    "htx": '"rep":"market.btcusdt.mbp',
    "kraken": '"channel":"book","type":"snapshot"',
    "okx": '"action":"snapshot"',
}
"""What a whole book has in its text, where it comes on the websocket, by venue."""
PAIR = r'\[\["[0-9.]+","[0-9.]+"', '[["{price}","0.5"'
"""A first level of a side, as most venues write it, and one to stand in its place."""
BIDS = {
    "binance": (f'"b":{PAIR[0]}', f'"b":{PAIR[1]}'),
    "bybit": (f'"b":{PAIR[0]}', f'"b":{PAIR[1]}'),
    "coinbase": (
        r'"side":"bid","event_time":"([^"]+)","price_level":"[0-9.]+","new_quantity":"[0-9.]+"',
        r'"side":"bid","event_time":"\1","price_level":"{price}","new_quantity":"0.5"',
    ),
    "coinbaseexchange": (r'\["buy","[0-9.]+","[0-9.]+"', '["buy","{price}","0.5"'),
    "htx": (r'"bids":\[\[[0-9.]+,[0-9.]+', '"bids":[[{price},0.5'),
    "kraken": (r'"bids":\[\{"price":[0-9.]+,"qty":[0-9.]+', '"bids":[{"price":{price},"qty":0.5'),
    "okx": (f'"bids":{PAIR[0]}', f'"bids":{PAIR[1]}'),
}
"""A bid in a change of a book, and one at a price to be filled in, by venue."""
BY_SNAPSHOT = frozenset({"binance"})
"""Venues whose book begins with an answer by REST."""
SPOKEN = {
    "binance": '"method":"order.place"',
    "bybit": '"op":"order.create"',
    "kraken": '"method":"add_order"',
    "okx": '"op":"order"',
}
"""The message of a new order, at the venues that take orders by websocket."""
SPOKEN_CANCELS = {
    "binance": '"method":"order.cancel"',
    "bybit": '"op":"order.cancel"',
    "kraken": '"method":"cancel_order"',
    "okx": '"op":"cancel-order"',
}
"""The message of a cancel there."""
ANSWERED = {
    "binance": '^{"id":"[0-9]+","status"',
    "bybit": '"reqId":"[0-9]+".*"op":"order.',
    "kraken": '"method":"(add|cancel)_order"',
    "okx": '"op":"(cancel-)?order"',
}
"""The venue's answers to both."""
CHECKSUMS = {
    "kraken": ('"checksum":[0-9]+', '"checksum":1'),
    "okx": ('"checksum":-?[0-9]+', '"checksum":1'),
}
"""A checksum in a change of a book, and a wrong one, at the venues whose feed has them."""
COMPARED = frozenset({"kraken"})
"""Venues whose checksum is what their book goes by. OKX's go by their numbers: it may send 0."""
