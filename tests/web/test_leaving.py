"""Taking everything along, and deleting the account."""

from __future__ import annotations

import asyncio
import io
import secrets
from collections.abc import AsyncGenerator
from zipfile import ZipFile

import pytest
from playwright.async_api import Browser, expect

from mailkeep.domain.account import Role
from mailkeep.domain.export import ExportPart, LeftOut
from mailkeep.domain.message import MessageDetail
from mailkeep.domain.scope import Actor
from mailkeep.services.account_export import AccountExport
from web.browsers import context_of, watching
from web.site import PASSWORD, Visitor, colleague_of, plain_mail

CONFIRMED = {"email": "ada@example.org", "password": PASSWORD}


async def test_the_export_page_says_what_to_expect(ada: Visitor) -> None:
    assert "0 messages" in (await ada.get("/settings/export")).text
    message = await ada.receive(plain_mail("Taken along", "x" * 5_000))
    page = await ada.get("/settings/export")
    assert "1 message, 5." in page.text
    assert message.size_bytes > 5_000
    assert 'href="/settings/export/archive"' in page.text


async def test_the_archive_is_the_apis(ada: Visitor) -> None:
    await ada.receive(plain_mail("Taken along"))
    page = await ada.get("/settings/export/archive")
    assert (page.status, page.headers["Content-Type"]) == (200, "application/zip")
    assert "mailkeep-export.zip" in page.headers["Content-Disposition"]
    archive = ZipFile(io.BytesIO(page.body))
    assert archive.testzip() is None
    assert {"account.json", "mailbox.mbox", "messages/1.json"} <= set(archive.namelist())
    assert b"Taken along" in archive.read("mailbox.mbox")


async def test_one_export_at_a_time_and_the_page_says_how_far_it_is(ada: Visitor) -> None:
    for number in range(4):
        await ada.receive(plain_mail(f"Mail {number}"))
    export, actor = ada.world.core.export, await ada.actor()
    with export.turn(actor):
        part = await export.part(actor, after=0, limit=None)
        messages = export.messages(actor, part, LeftOut())
        seen = [export.progress(actor) async for _ in messages]
        assert seen == [0.5, 0.625, 0.75, 0.875]
        page = await ada.get("/settings/export")
        assert "Writing the archive: 87 %" in page.text
        assert (await ada.get("/settings/export/archive")).status == 429
        assert await _events(ada, until=b"event: progress") == ["progress 87"]
    assert export.progress(actor) is None
    assert "Writing the archive" not in (await ada.get("/settings/export")).text


async def test_the_stream_of_progress_ends_with_the_export(ada: Visitor) -> None:
    export, actor = ada.world.core.export, await ada.actor()
    with export.turn(actor):
        reading = asyncio.create_task(_events(ada, until=b"event: end"))
        await asyncio.sleep(0.5)
    assert await asyncio.wait_for(reading, 10) == ["progress 0", "end begun"]


async def test_only_the_owner_takes_it_along_or_deletes(ada: Visitor) -> None:
    for role in (Role.MEMBER, Role.VIEWER):
        async with colleague_of(ada, role) as colleague:
            for path in ("/settings/export", "/settings/export/archive", "/settings/export/events", "/settings/delete"):
                assert (await colleague.get(path)).status == 403, path
            assert (await colleague.post("/settings/delete", CONFIRMED)).status == 403
            assert 'href="/settings/export"' not in (await colleague.get("/settings")).text
    assert (await ada.get("/settings")).status == 200


@pytest.mark.parametrize(
    ("form", "field", "text"),
    [
        ({**CONFIRMED, "email": "bob@example.org"}, "email", "Type the email address of the account"),
        ({**CONFIRMED, "password": "not her password"}, "password", "This is not your password."),
        ({**CONFIRMED, "password": "x" * 2_000}, "password", "This is not your password."),
    ],
)
async def test_a_deletion_that_is_not_confirmed(ada: Visitor, form: dict[str, str], field: str, text: str) -> None:
    page = await ada.post("/settings/delete", form)
    assert (page.status, page.value_of("email")) == (422, form["email"])
    assert text in page.error_of(field)
    assert form["password"] not in page.text
    assert (await ada.get("/settings")).status == 200


async def test_attack_092_guessing_before_a_deletion_is_slowed(ada: Visitor) -> None:
    wrong = {**CONFIRMED, "password": "not her password"}
    assert [(await ada.post("/settings/delete", wrong)).status for _ in range(5)] == [422] * 5
    page = await ada.post("/settings/delete", CONFIRMED)
    assert (page.status, page.headers["Retry-After"]) == (429, "1")


async def test_a_deleted_account_is_gone_with_a_receipt(ada: Visitor) -> None:
    await ada.receive(plain_mail("Gone"))
    account_id = (await ada.actor()).account_id
    page = await ada.get("/settings/delete")
    for text in ("1 message", "What is kept", "The names of the addresses, so that nobody else is ever given one"):
        assert text in page.text
    page = await ada.post("/settings/delete", {**CONFIRMED, "email": "Ada@example.org"})
    assert page.status == 200
    assert "Max-Age=0" in page.set_cookie
    for text in ("The account is deleted", "Receipt", account_id or "?", "<dt>Messages</dt><dd>1</dd>"):
        assert text in page.text
    assert (await ada.get("/settings")).status == 303
    assert (await ada.post("/login", CONFIRMED)).status == 401


async def test_the_export_is_downloaded_in_a_browser(
    chromium: Browser, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the page says how far it is. It is slowed down here, so that there is something to see."""
    for number in range(3):  # more than the browser has to wait for before it knows that this is a download
        await ada.receive(plain_mail(f"Mail {number}", f"{secrets.token_hex(70_000)}\r\n"))
    go_on = _held_half_way(monkeypatch)
    async with context_of(chromium, ada) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            await page.goto(f"{ada.world.url}/settings/export")
            async with page.expect_download() as begun:
                await page.get_by_role("link", name="Download the export").click()
                await expect(page.get_by_text("Writing the archive: 33 %")).to_be_visible()
                assert await page.locator("progress").evaluate("bar => bar.value") == 33
                go_on.set()
            await expect(page.get_by_text("The export has ended")).to_be_visible()
            assert await page.evaluate("document.activeElement.id") == "download"
            download = await begun.value
            assert download.suggested_filename == "mailkeep-export.zip"
            with ZipFile(await download.path()) as archive:
                assert archive.testzip() is None
                assert "messages/3.json" in archive.namelist()
    assert (watch.foreign(), watch.dialogs) == ([], [])
    assert watch.console == []


async def _events(visitor: Visitor, *, until: bytes) -> list[str]:
    """Names and data of the events, up to the first of that name."""
    url = f"{visitor.world.url}/settings/export/events"
    seen: list[str] = []
    async with visitor.client.get(url, headers={"Accept": "text/event-stream"}) as answer:
        assert answer.status == 200
        name = ""
        async for line in answer.content:
            key, _, value = line.decode().rstrip().partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                seen.append(f"{name} {value}")
                if f"event: {name}".encode() == until:
                    break
    return seen


def _held_half_way(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The real export, which waits half way until it is told to go on."""
    go_on, messages = asyncio.Event(), AccountExport.messages

    async def held(
        self: AccountExport, actor: Actor, part: ExportPart, left_out: LeftOut
    ) -> AsyncGenerator[MessageDetail, None]:
        await asyncio.wait_for(go_on.wait(), 30)
        async for message in messages(self, actor, part, left_out):
            yield message

    monkeypatch.setattr(AccountExport, "messages", held)
    return go_on
