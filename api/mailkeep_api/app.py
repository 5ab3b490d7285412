"""The application: the API's routes, and the plumbing that the pages share with it."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep_api.cors import cors, say_allowed
from mailkeep_api.description.document import openapi_document
from mailkeep_api.dispatch import handler_of
from mailkeep_api.edge import edge
from mailkeep_api.headers import secure_headers
from mailkeep_api.internal import recipients, refusals
from mailkeep_api.keys import CORE, OPENAPI, SETTINGS, STOPPING
from mailkeep_api.noting import note_stream
from mailkeep_api.rates.admission import open_admission, say_standing
from mailkeep_api.routes import (
    account,
    addresses,
    admin,
    audit,
    auth,
    billing,
    events,
    health,
    messages,
    reference,
    tokens,
    usage,
)
from mailkeep_api.routing import Route

ROUTES: Final[tuple[Route, ...]] = (
    *auth.routes,
    *account.routes,
    *usage.routes,
    *addresses.routes,
    *messages.routes,
    *events.routes,
    *tokens.routes,
    *audit.routes,
    *billing.routes,
    *admin.routes,
    *reference.routes,
    *reference.problem_routes,
    *recipients.routes,
    *refusals.routes,
    *health.routes,
)


def create_app(core: Core, settings: Settings) -> web.Application:
    """The API as an application that has not started.

    A room that shares the process adds its own routes and middlewares to what this returns, reads `CORE` and
    `SETTINGS`, and sets `PAGE_ERROR` to show errors outside /api/ in its own way (see `keys`).
    """
    app = web.Application(middlewares=[edge, cors], client_max_size=settings.http.max_body_bytes)
    app[CORE] = core
    app[SETTINGS] = settings
    app[STOPPING] = asyncio.Event()
    app[OPENAPI] = json.dumps(openapi_document(ROUTES, server_url=settings.public_url)).encode()
    app.on_response_prepare.append(secure_headers(https=settings.public_url.startswith("https://")))
    app.on_response_prepare.append(say_standing)
    app.on_response_prepare.append(note_stream)
    app.on_response_prepare.append(say_allowed)
    app.cleanup_ctx.append(open_admission)
    app.on_shutdown.append(_say_that_we_stop)
    for route in ROUTES:
        _add(app, route)
    return app


def _add(app: web.Application, route: Route) -> None:
    if route.method == "GET":
        app.router.add_get(route.path, handler_of(route))  # HEAD as well
    else:
        app.router.add_route(route.method, route.path, handler_of(route))


async def _say_that_we_stop(app: web.Application) -> None:
    app[STOPPING].set()
