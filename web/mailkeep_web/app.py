"""Adds the pages to the application that serves the API: one process, one port, one origin."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep_api.keys import PAGE_ERROR
from mailkeep_web.errors import page_error
from mailkeep_web.pages import (
    address,
    addresses,
    admin_accounts,
    admin_audit,
    admin_door,
    admin_tokens,
    audit,
    billing,
    deletion,
    events,
    export,
    inbox,
    landing,
    login,
    message,
    profile,
    public,
    reference,
    register,
    selected,
    sessions,
    styleguide,
    tokens,
    usage,
    well_known,
)
from mailkeep_web.rendering import TEMPLATES, Templates
from mailkeep_web.routing import bind
from mailkeep_web.static_files import StaticFiles

PAGES: Final = (
    landing, public, well_known, register, login,
    inbox, selected, events, message,
    addresses, address,
    profile, usage, sessions, export, deletion,
    tokens, audit, billing,
    admin_door, admin_accounts, admin_audit, admin_tokens,
    reference, styleguide,
)  # fmt: skip


def add_pages(app: web.Application, core: Core, settings: Settings) -> None:
    """Add every page, the static files, and how errors outside /api/ look. Call it before the application starts."""
    static = StaticFiles.load()
    app[TEMPLATES] = Templates(static.url)
    app[PAGE_ERROR] = page_error
    app[reference.REFERENCE] = reference.read_reference(app)
    app.router.add_get("/static/{name}", static.serve)
    app.router.add_get("/favicon.ico", static.favicon)
    for page in PAGES:
        for route in page.routes:
            handler = bind(route, core, settings)
            if route.method == "GET":
                app.router.add_get(route.path, handler)  # HEAD too
            else:
                app.router.add_route(route.method, route.path, handler)
