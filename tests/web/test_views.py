"""What the page of a message shows of it: who wrote it, the way it took, what it is made of, its files."""

from __future__ import annotations

import io
import re
import unicodedata
from html import unescape
from zipfile import ZipFile

import pytest
from markupsafe import escape

from hostile_names import SENDABLE_NAMES, mail_with_hostile_names
from mailkeep.domain.hop import Hop, Route
from mailkeep.domain.structure import Report
from mailkeep_web.reports import report_shown
from mailkeep_web.timeline import timeline
from mailkeep_web.words import duration
from web.inspection import assert_is_a_page
from web.site import Visitor, mail_with_file, plain_mail
from web.view_mails import bounce_mail, hops_mail, nested_mail

AMBIGUOUS = "It does not say clearly who wrote it"
NAME_IS_ADDRESS = "The name of the sender looks like an address"


def text_of(page_text: str) -> str:
    """What a reader reads, on one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page_text)))


async def shown(visitor: Visitor, mail: bytes, tab: str) -> str:
    message = await visitor.receive(mail)
    page = await visitor.get(f"/messages/{message.id}?tab={tab}")
    assert page.status == 200
    assert_is_a_page(page)
    return page.text


@pytest.mark.parametrize(
    ("sender", "address", "marked"),
    [
        ('"a@good.test" <x@evil.test>', "x@evil.test", True),
        ("a@good.test<x@evil.test>", "x@evil.test", True),
        ("=?utf-8?q?a=40good.test?= <x@evil.test>", "x@evil.test", True),
        ('"x@evil y"@good.test', '"x@evil y"@good.test', False),
        ('"x@evil.test" <x@evil.test>', "x@evil.test", False),
        ("Sue <sue@good.test>", "sue@good.test", False),
    ],
)
async def test_attack_044_the_real_address_is_shown_and_a_name_like_one_is_marked(
    ada: Visitor, sender: str, address: str, *, marked: bool
) -> None:
    page = await shown(ada, f"From: {sender}\r\n\r\ntext\r\n".encode(), "text")
    assert f"<bdi>{escape(address)}</bdi>" in page
    assert (NAME_IS_ADDRESS in page or AMBIGUOUS in page) is marked


@pytest.mark.parametrize(
    ("headers", "addresses"),
    [
        ("From: Sue <sue@a.test>, Tom <tom@b.test>", ["sue@a.test", "tom@b.test"]),
        ("From: Sue <sue@a.test>\r\nFrom: Tom <tom@b.test>", ["sue@a.test", "tom@b.test"]),
        ('From: "S" <valid@a.test>:<attacker@b.test>', ["valid@a.test", "attacker@b.test"]),
    ],
)
async def test_attack_045_all_senders_are_shown_and_that_they_are_more_than_one(
    ada: Visitor, headers: str, addresses: list[str]
) -> None:
    page = await shown(ada, f"{headers}\r\n\r\ntext\r\n".encode(), "text")
    facts = page[page.index("<dt>From</dt>") : page.index("<dt>To</dt>")]
    assert [address for address in addresses if address in facts] == addresses
    assert AMBIGUOUS in facts


@pytest.mark.parametrize("headers", ["From:", "Subject: nobody", "From: undisclosed: ;"])
async def test_attack_045_no_sender_is_no_sender(ada: Visitor, headers: str) -> None:
    page = await shown(ada, f"{headers}\r\n\r\ntext\r\n".encode(), "text")
    facts = text_of(page[page.index("<dt>From</dt>") : page.index("<dt>To</dt>")])
    assert "@" not in facts


async def test_attack_058_each_name_is_shown_safe_and_as_it_was_sent(ada: Visitor) -> None:
    page = await shown(ada, mail_with_hostile_names(), "attachments")
    entries = page.split('<p class="name">')[1:]
    assert len(entries) == len(SENDABLE_NAMES)
    for name, entry in zip(SENDABLE_NAMES, entries, strict=True):
        sent = name.seen.strip()
        assert entry.startswith(
            f"<bdi>{escape(name.saved)}</bdi>".replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        )
        expected = escape(sent).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
        assert (f"Sent as <bdi>{expected}</bdi>" in entry) is (sent != name.saved)
    assert {unicodedata.category(char) for char in page if char != "\n"} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()


async def test_all_attachments_in_one_file(ada: Visitor, bob: Visitor, stranger: Visitor) -> None:
    page = await shown(ada, mail_with_hostile_names(), "attachments")
    (link,) = re.findall(r'href="(/messages/[^"]+/attachments\.zip)"', page)
    download = await ada.get(link)
    assert download.headers["Content-Type"] == "application/zip"
    with ZipFile(io.BytesIO(download.body)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(SENDABLE_NAMES)
    assert (await bob.get(link)).status == 404
    assert (await stranger.get(link)).status == 303
    alone = await shown(ada, mail_with_file("a.txt", "text/plain", "x"), "attachments")
    assert "attachments.zip" not in alone


async def test_an_inline_image_is_called_one_and_not_rendered(ada: Visitor) -> None:
    mail = (
        b"From: a@sender.test\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
        b'--b\r\nContent-Type: text/html\r\n\r\n<p>Look: <img src="cid:1@x"></p>\r\n'
        b"--b\r\nContent-Type: image/png\r\nContent-ID: <1@x>\r\nContent-Disposition: inline; filename=p.png\r\n\r\n"
        b"PNG\r\n--b--\r\n"
    )
    page = await shown(ada, mail, "attachments")
    assert "p.png inline" in text_of(page)
    assert "<img" not in page
    assert "Inline image image/png p.png" in text_of(await shown(ada, mail, "structure"))


async def test_the_structure_of_a_bounce(ada: Visitor) -> None:
    page = await shown(ada, bounce_mail(), "structure")
    text = text_of(page)
    assert "whole Container multipart/report" in text
    assert "Some text is not in the character set that it names" in text
    (table,) = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert re.findall(r'<th scope="col">([^<]*)</th>', table) == [
        "Recipient",
        "Action",
        "Status",
        "What the server said",
    ]
    first, second = re.findall(r"<tr>.*?</tr>", table, re.DOTALL)[1:]
    assert "nobody@there.test sent to alias@there.test Failed: it will not be delivered 5.1.1" in text_of(first)
    assert "550 5.1.1 <nobody@there.test> unknown" in text_of(first)
    assert "1 more field Remote-MTA dns; mx.there.test" in text_of(first)
    assert "slow@there.test Delayed: it is tried again 4.4.1" in text_of(second)
    assert "X-Note <script>alert(1)</script>" in text
    assert '<h3 id="attached-3"><bdi>Hello &lt;i&gt;there&lt;/i&gt;</bdi></h3>' in page
    assert "24 Nov 2026, 09:29:00 UTC" in text
    assert "The text of the <u>attached</u> message." in text
    links = re.findall(r'href="(/messages/[^"]+/attachments/[^"]+)"', page)
    assert [(await ada.get(link)).status for link in links] == [200, 200]


async def test_a_deep_tree_and_a_message_without_one(ada: Visitor) -> None:
    page = await shown(ada, nested_mail(45), "structure")
    assert page.count("<li>") >= 46
    assert "1.1.1" in page
    assert "Text text/plain" in text_of(await shown(ada, plain_mail("Plain"), "structure"))


async def test_a_message_of_a_thousand_files(ada: Visitor) -> None:
    part = "--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n"
    head = "From: a@sender.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    mail = f"{head}{part * 999}--b--\r\n".encode()
    structure = await shown(ada, mail, "structure")
    assert structure.count('<code class="break">application/pdf</code>') == 999
    page = await shown(ada, mail, "attachments")
    (link,) = re.findall(r'href="(/messages/[^"]+/attachments\.zip)"', page)
    with ZipFile(io.BytesIO((await ada.get(link)).body)) as archive:
        assert (len(archive.namelist()), archive.namelist()[-1]) == (999, "a (999).pdf")


async def test_the_way_that_a_message_took(ada: Visitor) -> None:
    page = await shown(ada, hops_mail(), "headers")
    text = text_of(page)
    assert "3 hops, 2 min 5 s in all" in text
    hops = re.findall(r"<li>.*?</li>", page[page.index('class="hops"') :], re.DOTALL)
    first, second, third = map(text_of, hops)
    assert "from laptop seen as 198.51.100.3 by mx<script>.test 24 Nov 2026, 09:30:00 UTC" in first
    assert "ESMTPA · not said to be encrypted · id laptop" in first
    assert "qmail 12345 invoked by uid 1000" in second
    assert "10 s before the hop before it: their clocks disagree" in second
    assert "seen as mx7.sender.test 192.0.2.7" in third
    assert "after 2 min 15 s" in third
    assert "encrypted TLSv1.3 TLS_AES_256_GCM_SHA384" in third
    assert re.findall(r'<rect class="span" x="([\d.]+)" width="([\d.]+)"', page) == [
        ("0.0", "1"),
        ("0.0", "1"),
        ("0.0", "100.0"),
    ]


async def test_a_message_without_hops_has_headers_only(ada: Visitor) -> None:
    page = await shown(ada, plain_mail("Plain"), "headers")
    assert "The way it took" not in page
    assert "Subject" in page


def test_bars_stand_one_after_the_other() -> None:
    hops = tuple(Hop(delay_s=delay) for delay in (None, 1, -5, None, 3))
    assert [(step.begin, step.length) for step in timeline(Route(hops, 4))] == [
        *((0, 0), (0, 25), (25, 0), (25, 0), (25, 75)),
    ]
    assert [step.length for step in timeline(Route((Hop(delay_s=0),), 0))] == [0]


def test_a_report_that_names_no_action_is_shown_field_by_field() -> None:
    blocks = ((("Final-Recipient", "rfc822; a@x.test"), ("Disposition", "manual-action; displayed")), (("X", "y"),))
    found = report_shown(Report(blocks))
    assert found.recipients == []
    assert found.fields == [*blocks[0], *blocks[1]]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 s"), (0.4, "0.4 s"), (59, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (3_600, "1 h")),
        *((3_605, "1 h"), (7_260, "2 h 1 min"), (90_061, "1 d 1 h"), (86_400, "1 d")),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
