"""Customers' mail as a browser gets it: never as something of ours, never as something that runs.

The pages use these too, so that one rule holds for both doors.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from aiohttp import web

from mailkeep.domain.message import Download, SafeHtml
from mailkeep.mail.attachments import media_type
from mailkeep.mail.filenames import safe_name
from mailkeep_api.etags import has_already, not_modified
from mailkeep_api.headers import HOSTILE_CONTENT_CSP

HOSTILE_CONTENT_HEADERS: Final = {
    "Content-Security-Policy": HOSTILE_CONTENT_CSP,
    # HTML refuses a sandboxed top-level document under any other opener policy.
    "Cross-Origin-Opener-Policy": "unsafe-none",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def html_document(safe: SafeHtml) -> web.Response:
    """The sanitised HTML as a document of its own, for a sandboxed frame on our pages.

    The body is exactly what the sanitiser gave: nothing may rewrite it after that.
    """
    document = (
        '<!doctype html>\n<html lang="">\n<head><meta charset="utf-8"><title>Message</title></head>\n'
        f"<body>\n{safe.html}\n</body>\n</html>\n"
    )
    headers = {**HOSTILE_CONTENT_HEADERS, "X-Frame-Options": "SAMEORIGIN"}
    return web.Response(text=document, content_type="text/html", charset="utf-8", headers=headers)


def text_document(text: str) -> web.Response:
    """Text of a message, or its HTML as received: shown as what it is, rendered by nobody."""
    return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=HOSTILE_CONTENT_HEADERS)


async def send_download(request: web.Request, download: Download) -> web.StreamResponse:
    """Stream a file out, to be saved and never shown; 304 when the client has it already.

    The first bytes are read before the answer begins, so that a file that is not there is an error and no empty
    file. When it fails later the connection is broken off: the client sees fewer bytes than were announced.
    Raises StorageUnavailable.
    """
    response = web.StreamResponse(headers=download_headers(download))
    etag = download.digest[:32]
    async with aclosing(download.chunks) as chunks:
        if etag and has_already(request, etag):
            return not_modified(etag, response)
        first = await anext(chunks, b"")
        response.etag = etag or None
        response.content_length = download.size_bytes
        await response.prepare(request)
        if request.method != "HEAD":
            await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
        await response.write_eof()
    return response


async def send_archive(
    request: web.Request, chunks: AsyncGenerator[bytes, None], *, filename: str, link: str | None = None
) -> web.StreamResponse:
    """Stream a zip file of unknown size out. When it fails half way the connection is broken off."""
    headers = {
        **HOSTILE_CONTENT_HEADERS,
        "Content-Disposition": content_disposition(filename),
        "Content-Type": "application/zip",
    }
    response = web.StreamResponse(headers={**headers, "Link": link} if link is not None else headers)
    async with aclosing(chunks):
        first = await anext(chunks, b"")
        await response.prepare(request)
        if request.method != "HEAD":
            await response.write(first)
            async for chunk in chunks:
                await response.write(chunk)
        await response.write_eof()
    return response


def download_headers(download: Download) -> dict[str, str]:
    return {
        **HOSTILE_CONTENT_HEADERS,
        "Accept-Ranges": "none",
        "Content-Disposition": content_disposition(download.filename),
        "Content-Type": media_type(download.media_type),
    }


def content_disposition(filename: str) -> str:
    """`attachment` with the name twice: for old clients in ASCII, and as it is (RFC 6266 section 4.3, RFC 8187)."""
    name = safe_name(filename)
    fallback = re.sub(r"[^A-Za-z0-9 !#$&+\-.^_{}~()\[\]=,@]", "_", name)
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(name, safe='')}"
