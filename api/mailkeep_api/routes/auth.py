"""/auth: register, log in and out; one's sessions and password."""

from __future__ import annotations

from typing import Final

from mailkeep.errors import NotAllowed
from mailkeep_api.links import link_next
from mailkeep_api.routing import PUBLIC, SESSION, Call, Routes
from mailkeep_api.schemas.accounts import AccountOut, Credentials, RegisteredOut, SessionOut
from mailkeep_api.schemas.sessions import (
    PasswordChange,
    SessionItem,
    SessionList,
    SessionsEnd,
    SessionsEnded,
    SessionsQuery,
)

routes: Final = Routes("/api/v1/auth", tag="auth")


@routes.post(
    "/register",
    scope=PUBLIC,
    audit="account.register",
    body=Credentials,
    returns=RegisteredOut,
    status=202,
    problems=("not-allowed",),
)
async def register(call: Call, body: Credentials) -> RegisteredOut:
    """Make an account, its owner and a first address. Log in next.

    The answer does not tell whether the email address had an account already; then nothing is made or changed, and
    logging in takes the password that the account has. One client address can register so many times an hour.
    """
    if call.settings.auth.registration == "closed":
        raise NotAllowed("registration is closed")
    await call.core.accounts.sign_up(body.email, body.password, origin=call.actor.origin)
    return RegisteredOut()


@routes.post(
    "/login",
    scope=PUBLIC,
    audit="session.open",
    body=Credentials,
    returns=SessionOut,
    secret=True,
    problems=("not-authenticated",),
)
async def log_in(call: Call, body: Credentials) -> SessionOut:
    """Open a session. The answer does not tell an unknown email address from a wrong password.

    After some failures there is a wait before the next try (429, `Retry-After`), for known and unknown addresses alike.
    """
    user = await call.core.accounts.authenticate(body.email, body.password, origin=call.actor.origin)
    session = await call.core.sessions.open(user, origin=call.actor.origin)
    account = await call.core.accounts.get(await call.core.sessions.actor(session.token))
    return SessionOut(token=session.token, expires_at=session.expires_at, account=AccountOut.of(account, user))


@routes.post("/logout", scope=SESSION, audit="session.close", returns=None, status=204)
async def log_out(call: Call) -> None:
    """Close the session: its token is worth nothing from now on."""
    await call.core.sessions.close(call.actor)


@routes.get("/sessions", scope=SESSION, audit="session.list", query=SessionsQuery, returns=SessionList)
async def list_sessions(call: Call, query: SessionsQuery) -> SessionList:
    """Your log-ins that are in force, newest first: when, from where, with what. `current` is the one that asks."""
    page, before = await call.core.sessions.list(call.actor, limit=query.limit, before=query.before)
    link_next(call, before=before)
    return SessionList(items=tuple(SessionItem.of(item, call.actor) for item in page), next=before)


@routes.delete("/sessions", scope=SESSION, audit="session.close_all", query=SessionsEnd, returns=SessionsEnded)
async def end_sessions(call: Call, query: SessionsEnd) -> SessionsEnded:
    """End all your other log-ins; with `all=1` this one too."""
    return SessionsEnded(ended=await call.core.sessions.end_all(call.actor, own_too=query.all in {"1", "true"}))


@routes.delete("/sessions/{session_id}", scope=SESSION, audit="session.close")
async def end_session(call: Call, session_id: str) -> None:
    """End one of your log-ins: its token is worth nothing from now on."""
    await call.core.sessions.end(call.actor, session_id)


@routes.post("/password", scope=SESSION, audit="account.password", body=PasswordChange, returns=None, status=204)
async def change_password(call: Call, body: PasswordChange) -> None:
    """Change your password; all your other log-ins end. A wrong `current` counts as a failed log-in."""
    await call.core.accounts.change_password(call.actor, body.current, body.new)
