"""/auth: register, log in, log out."""

from __future__ import annotations

from typing import Final

from mailkeep.errors import NotAllowed
from mailkeep_api.routing import PUBLIC, SESSION, Call, Routes
from mailkeep_api.schemas.accounts import AccountOut, Credentials, RegisteredOut, SessionOut

routes: Final = Routes("/api/v1/auth", tag="auth")


@routes.post("/register", scope=PUBLIC, audit="account.register", body=Credentials, returns=RegisteredOut, status=202)
async def register(call: Call, body: Credentials) -> RegisteredOut:
    """Make an account, its owner and a first address. Log in next.

    The answer does not tell whether the email address had an account already; then nothing is made or changed, and
    logging in takes the password that the account has. One client address can register so many times an hour.
    """
    if call.settings.auth.registration == "closed":
        raise NotAllowed("registration is closed")
    await call.core.accounts.sign_up(body.email, body.password, origin=call.actor.origin)
    return RegisteredOut()


@routes.post("/login", scope=PUBLIC, audit="session.open", body=Credentials, returns=SessionOut, secret=True)
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
