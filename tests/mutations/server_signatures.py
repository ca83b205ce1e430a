"""The venue server lets in what it must refuse: signatures, times, nonces, permissions."""

from __future__ import annotations

from mutant import Mutant

_AUTH = "kimera_cli/venues/server/auth.py"
_D = "kimera_cli/venues/server/dialects"
_T = "venues/server"
_BINANCE = f"{_T}/test_binance_auth.py"
_BYBIT = f"{_T}/test_bybit_dialect.py"
_OKX = f"{_T}/test_okx_dialect.py"
_KRAKEN = f"{_T}/test_kraken_dialect.py"
_HTX = f"{_T}/test_htx.py"
_COINBASE = f"{_T}/test_coinbase.py"
_EXCHANGE = f"{_T}/test_coinbaseexchange.py"

SHARED = (
    Mutant(
        "a nonce may be used twice", _AUTH,
        "if nonce <= self._last.get(key, -1):", "if nonce < self._last.get(key, -1):",
        f"{_T}/test_parts.py -k nonce",
    ),
    Mutant(
        "an ES256 signature is not looked at", _AUTH,
        "except InvalidSignature:\n            return False",
        "except InvalidSignature:\n            return True",
        f"{_T}/test_parts.py -k es256",
    ),
    Mutant(
        "a token may name its own algorithm", _AUTH,
        'if jwt.header.get("alg") != "ES256" or len(jwt.signature) != 64:',
        "if len(jwt.signature) != 64:",
        f"{_T}/test_parts.py -k es256",
    ),
    Mutant(
        "two signatures of one length are the same", _AUTH,
        "return hmac.compare_digest(_bytes(given), _bytes(wanted))",
        "return len(_bytes(given)) == len(_bytes(wanted))",
        f"{_BYBIT} -k signed",
    ),
)  # fmt: skip

BINANCE = (
    Mutant(
        "binance: a REST signature is not looked at", f"{_D}/binance_auth.py",
        "    if not same(given, mac_hex(key.secret, payload)):\n        raise BAD_SIGNATURE\n"
        "    check_time(params",
        "    check_time(params",
        _BINANCE,
    ),
    Mutant(
        "binance: a signature of the websocket API is not looked at", f"{_D}/binance_auth.py",
        "    if not same(given, mac_hex(key.secret, payload)):\n        raise BAD_SIGNATURE\n"
        "    check_time(texts",
        "    check_time(texts",
        _BINANCE,
    ),
    Mutant(
        "binance: the body is not signed", f"{_D}/binance_auth.py",
        "payload, given = query + body, in_query or in_body",
        "payload, given = query or body, in_query or in_body",
        _BINANCE,
    ),
    Mutant(
        "binance: parameters of the websocket API are signed as they come", f"{_D}/binance_auth.py",
        "for name in sorted(texts))", "for name in texts)",
        _BINANCE,
    ),
    Mutant(
        "binance: a request may come from the future", f"{_D}/binance_auth.py",
        "    if stamp >= now_ms + AHEAD_MS:\n        raise AHEAD\n", "",
        _BINANCE,
    ),
    Mutant(
        "binance: the future begins a millisecond late", f"{_D}/binance_auth.py",
        "if stamp >= now_ms + AHEAD_MS:", "if stamp > now_ms + AHEAD_MS:",
        _BINANCE,
    ),
    Mutant(
        "binance: recvWindow is not kept", f"{_D}/binance_auth.py",
        "    if now_ms - stamp > window:\n        raise OUTSIDE\n", "",
        _BINANCE,
    ),
    Mutant(
        "binance: recvWindow may be as long as one likes", f"{_D}/binance_auth.py",
        "    if window > LONGEST_WINDOW_MS:", "    if window > 1e18:",
        f"{_T}/test_binance_limits.py -k windows",
    ),
    Mutant(
        "binance: a key that may only read may trade", f"{_D}/binance_auth.py",
        "if key is None or not key.may(permission):", "if key is None:",
        _BINANCE,
    ),
)  # fmt: skip

BYBIT = (
    Mutant(
        "bybit: a signature is not looked at", f"{_D}/bybit_auth.py",
        "if not auth.same(given, wanted):", "if not wanted:",
        _BYBIT,
    ),
    Mutant(
        "bybit: the query of a GET is not signed", f"{_D}/bybit_auth.py",
        'payload = request.body if request.method == "POST" else request.raw_query.encode()',
        "payload = request.body",
        _BYBIT,
    ),
    Mutant(
        "bybit: a request may be old", f"{_D}/bybit_auth.py",
        "if not now - int(span) <= int(at) < now + AHEAD_MS:",
        "if not int(at) < now + AHEAD_MS:",
        _BYBIT,
    ),
    Mutant(
        "bybit: a request may come from the future", f"{_D}/bybit_auth.py",
        "if not now - int(span) <= int(at) < now + AHEAD_MS:",
        "if not now - int(span) <= int(at):",
        _BYBIT,
    ),
    Mutant(
        "bybit: a login's signature is not looked at", f"{_D}/bybit_auth.py",
        'if not auth.same(given, auth.mac_hex(key.secret, f"GET/realtime{expires}")):',
        "if not given:",
        _BYBIT,
    ),
    Mutant(
        "bybit: a login does not expire", f"{_D}/bybit_auth.py",
        "if not expires.isdecimal() or int(expires) <= self._clock.now_ms():",
        "if not expires.isdecimal():",
        _BYBIT,
    ),
    Mutant(
        "bybit: a key that may only read may trade", f"{_D}/bybit_auth.py",
        "if not key.may(permission):", "if not permission:",
        _BYBIT,
    ),
)  # fmt: skip

OKX = (
    Mutant(
        "okx: the passphrase is not looked at", f"{_D}/okx_auth.py",
        'if not auth.same(headers["ok-access-passphrase"], key.passphrase):',
        'if not headers["ok-access-passphrase"]:',
        _OKX,
    ),
    Mutant(
        "okx: a signature is not looked at", f"{_D}/okx_auth.py",
        'if not auth.same(headers["ok-access-sign"], auth.mac_base64(key.secret, signed)):',
        "if not signed:",
        _OKX,
    ),
    Mutant(
        "okx: the query is not signed", f"{_D}/okx_auth.py",
        'signed = f"{stamp}{request.method}{request.target}".encode() + request.body',
        'signed = f"{stamp}{request.method}{request.path}".encode() + request.body',
        _OKX,
    ),
    Mutant(
        "okx: the body is not signed", f"{_D}/okx_auth.py",
        'signed = f"{stamp}{request.method}{request.target}".encode() + request.body',
        'signed = f"{stamp}{request.method}{request.target}".encode()',
        _OKX,
    ),
    Mutant(
        "okx: a request may be early or late", f"{_D}/okx_auth.py",
        "if abs(self._clock.now_ms() - at_ms) > WINDOW_MS:", "if at_ms < 0:",
        _OKX,
    ),
    Mutant(
        "okx: the passphrase of a login is not looked at", f"{_D}/okx_auth.py",
        'if not auth.same(str(argument.get("passphrase", "")), key.passphrase):',
        "if not key:",
        _OKX,
    ),
    Mutant(
        "okx: a login's signature is not looked at", f"{_D}/okx_auth.py",
        'if not auth.same(str(argument.get("sign", "")), wanted):', "if not wanted:",
        _OKX,
    ),
    Mutant(
        "okx: a login may be early or late", f"{_D}/okx_auth.py",
        "if abs(self._clock.now_ms() - int(float(stamp) * 1000)) > WINDOW_MS:", "if not stamp:",
        _OKX,
    ),
    Mutant(
        "okx: a key that may only read may trade", f"{_D}/okx_auth.py",
        "if not key.may(permission):", "if not permission:",
        _OKX,
    ),
    Mutant(
        "okx: an order request never expires", f"{_D}/okx_auth.py",
        "if int(text) * NS_PER_MS <= now_ns:", "if not now_ns:",
        _OKX,
    ),
)  # fmt: skip

KRAKEN = (
    Mutant(
        "kraken: a signature is not looked at", f"{_D}/kraken_auth.py",
        'if not auth.same(request.headers.get("api-sign", ""), signature(key, request, nonce)):',
        "if not nonce:",
        _KRAKEN,
    ),
    Mutant(
        "kraken: the path is not signed", f"{_D}/kraken_auth.py",
        "message = request.path.encode() + digest", "message = digest",
        _KRAKEN,
    ),
    Mutant(
        "kraken: a nonce may be used again", f"{_D}/kraken_auth.py",
        " or not self._nonces.take(key.key, int(nonce)):", ":",
        _KRAKEN,
    ),
    Mutant(
        "kraken: a refused signature uses up the nonce", f"{_D}/kraken_auth.py",
        "        nonce = str(parameters.get(\"nonce\", \"\"))\n",
        "        nonce = str(parameters.get(\"nonce\", \"\"))\n"
        "        fresh = nonce.isdigit() and self._nonces.take(key.key, int(nonce))\n"
        "        self._nonces.take = lambda *_: fresh\n",
        _KRAKEN,
    ),
    Mutant(
        "kraken: a key that may only read may trade", f"{_D}/kraken_auth.py",
        "if not key.may(permission):", "if not permission:",
        _KRAKEN,
    ),
    Mutant(
        "kraken: a token never grows old", f"{_D}/kraken_auth.py",
        "if in_use or self._clock.now_ns() - issued < _TOKEN_NS else None", "if key else None",
        _KRAKEN,
    ),
)  # fmt: skip

HTX = (
    Mutant(
        "htx: a signature is not looked at", f"{_D}/htx_auth.py",
        'if not same(given.get("Signature", ""), mac_base64(key.secret, text)):', "if not text:",
        _HTX,
    ),
    Mutant(
        "htx: the host is not signed", f"{_D}/htx_auth.py",
        'return HOST if request.plain else request.host.partition(":")[0].lower()', "return HOST",
        _HTX,
    ),
    Mutant(
        "htx: a request may be early or late", f"{_D}/htx_auth.py",
        "if sent is None or abs(sent - now_ns // NS_PER_MS) > WINDOW_MS:", "if sent is None:",
        _HTX,
    ),
    Mutant(
        "htx: any signature method will do", f"{_D}/htx_auth.py",
        'if given.get("SignatureMethod") != "HmacSHA256":', "if not given:",
        _HTX,
    ),
    Mutant(
        "htx: any signature version will do", f"{_D}/htx_auth.py",
        'if given.get("SignatureVersion") != REST_VERSION:', "if not given:",
        _HTX,
    ),
    Mutant(
        "htx: a login's signature is not looked at", f"{_D}/htx_auth.py",
        'if not any(same(params.get("signature", ""), mac_base64(key.secret, t)) for t in texts):',
        "if not texts:",
        f"{_T}/test_htx_streams.py",
    ),
    Mutant(
        "htx: a key that may only read may trade", f"{_D}/htx_auth.py",
        "if not key.may(need):", "if not need:",
        _HTX,
    ),
)  # fmt: skip

COINBASE = (
    Mutant(
        "coinbase: a token's signature is not looked at", f"{_D}/coinbase_auth.py",
        'jwt.header.get("kid") != name or not verify_es256(key.secret, jwt):',
        'jwt.header.get("kid") != name:',
        _COINBASE,
    ),
    Mutant(
        "coinbase: a token's key id may be another one", f"{_D}/coinbase_auth.py",
        'jwt.header.get("kid") != name or not verify_es256(key.secret, jwt):',
        "not verify_es256(key.secret, jwt):",
        _COINBASE,
    ),
    Mutant(
        "coinbase: anybody may have issued a token", f"{_D}/coinbase_auth.py",
        'if jwt is None or jwt.claims.get("iss") not in ISSUERS or not _lives(jwt, now_ns):',
        "if jwt is None or not _lives(jwt, now_ns):",
        _COINBASE,
    ),
    Mutant(
        "coinbase: a token does not expire", f"{_D}/coinbase_auth.py",
        "return begin - SKEW_S <= now < end", "return begin - SKEW_S <= now",
        _COINBASE,
    ),
    Mutant(
        "coinbase: a token is good before its time", f"{_D}/coinbase_auth.py",
        "return begin - SKEW_S <= now < end", "return now < end",
        _COINBASE,
    ),
    Mutant(
        "coinbase: a token may live as long as it likes", f"{_D}/coinbase_auth.py",
        "or not isinstance(end, int) or end - begin > LIVES_S:", "or not isinstance(end, int):",
        _COINBASE,
    ),
    Mutant(
        "coinbase: a token is good for every path", f"{_D}/coinbase_auth.py",
        'return key if uri is None or jwt.claims.get("uri") == uri else None', "return key",
        _COINBASE,
    ),
    Mutant(
        "coinbase: a key that may only read may trade", f"{_D}/coinbase_auth.py",
        "if not key.may(need):", "if not need:",
        _COINBASE,
    ),
)  # fmt: skip

COINBASE_EXCHANGE = (
    Mutant(
        "coinbaseexchange: a signature is not looked at", f"{_D}/coinbaseexchange_auth.py",
        "if not same(claim.sign, wanted):", "if not wanted:",
        _EXCHANGE,
    ),
    Mutant(
        "coinbaseexchange: the passphrase is not looked at", f"{_D}/coinbaseexchange_auth.py",
        "if not same(claim.passphrase, key.passphrase):", "if not key:",
        _EXCHANGE,
    ),
    Mutant(
        "coinbaseexchange: a request may be early or late", f"{_D}/coinbaseexchange_auth.py",
        "if not late <= WINDOW_S:", "if late < 0:",
        _EXCHANGE,
    ),
    Mutant(
        "coinbaseexchange: the body is not signed", f"{_D}/coinbaseexchange_auth.py",
        'text = f"{request.method}{request.target}" + request.body.decode("utf-8", "replace")',
        'text = f"{request.method}{request.target}"',
        _EXCHANGE,
    ),
    Mutant(
        "coinbaseexchange: a key that may only read may trade", f"{_D}/coinbaseexchange_auth.py",
        "if not key.may(need):", "if not need:",
        _EXCHANGE,
    ),
    Mutant(
        "coinbaseexchange: a subscription's signature is not asked for",
        f"{_D}/coinbaseexchange_auth.py",
        'if "signature" not in wanted:', "if wanted:",
        f"{_T}/test_coinbaseexchange_feed.py",
    ),
)  # fmt: skip

MUTANTS = (*SHARED, *BINANCE, *BYBIT, *OKX, *KRAKEN, *HTX, *COINBASE, *COINBASE_EXCHANGE)
