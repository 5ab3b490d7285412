"""The session in a browser: one cookie that scripts cannot read and other sites cannot use."""

from __future__ import annotations

from aiohttp import hdrs, web

from mailkeep.config import Settings
from mailkeep.domain.account import Session
from mailkeep.domain.clock import utc_now


def cookie_name(settings: Settings) -> str:
    """`__Host-` binds the cookie to this host (RFC 6265bis section 4.1.3.2); it needs https."""
    return "__Host-mailkeep" if _is_https(settings) else "mailkeep"


def session_token(request: web.Request, settings: Settings) -> str | None:
    """None also when there are two: which of them is ours, and which did somebody slip in (RFC 6265 section 8.6)?"""
    name = cookie_name(settings)
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


def _is_https(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")
