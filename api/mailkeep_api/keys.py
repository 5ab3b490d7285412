"""What an application and a request carry, by typed key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep.domain.audit import Origin
from mailkeep.domain.scope import Actor
from mailkeep_api.problems import Problem

PageError = Callable[[web.Request, Problem], Awaitable[web.StreamResponse]]

CORE: Final = web.AppKey("core", Core)
SETTINGS: Final = web.AppKey("settings", Settings)
# Set when the server begins to stop: whoever waits inside a request answers at once.
STOPPING: Final = web.AppKey("stopping", asyncio.Event)
# How a room of pages shows an error outside /api/; without it, every error is problem+json.
PAGE_ERROR: Final[web.AppKey[PageError]] = web.AppKey("page_error")
OPENAPI: Final = web.AppKey("openapi", bytes)

REQUEST_ID: Final = web.RequestKey("request_id", str)
ACTION: Final = web.RequestKey("action", str)  # what the audit log calls what is being done
ORIGIN: Final = web.RequestKey("origin", Origin)
ACTOR: Final = web.RequestKey("actor", Actor)
