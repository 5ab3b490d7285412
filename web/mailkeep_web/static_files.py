"""Style sheet, scripts and icons: read once at start, addressed by their content, cached by browsers for a year."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from aiohttp import hdrs, web

STYLE_SHEET: Final = "mailkeep.css"
# The style sheet is these files of `styles/`, one after the other: later rules win over earlier ones.
STYLES: Final = (
    "tokens", "elements", "bar", "forms", "columns", "landing", "sample", "public",
    "inbox", "selection", "message", "structure", "hops", "panes",
    "addresses", "account", "usage", "records",
    "reference", "media",
)  # fmt: skip
# So is the script of the inbox and of a message: files of `scripts/`, none of which needs another to be loaded first.
INBOX_SCRIPT: Final = "inbox.js"
INBOX_SCRIPTS: Final = ("live", "reader", "selection", "older", "keys", "suggest", "notify")
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".LICENSE": "text/plain; charset=utf-8",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_A_WHILE: Final = "public, max-age=300"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file: its bytes, the same compressed, and a name for exactly this content."""

    content: bytes
    compressed: bytes
    media_type: str
    version: str


class StaticFiles:
    """The style sheet and the static directory's files, in memory: a name that is not there leads nowhere else."""

    def __init__(self, files: Mapping[str, StaticFile]) -> None:
        self._files = files

    @classmethod
    def load(cls) -> StaticFiles:
        package = resources.files("mailkeep_web")
        contents = {entry.name: entry.read_bytes() for entry in (package / "static").iterdir()}
        contents[STYLE_SHEET] = b"\n".join((package / "styles" / f"{name}.css").read_bytes() for name in STYLES)
        contents[INBOX_SCRIPT] = b"\n".join((package / "scripts" / f"{name}.js").read_bytes() for name in INBOX_SCRIPTS)
        return cls({name: _static_file(name, content) for name, content in contents.items()})

    def url(self, name: str) -> str:
        """Where browsers find a file; the address changes with the content."""
        return f"/static/{name}?v={self._files[name].version}"

    async def serve(self, request: web.Request) -> web.Response:
        return self._answer(request, request.match_info["name"])

    async def favicon(self, request: web.Request) -> web.Response:
        """Browsers ask for it on their own, also while they show a document that names no icon."""
        return self._answer(request, "favicon.svg")

    def _answer(self, request: web.Request, name: str) -> web.Response:
        file = self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        etag = f'"{file.version}"'
        headers = {
            hdrs.CACHE_CONTROL: _FOREVER if request.query.get("v") == file.version else _A_WHILE,
            hdrs.ETAG: etag,
            hdrs.VARY: "Accept-Encoding",
            hdrs.CONTENT_TYPE: file.media_type,
        }
        if request.headers.get(hdrs.IF_NONE_MATCH) == etag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            return web.Response(body=file.compressed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})
        return web.Response(body=file.content, headers=headers)


def _static_file(name: str, content: bytes) -> StaticFile:
    return StaticFile(
        content=content,
        compressed=gzip.compress(content, mtime=0),
        media_type=_TYPES["." + name.rpartition(".")[2]],
        version=hashlib.sha256(content).hexdigest()[:16],
    )
