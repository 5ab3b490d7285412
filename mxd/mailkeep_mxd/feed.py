"""Where recipients come from: the API's feed over HTTP, or core itself when it lives in the same process."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiohttp
from pydantic import TypeAdapter, ValidationError

from mailkeep.config import Recipients
from mailkeep.domain.recipient import Recipient, RecipientChanges
from mailkeep.domain.scope import Actor, Scope
from mailkeep.errors import ConfigurationError, MailkeepError
from mailkeep.services.recipients import RecipientsFeed

# Rows that the API makes at one go: its loop serves nobody else for so long, about 40 ms.
PAGE_ROWS: Final = 2000
PATH: Final = "/api/internal/recipients"
MAX_PAGE_BYTES: Final = 16 * 1024 * 1024


class FeedUnavailable(Exception):
    """No answer that can be believed. `reason` is a constant for the log; `is_fault` when somebody must act."""

    def __init__(self, reason: str, *, is_fault: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_fault = is_fault


class RecipientSource(Protocol):
    """What the follower of the feed needs. `is_remote`: whether it can be away when this process starts."""

    is_remote: bool

    async def changes(self, after: int, *, wait_s: float) -> RecipientChanges:
        """A page of changes after a cursor, waiting for the first one. Raises FeedUnavailable."""
        ...


class LocalSource:
    """Core in the same process (`mailkeep serve`)."""

    is_remote = False

    def __init__(self, feed: RecipientsFeed) -> None:
        self._feed = feed
        self._actor = Actor(scopes=frozenset({Scope.POLICY}))

    async def changes(self, after: int, *, wait_s: float) -> RecipientChanges:
        try:
            return await self._feed.changes(self._actor, after, wait_s=wait_s, limit=PAGE_ROWS)
        except MailkeepError as error:
            raise FeedUnavailable(type(error).__name__, is_fault=False) from error


@dataclass(frozen=True, slots=True)
class _Page:
    """The body of an answer: `{"items": [...], "cursor": 1, "more": false}`."""

    items: tuple[Recipient, ...]
    cursor: int
    more: bool


_PAGE: Final = TypeAdapter(_Page)


class HttpSource:
    """`GET /api/internal/recipients` with a `policy` token."""

    is_remote = True

    def __init__(self, client: aiohttp.ClientSession, settings: Recipients) -> None:
        self._client = client
        self._url = settings.api_url.rstrip("/") + PATH
        self._timeout_s = settings.timeout_s
        self._headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}", "Accept": "application/json"}

    async def changes(self, after: int, *, wait_s: float) -> RecipientChanges:
        query = {"after": str(after), "wait": f"{wait_s:g}", "limit": str(PAGE_ROWS)}
        timeout = aiohttp.ClientTimeout(total=wait_s + self._timeout_s, sock_connect=self._timeout_s)
        try:
            # A redirect would carry the token to wherever it points.
            async with self._client.get(
                self._url, params=query, headers=self._headers, timeout=timeout, allow_redirects=False
            ) as response:
                return await _read_page(response)
        except aiohttp.ClientSSLError as error:
            raise FeedUnavailable("tls", is_fault=True) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FeedUnavailable(type(error).__name__, is_fault=False) from error


@asynccontextmanager
async def open_http_source(settings: Recipients) -> AsyncIterator[HttpSource]:
    """The feed over HTTP, with one connection pool. Raises ConfigurationError for an URL or token that cannot work."""
    check_api_url(settings.api_url)
    if not settings.token.get_secret_value():
        raise ConfigurationError("recipients.token is empty: make one with `mailkeep token create --scope policy`")
    async with aiohttp.ClientSession() as client:
        yield HttpSource(client, settings)


def check_api_url(url: str) -> None:
    """The token must not travel in the clear: https, unless it stays on this machine. Raises ConfigurationError."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigurationError(f"recipients.api_url is {url!r}: write https://host or http://127.0.0.1:8080")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(f"recipients.api_url is {url!r}: it must be https, or an address of this machine")


def is_loopback(host: str) -> bool:
    """Whether a host of a setting is this machine; names other than localhost are not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _read_page(response: aiohttp.ClientResponse) -> RecipientChanges:
    if response.status in {401, 403}:
        raise FeedUnavailable("not_authorised", is_fault=True)
    if response.status != 200:
        raise FeedUnavailable(f"status_{response.status}", is_fault=response.status < 500)
    if response.content_type != "application/json":
        raise FeedUnavailable("not_json", is_fault=True)
    try:
        page = _PAGE.validate_json(await _read_limited(response), strict=True)
    except ValidationError as error:
        raise FeedUnavailable("not_a_page", is_fault=True) from error
    if page.cursor < 0:
        raise FeedUnavailable("not_a_page", is_fault=True)
    return RecipientChanges(page.items, cursor=page.cursor, more=page.more)


async def _read_limited(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        body += piece
        if len(body) > MAX_PAGE_BYTES:
            raise FeedUnavailable("page_too_large", is_fault=True)
    return bytes(body)
