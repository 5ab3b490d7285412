"""Cases 55, 57 and 60 of the attacks: files that would be something else than files."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.async_api import Browser

from mailkeep_api.documents import HOSTILE_CONTENT_HEADERS
from web.browsers import context_of, watching
from web.site import Page, Visitor, html_mail, mail_with_file

SCRIPT = b"alert(1)"
HTML = b"<!doctype html><html><body><script>alert(1)</script></body></html>"
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
XHTML = b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>alert(1)</script></html>"
PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF\n"
GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
ACTIVE = {
    *("text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf", "text/xml", "application/xml"),
    *("text/javascript", "application/javascript", "text/css", "multipart/related", "message/rfc822"),
}


def mail_with(media_type: bytes, content: bytes, name: bytes = b"file") -> bytes:
    return (
        b"From: a@example.org\r\nTo: you@mail.test\r\nSubject: With a file\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n"
        b"--b\r\nContent-Type: " + media_type + b"\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="'
        + name
        + b'"\r\n\r\n'
        + base64.encodebytes(content).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )


async def attachment_path(visitor: Visitor, source: bytes) -> str:
    message = await visitor.receive(source)
    page = await visitor.get(f"/messages/{message.id}?tab=attachments")
    (path,) = re.findall(r'href="(/messages/[^"]+/attachments/[^"/.]+)"', page.text)
    return str(path)


def assert_saved_and_never_shown(answer: Page) -> None:
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert {name: answer.headers[name] for name in HOSTILE_CONTENT_HEADERS} == HOSTILE_CONTENT_HEADERS
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].partition(";")[0] not in ACTIVE
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        (b"text/html", HTML),
        (b"text/html; charset=utf-7", b"+ADw-script+AD4-alert(1)+ADw-/script+AD4-"),
        (b"image/svg+xml", SVG),
        (b"application/xhtml+xml", XHTML),
        (b"application/pdf", PDF),
        (b"text/xml", SVG),
        (b"application/xml", XHTML),
        (b"text/javascript", SCRIPT),
        (b"text/css", b"*{background:url(https://evil.test/)}"),
        (b"application/x-shockwave-flash", b"FWS\x06" + HTML),
        (b"image/png", HTML),
        (b"image/gif", SVG),
        (b"application/zip", HTML),
        (b"text/html", GIF + b"/*" + HTML),
        (b"text/html", PNG + HTML),
        (b"application/pdf", b"<script>alert(1)</script>\n" + PDF),
        (b"text/html", PDF + HTML),
        (b"image/svg+xml", PNG + SVG),
        (b"unknown/unknown", HTML),
        (b"", HTML),
        (b"*/*", HTML),
    ],
)
async def test_attack_057_active_files_are_bytes(ada: Visitor, declared: bytes, content: bytes) -> None:
    answer = await ada.get(await attachment_path(ada, mail_with(declared, content)))
    assert_saved_and_never_shown(answer)
    assert answer.body == content
    assert answer.headers["Content-Type"] in {"application/octet-stream", "text/plain"}


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        (b"image/gif", GIF + b"/*" + HTML),
        (b"image/gif", b"GIF89a=1;" + SCRIPT),
        (b"image/png", PNG + HTML),
        (b"text/plain", HTML),
        (b"text/plain", SCRIPT),
        (b"application/octet-stream", HTML),
    ],
)
async def test_attack_057_what_looks_harmless_is_not_sniffed(ada: Visitor, declared: bytes, content: bytes) -> None:
    answer = await ada.get(await attachment_path(ada, mail_with(declared, content)))
    assert_saved_and_never_shown(answer)
    assert answer.body == content


@pytest.mark.parametrize(
    "declared",
    [
        b"text/html\r\n Set-Cookie: a=b",
        b"text/html\r\n\tSet-Cookie: a=b",
        b"text/html\rSet-Cookie: a=b",
        b"text/html\nSet-Cookie: a=b",
        b'text/html;\r\n charset="x\r\n Set-Cookie: a=b"',
        b"text/html; charset*=utf-8''x%0d%0aSet-Cookie:%20a=b",
        b"=?utf-8?q?text/html=0D=0ASet-Cookie:_a=3Db?=",
        b"text/html%0d%0aSet-Cookie:%20a=b",
        b"text/html\x00Set-Cookie: a=b",
        b"text/html\xe5\x98\x8a\xe5\x98\x8dSet-Cookie: a=b",
        b"text/\xc4\x8a\xc4\x8dhtml",
        b"text/html text/plain",
        b"text/plain, text/html",
        b"text/" + b"x" * 5_000,
    ],
)
async def test_attack_060_no_type_becomes_another_header(ada: Visitor, declared: bytes) -> None:
    answer = await ada.get(await attachment_path(ada, mail_with(declared, HTML)))
    assert_saved_and_never_shown(answer)
    assert answer.headers["Content-Type"] in {"application/octet-stream", "text/plain"}


@pytest.mark.parametrize(
    "name",
    [
        b"x\r\n Set-Cookie: a=b",
        b"=?utf-8?q?x=0D=0ASet-Cookie:_a=3Db?=",
        b"x%0d%0aSet-Cookie: a=b",
        b'x\\"; filename=\\"y.html',
    ],
)
async def test_attack_060_no_name_becomes_another_header(ada: Visitor, name: bytes) -> None:
    answer = await ada.get(await attachment_path(ada, mail_with(b"application/octet-stream", HTML, name)))
    assert_saved_and_never_shown(answer)
    assert answer.headers["Content-Disposition"].count('filename="') == 1


# As if somebody had brought a script element into our own page, whose policy allows scripts of ours.
FETCH_AS_SCRIPT = """path => new Promise(resolve => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = () => resolve("ran");
    script.onerror = () => resolve("refused");
    document.head.append(script);
})"""


async def test_attack_055_an_attachment_is_nobodys_script(chromium: Browser, ada: Visitor) -> None:
    path = await attachment_path(ada, mail_with_file("evil.js", "text/javascript", "alert(1)"))
    message = await ada.receive(
        html_mail(
            f"<p>Visible text</p><script src='{path}'></script><link rel=stylesheet href='{path}'>"
            f"<iframe src='{path}'></iframe><object data='{path}'></object><embed src='{path}'><img src='{path}'>"
            f"<svg><script href='{path}'></script><use href='{path}#x'/></svg><a href='{path}'>link</a>"
        )
    )
    async with context_of(chromium, ada) as context:
        with watching(context, ada.world.url) as watch:
            page = await context.new_page()
            for shown in (f"/messages/{message.id}", f"/messages/{message.id}/html"):
                await page.goto(ada.world.url + shown)
                await page.wait_for_timeout(300)
            assert not [url for url in watch.requests if "/attachments/" in url]
            assert (watch.dialogs, watch.console, watch.foreign()) == ([], [], [])
            assert await page.locator("a[href]").count() == 0

            await page.goto(f"{ada.world.url}/messages/{message.id}")
            assert await page.evaluate(FETCH_AS_SCRIPT, path) == "refused"
            assert watch.requests[-1].endswith(path)
            assert watch.dialogs == []
