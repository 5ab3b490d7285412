"""The JWT (RFC 7519) of a session: what is signed, and what of it is believed.

Only we make these tokens, so nothing in them needs to be interpreted: the header must be, letter by letter, the one
that we write for one of our keys. Every trick with algorithms, key names, key addresses and critical extensions
(RFC 8725 section 3) is a header that we do not write.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import jwt

from mailkeep.domain.ids import new_id
from mailkeep.errors import NotAuthenticated
from mailkeep.services.session_keys import KeyRing, SessionKey

ALGORITHM: Final = "HS256"
# RFC 8725 section 3.11: a token of another kind is never taken for a session.
TYPE: Final = "session+jwt"
ISSUER: Final = "mailkeep"
AUDIENCE: Final = "mailkeep-session"
# A JWT of ours has some 400 characters; nothing longer is worth a signature check.
MAX_TOKEN: Final = 2_000

# An HMAC of 32 bytes has 43 letters; the last one has two bits that mean nothing and are 0.
_TOKEN: Final = re.compile(r"([\w-]+)\.([\w-]+)\.[\w-]{42}[AEIMQUYcgkosw048]", re.ASCII)
_TEXTS: Final = frozenset({"iss", "aud", "sub", "sid", "jti"})
_TIMES: Final = frozenset({"iat", "exp"})
_END_OF_TIME: Final = 253_402_300_800  # the year 10,000, in seconds


def issue(key: SessionKey, *, user_id: str, session_id: str, issued_at: datetime, expires_at: datetime) -> str:
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user_id,
        "sid": session_id,
        "jti": new_id(),
        "iat": int(issued_at.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    return _signed(claims, key)


def verified(token: str, ring: KeyRing) -> tuple[str, str]:
    """The ids of session and user in a token that we signed. Raises NotAuthenticated."""
    parts = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN else None
    key = next((key for key in ring.accepted if parts is not None and parts[1] == _header(key)), None)
    if parts is None or key is None:
        raise NotAuthenticated("not a session token")
    claims = _claims(token, parts[2], key)
    if not _is_ours(claims):
        raise NotAuthenticated("not a session token")
    return claims["sid"], claims["sub"]


def _claims(token: str, payload: str, key: SessionKey) -> dict[str, Any]:
    """What is signed, with no name twice. Raises NotAuthenticated."""
    try:
        jwt.decode(
            token,
            key.secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # The time of issue tells nothing that the session's row does not, and a clock may be set back.
            options={"require": [*_TEXTS, *_TIMES], "verify_iat": False, "strict_aud": True},
        )
        decoded = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        members: list[tuple[str, Any]] = json.loads(decoded, object_pairs_hook=list)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise NotAuthenticated("not a session token, or one that has expired") from error
    claims = dict(members)
    if len(claims) != len(members):
        raise NotAuthenticated("not a session token")
    return claims


def _is_ours(claims: Mapping[str, Any]) -> bool:
    """Exactly the claims that we write, of the types that we write."""
    return (
        claims.keys() == _TEXTS | _TIMES
        and all(type(claims[name]) is str for name in _TEXTS)
        and all(type(claims[name]) is int and 0 < claims[name] < _END_OF_TIME for name in _TIMES)
    )


def _header(key: SessionKey) -> str:
    return _signed({}, key).partition(".")[0]


def _signed(claims: dict[str, Any], key: SessionKey) -> str:
    return jwt.encode(claims, key.secret, algorithm=ALGORITHM, headers={"kid": key.kid, "typ": TYPE})
