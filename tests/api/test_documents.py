"""Cases 57 to 60 of the attacks: names and types that a sender chose."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from mailkeep.domain.message import Download, SafeHtml
from mailkeep_api.documents import content_disposition, download_headers, html_document, safe_filename


async def no_bytes() -> AsyncGenerator[bytes, None]:
    yield b""


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht 2026.pdf", "Übersicht 2026.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\x.exe", "x.exe"),
        ("..%2f..%2fx", "%2f..%2fx"),
        ("a\x00b\r\nSet-Cookie: c", "abSet-Cookie: c"),
        ("", "attachment"),
        (".", "attachment"),
        ("..", "attachment"),
        ("/", "attachment"),
        ("con", "_con"),
        ("COM1.txt", "_COM1.txt"),
        ("contract.txt", "contract.txt"),
        ("\u202egnp.exe", "gnp.exe"),
        ("half\ud800pair", "halfpair"),
        ("line\u2028break", "linebreak"),
    ],
)
def test_attack_058_safe_filename(sent: str, kept: str) -> None:
    assert safe_filename(sent) == kept


def test_attack_058_a_long_name_keeps_its_extension() -> None:
    assert len(safe_filename("x" * 5_000 + ".pdf")) == 150
    assert safe_filename("x" * 5_000 + ".pdf").endswith("x.pdf")
    assert len(safe_filename("x." + "y" * 5_000)) == 150


@pytest.mark.parametrize(
    ("filename", "header"),
    [
        ("report.pdf", "attachment; filename=\"report.pdf\"; filename*=UTF-8''report.pdf"),
        ("für dich.txt", "attachment; filename=\"f_r dich.txt\"; filename*=UTF-8''f%C3%BCr%20dich.txt"),
        ('a"b;c%.txt', "attachment; filename=\"a_b_c_.txt\"; filename*=UTF-8''a%22b%3Bc%25.txt"),
        ("a\r\nSet-Cookie: b", "attachment; filename=\"aSet-Cookie_ b\"; filename*=UTF-8''aSet-Cookie%3A%20b"),
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
