"""JWTs that nobody must believe, each with its name: made from a good one, and from the key that signed it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt

from mailkeep.services.session_keys import SessionKey
from mailkeep.services.session_tokens import AUDIENCE, ISSUER

# Attack 87: what the header says is done by somebody who does not have the key. `none` and friends have no signature.
ALGORITHMS: Final = (
    "none", "None", "NONE", "nOnE", "", "hs256", "HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "A128KW", "dir",
)  # fmt: skip
KEY_NAMES: Final = (
    "", ".", "../session.key", "../../../../dev/null", "/dev/null", "file:///dev/null", "' OR '1'='1", "0" * 16, "\0",
    "a" * 1_000, "null",
)  # fmt: skip
KEY_PLACES: Final = ("jku", "x5u", "jwk", "x5c", "x5t", "x5t#S256")


@dataclass(frozen=True, slots=True)
class Genuine:
    """A token that is good, and the key that signed it."""

    token: str
    key: SessionKey

    @property
    def header(self) -> dict[str, Any]:
        return jwt.get_unverified_header(self.token)

    @property
    def claims(self) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(self.token, options={"verify_signature": False})
        return claims


def forged_tokens(genuine: Genuine) -> dict[str, str]:
    """By name: what is wrong with it."""
    named = [
        *_without_the_key(genuine),
        *_with_other_headers(genuine),
        *_with_other_claims(genuine),
        *_with_other_letters(genuine),
    ]
    forged = dict(named)
    assert len(forged) == len(named), "a name twice"
    assert genuine.token not in forged.values()
    return forged


def _without_the_key(genuine: Genuine) -> Iterator[tuple[str, str]]:
    header, claims = genuine.header, genuine.claims
    for algorithm in ALGORITHMS:
        yield f"unsigned, alg {algorithm!r}", unsigned({**header, "alg": algorithm}, claims)
    yield "unsigned, the right alg", unsigned(header, claims)
    for name, secret in {
        "an empty key": b"",
        "a zero byte as key": b"\0",
        "the kid as key": genuine.key.kid.encode(),
        "the word secret as key": b"secret",
        "another key": b"another secret of more than 32 bytes",
        "half of the key": genuine.key.secret[:16],
        "the key without its case": genuine.key.secret.swapcase() + b"x",
        "a public key as key": b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
    }.items():
        yield f"signed with {name}", signed(header, claims, secret)


def _with_other_headers(genuine: Genuine) -> Iterator[tuple[str, str]]:
    """Signed with the right key all the same, as a fault of ours elsewhere might bring about."""
    header, claims, secret = genuine.header, genuine.claims, genuine.key.secret
    for algorithm in ALGORITHMS:
        yield f"alg {algorithm!r}", signed({**header, "alg": algorithm}, claims, secret)
    for path in KEY_NAMES:
        yield f"kid {path[:30]!r}", signed({**header, "kid": path}, claims, secret)
    kids: tuple[Any, ...] = (None, 7, [], {}, [genuine.key.kid])
    for kid in kids:
        yield f"kid {kid!r}", signed({**header, "kid": kid}, claims, secret)
    for place in KEY_PLACES:
        for value in ("https://evil.example/keys.json", {"kty": "oct", "k": base64url(b"x" * 32)}):
            yield f"{place} {type(value).__name__}", signed({**header, place: value}, claims, b"x" * 32)
            yield f"{place} {type(value).__name__}, the right key", signed({**header, place: value}, claims, secret)
    crits: tuple[Any, ...] = ([], ["exp"], ["x"], ["b64"], "exp", None, {})
    for crit in crits:
        yield f"crit {crit!r}", signed({**header, "crit": crit, "x": 1}, claims, secret)
    yield "crit b64", signed({**header, "crit": ["b64"], "b64": False}, claims, secret)
    for kind in ("JWT", "jwt", "at+jwt", "reset+jwt", "SESSION+JWT", "application/session+jwt", "", None, 7):
        yield f"typ {kind!r}", signed({**header, "typ": kind}, claims, secret)
    yield "cty", signed({**header, "cty": "JWT"}, claims, secret)
    yield "zip", signed({**header, "zip": "DEF"}, claims, secret)
    for missing in header:
        yield f"no {missing}", signed({name: header[name] for name in header if name != missing}, claims, secret)
    yield "another order", signed(dict(reversed(header.items())), claims, secret)
    yield "spaces", _signed_text(json.dumps(header), json.dumps(claims), secret)
    twice = f'{{"alg":"none",{json.dumps(header, separators=(",", ":"))[1:]}'
    yield "alg twice", _signed_text(twice, json.dumps(claims), secret)
    yield "a header that is a list", _signed_text("[]", json.dumps(claims), secret)


def _with_other_claims(genuine: Genuine) -> Iterator[tuple[str, str]]:
    """Attack 88, and things like it; signed with the right key and under the right header."""
    header, claims, secret = genuine.header, genuine.claims, genuine.key.secret
    now = int(time.time())
    for missing in claims:
        yield f"no {missing} claim", signed(header, _without(claims, missing), secret)
    changes: dict[str, tuple[Any, ...]] = {
        "exp": (
            now - 3600, 0, -1, float(now + 3600), str(now + 3600), 10**20, 10**400, True, None, [], {}, "x", 1e308,
            float("inf"), float("nan"), "2030-01-01T00:00:00Z",
        ),
        "iat": (float(now), str(now), -1, 10**20, True, None, [], "x"),
        "iss": ("", ISSUER[:-1], f"{ISSUER}.evil.example", f"https://{ISSUER}", ISSUER.upper(), [ISSUER], None, 7),
        "aud": ("", "other", AUDIENCE[:-1], f"{AUDIENCE}s", "mailkeep", "mailkeep-reset", [AUDIENCE], [], None, 7),
        "sub": ("", "somebody", None, 7, [], {}, claims["sub"].upper(), f"{claims['sub']} ", f"{claims['sub']}\0"),
        "sid": ("", "unknown", None, 7, [], {}, claims["sid"].upper(), f"{claims['sid']} ", "' OR '1'='1", "%"),
        "jti": (None, 7, []),
    }  # fmt: skip
    for name, values in changes.items():
        for value in values:
            yield f"{name} {str(value)[:40]!r} {type(value).__name__}", signed(header, {**claims, name: value}, secret)
    for name, value in {"nbf": now + 3600, "scope": "admin", "purpose": "reset", "role": "owner"}.items():
        yield f"with {name}", signed(header, {**claims, name: value}, secret)
    yield "a token to reset a password", signed(header, {**claims, "aud": "mailkeep-reset", "purpose": "reset"}, secret)
    for name in ("exp", "sid", "sub"):
        text = json.dumps(claims, separators=(",", ":"))
        yield (
            f"{name} twice",
            _signed_text(_text(header), f"{text[:-1]},{json.dumps(name)}:{json.dumps(claims[name])}}}", secret),
        )
    for payload in ("", "[]", "7", "null", '"x"', "{", "{}"):
        yield f"the payload {payload!r}", _signed_text(_text(header), payload, secret)


def _with_other_letters(genuine: Genuine) -> Iterator[tuple[str, str]]:
    """The good token, written in another way."""
    token = genuine.token
    head, payload, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1]) | 1]
    yield from {
        "nothing": "",
        "a space before": f" {token}",
        "a newline after": f"{token}\n",
        "a space within": f"{head}. {payload}.{signature}",
        "a zero byte after": f"{token}\0",
        "padding": f"{head}.{payload}.{signature}=",
        "padding of the header": f"{head}=.{payload}.{signature}",
        "the other base64": token.replace("-", "+").replace("_", "/") + "+",
        "idle bits set": f"{token[:-1]}{last}",
        "a letter that base64 skips": f"{head}.{payload}.*{signature}",
        "one letter less": token[:-1],
        "half of it": token[: len(token) // 2],
        "no signature": f"{head}.{payload}.",
        "two parts": f"{head}.{payload}",
        "four parts": f"{token}.{signature}",
        "five parts, as of JWE": f"{head}.{payload}.{signature}.{head}.{payload}",
        "twice": f"{token}{token}",
        "very long": f"{token}{'A' * 3_000}",
        "very long header": f"{'A' * 3_000}.{payload}.{signature}",
        "other letters of Unicode": f"{token[:-1]}\u0410",
        "in quotes": f'"{token}"',
        "the signature of another header": f"{base64url(b'{}')}.{payload}.{signature}",
        "another payload": f"{head}.{base64url(json.dumps({**genuine.claims, 'sub': 'x'}).encode())}.{signature}",
    }.items()


def unsigned(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return f"{base64url(_text(header).encode())}.{base64url(_text(claims).encode())}."


def signed(header: Mapping[str, Any], claims: Mapping[str, Any], secret: bytes) -> str:
    """HMAC with SHA-256, whatever the header says."""
    return _signed_text(_text(header), _text(claims), secret)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed_text(header: str, payload: str, secret: bytes) -> str:
    signed_part = f"{base64url(header.encode())}.{base64url(payload.encode())}"
    return f"{signed_part}.{base64url(hmac.digest(secret, signed_part.encode(), hashlib.sha256))}"


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
