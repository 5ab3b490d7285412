"""Cases 57 to 60 of the attacks: names and types that a sender chose."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from urllib.parse import unquote

import pytest

from hostile_names import HOSTILE_NAMES, HostileName
from mailkeep.domain.message import Download, SafeHtml
from mailkeep_api.documents import content_disposition, download_headers, html_document


async def no_bytes() -> AsyncGenerator[bytes, None]:
    yield b""


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=str)
def test_attack_058_a_header_holds_the_safe_name_and_nothing_else(name: HostileName) -> None:
    header = content_disposition(name.sent)
    assert re.fullmatch(r"attachment; filename=\"[ !#-\[\]-~]+\"; filename\*=UTF-8''[A-Za-z0-9._~%\-]+", header)
    assert unquote(header.rpartition("''")[2]) == name.saved


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("report.pdf", "attachment; filename=\"report.pdf\"; filename*=UTF-8''report.pdf"),
        ("für dich.txt", "attachment; filename=\"f_r dich.txt\"; filename*=UTF-8''f%C3%BCr%20dich.txt"),
        ('a"b;c%.txt', "attachment; filename=\"a_b_c_.txt\"; filename*=UTF-8''a_b%3Bc%25.txt"),
        ("a\r\nSet-Cookie: b", "attachment; filename=\"aSet-Cookie_ b\"; filename*=UTF-8''aSet-Cookie_%20b"),
    ],
)
def test_content_disposition(filename: str, header: str) -> None:
    assert content_disposition(filename) == header


@pytest.mark.parametrize(
    ("media_type", "served"),
    [
        ("image/png", "image/png"),
        ("text/html\r\nSet-Cookie: a=b", "application/octet-stream"),
        ("text/html; charset=utf-8", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("image", "application/octet-stream"),
    ],
)
def test_attack_060_media_type(media_type: str, served: str) -> None:
    download = Download(chunks=no_bytes(), size_bytes=0, filename="x", media_type=media_type)
    assert download_headers(download)["Content-Type"] == served


def test_the_document_is_what_the_sanitiser_gave() -> None:
    response = html_document(SafeHtml(html="<p>\N{SNOWMAN}</p>", removed={}))
    assert response.text is not None
    assert "<body>\n<p>\N{SNOWMAN}</p>\n</body>" in response.text
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
