"""Mails whose views have something to show."""

from __future__ import annotations

BOUNCE = """\
From: MAILER-DAEMON@mx.sender.test
To: ada@here.test
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

It could not be delivered =FF.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.test
X-Note: <script>alert(1)</script>

Original-Recipient: rfc822; alias@there.test
Final-Recipient: rfc822; nobody@there.test
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.there.test
Diagnostic-Code: smtp; 550 5.1.1 <nobody@there.test> unknown

Final-Recipient: rfc822; slow@there.test
Action: delayed
Status: 4.4.1

--b
Content-Type: message/rfc822

From: "Ada <b>" <ada@here.test>
To: nobody@there.test
Date: Tue, 24 Nov 2026 09:29:00 +0000
Subject: Hello <i>there</i>

The text of the <u>attached</u> message.
--b--
"""


def bounce_mail() -> bytes:
    return BOUNCE.replace("\n", "\r\n").encode()


def nested_mail(depth: int) -> bytes:
    """A multipart within a multipart, so deep."""
    lines = ["From: a@sender.test", "Subject: deep"]
    for level in range(depth):
        lines += [f"Content-Type: multipart/mixed; boundary=level-{level}-", "", f"--level-{level}-"]
    lines += ["Content-Type: text/plain", "", "the innermost"]
    lines += [f"--level-{level}---" for level in reversed(range(depth))]
    return "\r\n".join([*lines, ""]).encode()


def hops_mail(name: str = "laptop") -> bytes:
    """Three hops; the clock of the second is behind by ten seconds."""
    received = (
        (
            "from out.sender.test (mx7.sender.test [192.0.2.7]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384) "
            "by mx.here.test (Postfix) with ESMTPS id 4XyZ for <box@here.test>; Tue, 24 Nov 2026 09:32:05 +0000"
        ),
        "(qmail 12345 invoked by uid 1000); 24 Nov 2026 09:29:50 -0000",
        f"from {name} ([198.51.100.3]) by mx<script>.test with ESMTPA id {name}; Tue, 24 Nov 2026 09:30:00 +0000",
    )
    lines = [*(f"Received: {each}" for each in received), "From: a@sender.test", "Subject: hops", "", "text", ""]
    return "\r\n".join(lines).encode()
