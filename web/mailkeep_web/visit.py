"""One request to a page: what its handler may use, and the answers it can give."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep.domain.audit import Origin
from mailkeep.domain.scope import Actor
from mailkeep_api.ids import is_id
from mailkeep_api.keys import ORIGIN
from mailkeep_api.problems import MALFORMED, RequestProblem
from mailkeep_web.rendering import TEMPLATES

MAX_SEQ: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Visit:
    """A request by anybody."""

    request: web.Request
    core: Core
    settings: Settings

    @property
    def origin(self) -> Origin:
        """Where it comes from, for the audit log."""
        return self.request[ORIGIN]

    def page(self, template: str, context: Mapping[str, object], *, status: int = 200) -> web.Response:
        """A whole page, or a part of one, from the template of that name."""
        shared = {
            "settings": self.settings,
            "path": self.request.path,
            "user": None,
            "scopes": frozenset(),
            "usage_notices": (),
        }
        return self.request.app[TEMPLATES].response(template, {**shared, **context}, status=status)

    def seq(self, name: str) -> int | None:
        """A query parameter that is a message's seq. Raises RequestProblem (400)."""
        text = self.request.query.get(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_SEQ):
            raise RequestProblem(MALFORMED)
        return int(text)

    def id(self, name: str) -> str | None:
        """A query parameter that is an id. Raises RequestProblem (400)."""
        text = self.request.query.get(name)
        if text is not None and not is_id(text):
            raise RequestProblem(MALFORMED)
        return text


@dataclass(frozen=True, slots=True)
class MemberVisit(Visit):
    """A request by somebody who is logged in."""

    actor: Actor
    token: str

    async def member_page(self, template: str, context: Mapping[str, object], *, status: int = 200) -> web.Response:
        """A page that says who is logged in, and shows no form that the person's role may not send.

        Made in a thread: a message can have a thousand parts to show.
        """
        shown = {
            **context,
            "user": await self.core.accounts.user(self.actor),
            "scopes": self.actor.scopes,
            "usage_notices": await self.core.usage.notices(self.actor),
        }
        return await asyncio.to_thread(self.page, template, shown, status=status)


@dataclass(frozen=True, slots=True)
class AdminVisit(Visit):
    """A request by whoever holds a service token of the scope `admin`."""

    actor: Actor

    def admin_page(self, template: str, context: Mapping[str, object], *, status: int = 200) -> web.Response:
        return self.page(template, {**context, "is_admin": True}, status=status)


def see_other(path: str) -> web.Response:
    """After a form was taken, the browser fetches the page that shows the result (RFC 9110 section 15.4.4)."""
    return web.Response(status=303, headers={"Location": path})
