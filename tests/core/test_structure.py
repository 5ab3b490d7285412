"""The tree of a message: what its parts are to a reader, and what is in the messages attached to it."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.parsing import multipart, parse, part, tree
from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import MimePart, Role
from mailkeep.storage import structures

INNER = multipart(
    part("text/plain", "hello"),
    part("message/rfc822", "Subject: deep\r\n\r\ndeep text"),
    part("image/png; name=x.png", "xx"),
    boundary="q",
    head="From: Ann <ann@a.test>\r\nTo: bob@b.test\r\nSubject: =?utf-8?q?inn=C3=A9r?=\r\nMessage-ID: <1@a.test>\r\n"
    "Date: Tue, 24 Nov 2026 08:00:00 +0100\r\n",
)


def outline(node: MimePart) -> list[tuple[str, str, str]]:
    return [(inner.section, inner.role.value, inner.media_type) for inner in node.walk()]


def test_sections_are_counted_as_imap_counts() -> None:
    """RFC 9051 section 6.4.5, in the shape of its example."""
    data = multipart(
        part("text/plain", "see below"),
        part("application/octet-stream", "x"),
        part("message/rfc822", INNER),
        multipart(part("image/gif", "g"), part("message/rfc822", "Subject: s\r\n\r\nt"), boundary="r"),
    )
    assert outline(tree(parse(data))) == [
        ("", "container", "multipart/mixed"),
        ("1", "text", "text/plain"),
        ("2", "attachment", "application/octet-stream"),
        ("3", "message", "message/rfc822"),
        ("3.TEXT", "container", "multipart/mixed"),
        ("3.1", "text", "text/plain"),
        ("3.2", "message", "message/rfc822"),
        ("3.2.1", "text", "text/plain"),
        ("3.3", "attachment", "image/png"),
        ("4", "container", "multipart/mixed"),
        ("4.1", "attachment", "image/gif"),
        ("4.2", "message", "message/rfc822"),
        ("4.2.1", "text", "text/plain"),
    ]


def test_a_message_without_parts_is_its_part_1() -> None:
    assert outline(tree(parse(b"Subject: s\r\n\r\ntext"))) == [("1", "text", "text/plain")]


@pytest.mark.parametrize("encoded", [False, True])
def test_an_attached_message_is_read_and_is_a_file(tmp_path: Path, *, encoded: bool) -> None:
    """RFC 2046 section 5.2.1 forbids to encode it; it is done all the same."""
    attached = part("message/rfc822", INNER)
    if encoded:
        attached = part("message/rfc822", base64.encodebytes(INNER), "Content-Transfer-Encoding: base64")
    parsed = parse(multipart(part("text/plain", "outer"), attached), tmp_path, step=7)
    assert parsed.text == "outer"
    [file] = parsed.files
    assert (file.filename, file.section, file.spool.head(10_000)) == ("message.eml", "2", INNER)
    message = tree(parsed).parts[1].message
    assert message is not None
    assert (message.senders, message.to) == ((Mailbox("Ann", "ann@a.test"),), (Mailbox("", "bob@b.test"),))
    assert (message.subject, message.message_id, message.text) == ("innér", "<1@a.test>", "hello")
    assert message.date is not None
    assert message.date.isoformat() == "2026-11-24T07:00:00+00:00"


def test_the_words_of_an_attached_message_that_is_html_only() -> None:
    data = multipart(
        part("message/rfc822", "Content-Type: text/html\r\n\r\n<style>x</style><p>Hi &amp; <b>bye</b></p>")
    )
    message = tree(parse(data)).parts[0].message
    assert message is not None
    assert message.text == "Hi & bye"


def test_the_default_of_a_digest_is_a_message() -> None:
    """RFC 2046 section 5.1.5."""
    data = multipart(b"\r\nSubject: one\r\n\r\n1", b"\r\nSubject: two\r\n\r\n2", subtype="digest")
    messages = [node.message for node in tree(parse(data)).parts]
    assert [message.subject for message in messages if message is not None] == ["one", "two"]


def test_the_blocks_of_a_delivery_report() -> None:
    """RFC 3464 section 2.1: the message's fields, then each recipient's."""
    status = (
        "Reporting-MTA: dns; mx.a.test\r\n\r\n"
        "Final-Recipient: rfc822; b@b.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1\r\n no such user\r\n\r\n\r\n"
        "Final-Recipient: rfc822; c@b.test\r\nAction: delayed\r\n"
    )
    data = multipart(
        part("text/plain", "It failed."),
        part("message/delivery-status", status),
        part("text/rfc822-headers", "Subject: what was sent\r\nFrom: a@a.test\r\n"),
        subtype='report; report-type="delivery-status"',
    )
    parsed = parse(data)
    _, report, returned = tree(parsed).parts
    assert report.role is Role.REPORT
    assert report.report is not None
    assert report.report.blocks == (
        (("Reporting-MTA", "dns; mx.a.test"),),
        (
            ("Final-Recipient", "rfc822; b@b.test"),
            ("Action", "failed"),
            ("Status", "5.1.1"),
            ("Diagnostic-Code", "smtp; 550 5.1.1 no such user"),
        ),
        (("Final-Recipient", "rfc822; c@b.test"), ("Action", "delayed")),
    )
    assert returned.message is not None
    assert returned.message.subject == "what was sent"
    assert [file.filename for file in parsed.files] == ["delivery-status.txt", "headers.txt"]


@pytest.mark.parametrize(
    ("content_type", "fields", "role", "name"),
    [
        ("application/pdf", [], Role.ATTACHMENT, "attachment.pdf"),
        ("image/png", [], Role.ATTACHMENT, "attachment.png"),
        ("image/png", ["Content-Disposition: inline"], Role.INLINE, "attachment.png"),
        ("text/plain", ["Content-Disposition: attachment"], Role.ATTACHMENT, "attachment.txt"),
        ("text/calendar; method=REQUEST", [], Role.CALENDAR, "invite.ics"),
        ("application/ms-tnef", [], Role.TNEF, "winmail.dat"),
        ("application/pkcs7-signature", [], Role.SIGNATURE, "smime.p7s"),
        ("application/pgp-signature", [], Role.SIGNATURE, "signature.asc"),
        ("application/pkcs7-mime; smime-type=enveloped-data", [], Role.ENCRYPTED, "smime.p7m"),
        ("application/pkcs7-mime; smime-type=signed-data", [], Role.SIGNATURE, "smime.p7m"),
        ("application/x-pkcs7-mime; smime-type=certs-only", [], Role.KEY, "smime.p7m"),
        ("application/pgp-keys", [], Role.KEY, "key.asc"),
        ("application/x-unheard", [], Role.ATTACHMENT, "attachment"),
        ("nonsense", [], Role.TEXT, None),
    ],
)
def test_what_parts_are_and_what_they_are_called(
    content_type: str, fields: list[str], role: Role, name: str | None
) -> None:
    parsed = parse(multipart(part(content_type, "x", *fields)))
    assert tree(parsed).parts[0].role is role
    assert [file.filename for file in parsed.files] == ([] if name is None else [name])


def test_what_belongs_to_an_html_document_is_inline() -> None:
    """RFC 2387: the images of a related part are named by their Content-ID."""
    image = part("image/png", "x", "Content-ID: <logo@a.test>")
    data = multipart(part("text/html", "<img src=cid:logo@a.test>"), image, subtype="related")
    node = tree(parse(data)).parts[1]
    assert (node.role, node.content_id) == (Role.INLINE, "logo@a.test")


def test_the_two_parts_of_pgp_mime_are_encrypted() -> None:
    """RFC 3156 section 4."""
    data = multipart(
        part("application/pgp-encrypted", "Version: 1"),
        part("application/octet-stream", "-----BEGIN PGP MESSAGE-----"),
        subtype="encrypted; protocol=application/pgp-encrypted",
    )
    parsed = parse(data)
    assert [node.role for node in tree(parsed).parts] == [Role.ENCRYPTED, Role.ENCRYPTED]
    assert [file.filename for file in parsed.files] == ["version.txt", "encrypted.asc"]


def test_each_part_has_its_own_defects() -> None:
    data = multipart(part("text/plain; charset=utf-8", b"\xff"), part("image/png", "*", "Content-Transfer-Encoding: x"))
    first, second = tree(parse(data)).parts
    assert (first.defects, second.defects) == (("charset_wrong",), ("unknown_transfer_encoding",))


def nested(levels: int, *, body: bytes = b"core") -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * levels + b"Subject: core\r\n\r\n" + body


@pytest.mark.parametrize("levels", [51, 100, 1_000, 10_000])
def test_attack_037_messages_in_messages(tmp_path: Path, levels: int) -> None:
    parsed = parse(nested(levels), tmp_path)
    assert "nesting_too_deep" in parsed.defects
    assert len(list(tree(parsed).walk())) <= 52


def test_attack_037_messages_and_multiparts_count_together() -> None:
    data = b"\r\ncore"
    for level in range(60):
        data = multipart(part("message/rfc822", data), boundary=f"b{level}")
    parsed = parse(data)
    assert "nesting_too_deep" in parsed.defects
    assert len(list(tree(parsed).walk())) < 60


def test_attack_037_large_messages_in_messages_are_bounded(tmp_path: Path) -> None:
    """Each level holds all that is below it: 50 levels of 20 MB would be a gigabyte to take apart."""
    started = time.monotonic()
    parsed = parse(nested(49, body=b"x" * 20_000_000), tmp_path)
    assert "attached_message_skipped" in parsed.defects
    assert time.monotonic() - started < 20


def test_attack_038_parts_are_counted_over_all_messages(tmp_path: Path) -> None:
    """A hundred messages of a hundred parts each are no less work than one of ten thousand."""
    inner = part("message/rfc822", multipart(*[b"\r\nx"] * 100, boundary="q"))
    parsed = parse(multipart(*[inner] * 100), tmp_path)
    assert "parts_truncated" in parsed.defects
    assert len(list(tree(parsed).walk())) <= 1_100


def test_spools_of_attached_messages_do_not_stay(tmp_path: Path) -> None:
    inner = part("message/rfc822", b"Subject: s\r\n\r\n" + b"x" * 100_000)
    data = multipart(part("message/rfc822", multipart(inner, boundary="q")))
    assert len(parse(data, tmp_path).files) == 1
    assert len(list(tmp_path.iterdir())) == 1


_TREES = st.recursive(
    st.sampled_from([b"\r\ntext", part("text/html", "<p>x"), part("image/png; name=a", "x"), b"no header"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: multipart(*parts, boundary=f"b{hash(tuple(parts)) % 10**9}")),
        inner.map(lambda content: part("message/rfc822", content)),
        inner.map(lambda content: part("message/delivery-status", content)),
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(data=_TREES, step=st.integers(1, 100))
def test_a_tree_is_kept_as_it_is(data: bytes, step: int) -> None:
    parsed = parse(data, step=step)
    assert "parse_failed" not in parsed.defects
    assert structures.read(structures.written(tree(parsed))) == tree(parsed)
    sections = [node.section for node in tree(parsed).walk()]
    assert len(set(sections)) == len(sections)
    assert {file.section for file in parsed.files} <= set(sections)
