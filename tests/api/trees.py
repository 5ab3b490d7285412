"""Trees of parts, as the parser makes them."""

from __future__ import annotations

from datetime import UTC, datetime

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import AttachedMessage, MimePart, Report, Role

BOUNCE = MimePart(
    section="",
    role=Role.CONTAINER,
    media_type="multipart/report",
    encoding="7bit",
    size_bytes=0,
    defects=("close_boundary_not_found",),
    parts=(
        MimePart("1", Role.TEXT, "text/plain", "quoted-printable", 412, charset="utf-8", defects=("charset_wrong",)),
        MimePart(
            section="2",
            role=Role.REPORT,
            media_type="message/delivery-status",
            encoding="7bit",
            size_bytes=310,
            report=Report(
                (
                    (("Reporting-MTA", "dns; mx.sender.test"), ("Arrival-Date", "Tue, 24 Nov 2026 09:30:00 +0000")),
                    (
                        ("Final-Recipient", "rfc822; nobody@there.test"),
                        ("Action", "failed"),
                        ("Status", "5.1.1"),
                        ("Diagnostic-Code", "smtp; 550 5.1.1 <nobody@there.test> unknown <script>alert(1)</script>"),
                    ),
                    (
                        ("Original-Recipient", "rfc822;slow@there.test"),
                        ("Final-Recipient", "rfc822; slow@there.test"),
                        ("Action", "delayed"),
                        ("Status", "4.4.1"),
                        ("X-Queue", "deferred"),
                    ),
                )
            ),
        ),
        MimePart(
            section="3",
            role=Role.MESSAGE,
            media_type="message/rfc822",
            encoding="8bit",
            size_bytes=2_048,
            filename="\u202egnp.eml",
            disposition="attachment",
            message=AttachedMessage(
                senders=(Mailbox("Ada", "ada@here.test"),),
                to=(Mailbox("", "nobody@there.test"),),
                cc=(),
                subject="Hello <b>there</b>",
                date=datetime(2026, 11, 24, 9, 29, tzinfo=UTC),
                message_id="<1@here.test>",
                text="The text of the\nattached message.",
            ),
            parts=(MimePart("3.1", Role.TEXT, "text/plain", "7bit", 36, charset="us-ascii"),),
        ),
    ),
)
DISPOSITION = MimePart(
    section="",
    role=Role.REPORT,
    media_type="message/disposition-notification",
    encoding="7bit",
    size_bytes=90,
    report=Report(((("Final-Recipient", "rfc822; ada@here.test"), ("Disposition", "manual-action; displayed")),)),
)


def deep(depth: int) -> MimePart:
    """A tree as deep as the parser lets one be."""
    part = MimePart(".".join(["1"] * depth), Role.TEXT, "text/plain", "7bit", 1)
    for level in range(depth - 1, -1, -1):
        part = MimePart(".".join(["1"] * level), Role.CONTAINER, "multipart/mixed", "7bit", 0, parts=(part,))
    return part
