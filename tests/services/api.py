"""A customer's program: the JSON API over aiohttp."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from services.mailkeep import Customer

PAGE: Final = 200
POLL_S: Final = 0.1


class ApiClient:
    """Calls the API as one customer; a status other than the expected one raises AssertionError with the answer."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @property
    def headers(self) -> Mapping[str, str]:
        """What it is recognised by."""
        return {"Authorization": self._session.headers["Authorization"]}

    async def call(self, method: str, path: str, *, expect: int = 200, json: object = None) -> Any:
        async with self._session.request(method, path, json=json) as response:
            body = await response.text()
            assert response.status == expect, f"{method} {path}: {response.status} {body}"
            return await response.json(content_type=None) if body else None

    async def log_in(self, email: str, password: str) -> None:
        """Later calls are made as this user."""
        answer = await self.call("POST", "/api/v1/auth/login", json={"email": email, "password": password})
        self._session.headers["Authorization"] = f"Bearer {answer['token']}"

    async def create_address(self, **wanted: str) -> dict[str, Any]:
        created: dict[str, Any] = await self.call("POST", "/api/v1/addresses", expect=201, json=wanted)
        return created

    async def messages(self) -> list[dict[str, Any]]:
        """Every message, newest first, page by page."""
        found: list[dict[str, Any]] = []
        path = f"/api/v1/messages?limit={PAGE}"
        while True:
            page = await self.call("GET", path)
            found += page["items"]
            if not page["next"]:
                return found
            path = f"/api/v1/messages?limit={PAGE}&before={page['next']}"

    async def wait_for_messages(self, count: int, *, timeout_s: float = 20) -> list[dict[str, Any]]:
        """At least `count` messages. Raises AssertionError when there are fewer when the time is up."""
        deadline = time.monotonic() + timeout_s
        while len(found := await self.messages()) < count:
            assert time.monotonic() < deadline, f"{len(found)} messages instead of {count} after {timeout_s:g} s"
            await asyncio.sleep(POLL_S)
        return found

    async def source(self, message_id: str) -> bytes:
        async with self._session.get(f"/api/v1/messages/{message_id}/source") as response:
            assert response.status == 200, await response.text()
            return await response.read()


@asynccontextmanager
async def api_client(url: str) -> AsyncIterator[ApiClient]:
    """A client that is nobody yet: see `log_in`."""
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=60)) as session:
        yield ApiClient(session)


@asynccontextmanager
async def logged_in(url: str, customer: Customer) -> AsyncIterator[ApiClient]:
    """A client that calls as a customer."""
    async with api_client(url) as client:
        await client.log_in(customer.email, customer.password)
        yield client
