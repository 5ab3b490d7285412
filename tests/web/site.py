"""The pages over a real core, on a real socket, and a browser's manners without a browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from api.world import World, fresh_core, settings_in, world_of
from mailkeep.config import Settings
from mailkeep.domain.account import Role
from mailkeep.domain.address import Address
from mailkeep.domain.ids import new_id
from mailkeep.domain.message import MessageQuery, MessageSummary, Transport
from mailkeep.domain.scope import Actor
from mailkeep.services.ingest import AcceptedRecipient, Incoming
from mailkeep.storage import users
from mailkeep_api.app import create_app
from mailkeep_web.app import add_pages

PASSWORD = "a quiet river bends twice"


@dataclass(frozen=True)
class Page:
    """A response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    set_cookie: str

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        return self.headers["Location"]

    def value_of(self, field: str) -> str:
        """What stands in an input of the page."""
        (tag,) = re.findall(rf'<input\b[^>]*\bname="{field}"[^>]*>', self.text)
        found = re.search(r'\bvalue="([^"]*)"', tag)
        return unescape(found[1]) if found else ""

    def error_of(self, field: str) -> str:
        """What the page says is wrong with an input; it must be tied to it for those who cannot see it."""
        found = re.search(rf'<p class="error" id="{field}-error">.*?<span>(.*?)</span></p>', self.text, re.DOTALL)
        assert found, self.text
        assert re.search(rf'<input\b[^>]*\baria-describedby="[^"]*{field}-error', self.text)
        return unescape(found[1])


@dataclass(frozen=True)
class Visitor:
    """Somebody with a cookie jar, who sends forms as a browser does."""

    world: World
    client: aiohttp.ClientSession

    async def get(self, path: str, **options: Any) -> Page:
        return await self._ask("GET", path, **options)

    async def post(self, path: str, form: Mapping[str, str] | None = None, **options: Any) -> Page:
        headers = options.pop("headers", {"Origin": self.world.url})
        return await self._ask("POST", path, data=form or {}, headers=headers, **options)

    async def _ask(self, method: str, path: str, **options: Any) -> Page:
        url = URL(self.world.url + path, encoded=True)
        async with self.client.request(method, url, allow_redirects=False, **options) as answer:
            cookie = answer.headers.get("Set-Cookie", "")
            return Page(answer.status, answer.headers.copy(), await answer.read(), cookie)

    async def register(self, email: str) -> None:
        """And log in."""
        form = {"email": email, "password": PASSWORD}
        page = await self.post("/register", form)
        assert (page.status, page.location) == (303, "/login?done=registered"), page.text
        page = await self.post("/login", form)
        assert (page.status, page.location) == (303, "/inbox"), page.text

    @property
    def token(self) -> str:
        (cookie,) = self.client.cookie_jar
        return cookie.value

    async def actor(self) -> Actor:
        return await self.world.core.sessions.actor(self.token)

    async def address(self) -> Address:
        """The address that was made last."""
        addresses, _ = await self.world.core.addresses.list(await self.actor())
        return addresses[0]

    async def receive(self, source: bytes, *, tag: str | None = None) -> MessageSummary:
        """Put a mail in as the receiver does, and find it."""
        address = await self.address()
        local_part, _, domain = address.address.partition("@")
        given = f"{local_part}+{tag}@{domain}" if tag else address.address
        recipient = AcceptedRecipient(address=given, tag=tag, recipient=await self.world.recipient(address.address))
        transport = Transport(
            client_ip="192.0.2.7", client_name="mx.example.org", helo="mx.example.org", protocol="LMTP"
        )
        incoming = Incoming(mail_from="sender@example.org", recipients=(recipient,), transport=transport)
        async with self.world.core.ingest.begin(incoming) as delivery:
            await delivery.feed(source)
            assert await delivery.finish() == [None]
        messages, _ = await self.world.core.inbox.list(await self.actor(), MessageQuery(limit=1))
        return messages[0]


@asynccontextmanager
async def open_site(settings: Settings) -> AsyncIterator[World]:
    """Everything that `mailkeep api` serves."""
    async with fresh_core(settings) as core:
        app = create_app(core, settings)
        add_pages(app, core, settings)
        async with world_of(core, app) as world:
            yield world


@asynccontextmanager
async def colleague_of(owner: Visitor, role: Role) -> AsyncIterator[Visitor]:
    """Somebody else of the same account, logged in."""
    core = owner.world.core
    user = replace(
        await core.accounts.user(await owner.actor()), id=new_id(), email=f"{role.value}@example.org", role=role
    )
    async with core.database.write() as connection:
        await users.add(connection, user, password_hash="nobody logs in with this")
    async with visitor_of(owner.world) as visitor:
        session = await core.sessions.open(user)
        visitor.client.cookie_jar.update_cookies({"mailkeep": session.token}, URL(owner.world.url))
        yield visitor


@asynccontextmanager
async def visitor_of(world: World) -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield Visitor(world, client)


def site_settings(directory: Path, **sections: Any) -> Settings:
    return settings_in(directory, **sections)


def plain_mail(subject: str, text: str = "Hello.\r\n") -> bytes:
    return f"From: Shop <shop@example.org>\r\nTo: you@mail.test\r\nSubject: {subject}\r\n\r\n{text}".encode()


def html_mail(html: str, subject: str = "Hostile") -> bytes:
    return (
        f"From: Shop <shop@example.org>\r\nTo: you@mail.test\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/html; charset=utf-8\r\n\r\n{html}"
    ).encode()


def mail_with_file(name: str, media_type: str, content: str) -> bytes:
    return (
        "From: Shop <shop@example.org>\r\nTo: you@mail.test\r\nSubject: With a file\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
        f'--b\r\nContent-Type: {media_type}\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
        f"{content}\r\n--b--\r\n"
    ).encode()
