"""/styleguide: every token and every component in every state, for whoever works on the pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import resources
from typing import Final

from aiohttp import web

from mailkeep.domain.mailbox import Mailbox
from mailkeep.errors import NotFound
from mailkeep_web.forms import Form
from mailkeep_web.routing import Routes, session_user
from mailkeep_web.visit import Visit

routes: Final = Routes()

_FORM: Final = Form(values={"filled": "ada@example.org", "wrong": "no address"}).with_error(
    "wrong", "This is not an email address we can use. It looks like name@example.org."
)
_MOMENT: Final = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
_LONG: Final = "a-name-that-is-too-long-for-a-narrow-screen-and-has-to-break-somewhere@subdomain.example.org"


@routes.public("GET", "/styleguide", audit="page.styleguide")
async def styleguide(visit: Visit) -> web.StreamResponse:
    if not visit.settings.site.styleguide:
        raise NotFound("it is for development")
    tokens = _file("styles", "tokens.css").partition("@media")[0]
    context = {
        "user": await session_user(visit),
        "colours": re.findall(r"--([\w-]+): #", tokens),
        "sizes": re.findall(r"--text-([\w-]+):", tokens),
        "spaces": re.findall(r"--space-(\d):", tokens),
        "icons": re.findall(r'<symbol id="([\w-]+)"', _file("static", "icons.svg")),
        "form": _FORM,
        "moment_shown": _MOMENT,
        "boxes": [Mailbox(name="Ada Lovelace", address="ada@example.org"), Mailbox(name="", address=_LONG)] * 11,
        "long": _LONG,
    }
    return visit.page("styleguide.html", context)


def _file(*path: str) -> str:
    return resources.files("mailkeep_web").joinpath(*path).read_text("utf-8")
