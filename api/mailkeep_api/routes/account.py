"""/account: the customer behind the credentials."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.scope import Scope
from mailkeep_api.account_archive import account_archive
from mailkeep_api.documents import send_archive
from mailkeep_api.routing import OWNER, Call, Raw, Routes
from mailkeep_api.schemas.accounts import AccountDeletionIn, AccountOut, DeletionOut, ExportQuery

routes: Final = Routes("/api/v1/account", tag="account")


@routes.get("", scope=Scope.ACCOUNT_READ, audit="account.view", returns=AccountOut, etag=True)
async def get_account(call: Call) -> AccountOut:
    """The account, its tier and what it stores."""
    user = await call.core.accounts.user(call.actor) if call.actor.user_id is not None else None
    return AccountOut.of(await call.core.accounts.get(call.actor), user)


@routes.delete("", scope=OWNER, audit="account.delete", body=AccountDeletionIn, returns=DeletionOut)
async def delete_account(call: Call, body: AccountDeletionIn) -> DeletionOut:
    """Delete the account with all that is in it, for good: only its owner may, with the password once more.

    From the answer on nobody gets in, no token works, and mail to its addresses is refused; the stored bytes are
    removed soon after. The answer says what is kept.
    """
    return DeletionOut.of(await call.core.deletion.delete_own(call.actor, body.password))


@routes.get("/export", scope=OWNER, audit="account.export", query=ExportQuery, returns=Raw(("application/zip",)))
async def export_account(call: Call, query: ExportQuery) -> web.StreamResponse:
    """Everything that the account holds, as a zip file, for its owner; one at a time.

    It holds `account.json`, `users.json`, `addresses.json`, `sessions.json`, `tokens.json` (no secrets),
    `refusals.jsonl`, `audit.jsonl`, `mailbox.mbox` (the messages as received, in the form mboxrd), and of each message
    `messages/<seq>.json` and `attachments/<seq>/<name>`. What is left out, such as malware, is named in
    `NOT-INCLUDED.txt`. An archive that can be opened is complete; when the connection breaks off it is not, and has
    to be asked for again. To get a large account in parts, give a `limit`, and follow `Link: rel="next"`: each part is
    an archive of its own with the messages after the seq `after`.
    """
    with call.core.export.turn(call.actor):
        part = await call.core.export.part(call.actor, after=query.after, limit=query.limit)
        link = None
        if part.next_after is not None:
            link = f'<{call.request.rel_url.update_query(after=str(part.next_after))}>; rel="next"'
        return await send_archive(call.request, account_archive(call, part), filename="mailkeep-export.zip", link=link)
