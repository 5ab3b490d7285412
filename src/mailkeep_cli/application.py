"""The one HTTP application: the API, and the pages on top of it."""

from __future__ import annotations

from aiohttp import web

from mailkeep.bootstrap import Core
from mailkeep.config import Settings
from mailkeep_api.app import create_app
from mailkeep_web.app import add_pages


def build_application(core: Core, settings: Settings) -> web.Application:
    app = create_app(core, settings)
    add_pages(app, core, settings)
    return app
