"""The session in a browser: one cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

from typing import Final

from aiohttp import hdrs, web

from mailkeep.config import Settings
from mailkeep.domain.account import Session
from mailkeep.domain.clock import utc_now

ADMIN_PATH: Final = "/admin"
ADMIN_S: Final = 3600


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds the cookie to this host (RFC 6265bis section 4.1.3.2); it needs https."""
    return "__Host-mailkeep" if _is_https(settings) else "mailkeep"


def session_token(request: web.Request, settings: Settings) -> str | None:
    return _only(request, cookie_name(settings))


def _only(request: web.Request, name: str) -> str | None:
    """None also when there are two: which of them is ours, and which did somebody slip in (RFC 6265 section 8.6)?"""
    sent = ";".join(request.headers.getall(hdrs.COOKIE, ())).split(";")
    return request.cookies.get(name) if sum(pair.partition("=")[0].strip() == name for pair in sent) == 1 else None


def set_session(response: web.StreamResponse, session: Session, settings: Settings) -> None:
    response.set_cookie(
        cookie_name(settings),
        session.token,
        max_age=max(0, int((session.expires_at - utc_now()).total_seconds())),
        path="/",
        secure=_is_https(settings),
        httponly=True,
        samesite="Lax",
    )


def clear_session(response: web.StreamResponse, settings: Settings) -> None:
    response.del_cookie(cookie_name(settings), path="/", secure=_is_https(settings), httponly=True, samesite="Lax")


def admin_cookie_name(settings: Settings) -> str:
    return "__Secure-mailkeep-admin" if _is_https(settings) else "mailkeep-admin"


def admin_token(request: web.Request, settings: Settings) -> str | None:
    """The service token with which somebody has entered the administration."""
    return _only(request, admin_cookie_name(settings))


def set_admin_token(response: web.StreamResponse, token: str, settings: Settings) -> None:
    """For an hour, for the pages of the administration alone, and never with a request that another site causes."""
    response.set_cookie(
        admin_cookie_name(settings),
        token,
        max_age=ADMIN_S,
        path=ADMIN_PATH,
        secure=_is_https(settings),
        httponly=True,
        samesite="Strict",
    )


def clear_admin_token(response: web.StreamResponse, settings: Settings) -> None:
    response.del_cookie(
        admin_cookie_name(settings), path=ADMIN_PATH, secure=_is_https(settings), httponly=True, samesite="Strict"
    )


def _is_https(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")
