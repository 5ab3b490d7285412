"""The three mails of the benchmark, each copy different from the last."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

WORDS: Final = (
    *("your", "account", "order", "invoice", "confirm", "address", "receipt", "delivery", "welcome", "please", "click"),
    *("below", "thank", "team", "support", "password", "reset", "número", "façade", "€uro", "total", "monthly"),
    *("report", "attached", "question", "answer", "until", "tomorrow", "morning"),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A kind of mail; `copies` is how many one run sends."""

    name: str
    content: bytes
    copies: int

    def copy(self, number: int) -> bytes:
        """The mail as a mail server hands it over: with a Received header of its own (RFC 5321 section 4.4)."""
        return (
            b"Received: from client.test (client.test [192.0.2.7]) by mta.test (Postfix) with ESMTPS\r\n"
            b"\tid %016d for <inbox@mail.test>; Tue, 24 Nov 2026 09:30:00 +0000 (UTC)\r\n"
            b"Message-ID: <%d@bench.test>\r\n" % (number, number)
        ) + self.content


def make_samples(*, scale: float) -> list[Sample]:
    """The same bytes in every run. `scale` stretches the number of copies."""
    rng = random.Random(5321)  # noqa: S311 - text to be sent, no secret
    kinds: list[tuple[str, Callable[[random.Random], EmailMessage], int]] = [
        ("8 KB, text", _plain, 3_000),
        ("70 KB, HTML and a PDF", _newsletter, 1_200),
        ("7 MB, attachment", _large, 40),
    ]
    return [
        Sample(name=name, content=make(rng).as_bytes(policy=SMTP), copies=max(20, int(copies * scale)))
        for name, make, copies in kinds
    ]


def _plain(rng: random.Random) -> EmailMessage:
    message = _headed("Your order has been received")
    message.set_content(_prose(rng, 7_600), cte="quoted-printable")
    return message


def _newsletter(rng: random.Random) -> EmailMessage:
    message = _headed("Rechnung für November, invoice attached")
    message.set_content(_prose(rng, 2_000), cte="quoted-printable")
    rows = "".join(
        f'<tr><td style="padding:8px">{_prose(rng, 60)}</td><td><a href="https://shop.test/{n}">see</a></td></tr>\n'
        for n in range(200)
    )
    html = f"<html><head><style>td{{color:#333}}</style></head><body><table>{rows}</table></body></html>"
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    pdf = b"%PDF-1.4\n" + rng.randbytes(20_000)
    message.add_attachment(pdf, maintype="application", subtype="pdf", filename="invoice.pdf")
    return message


def _large(rng: random.Random) -> EmailMessage:
    message = _headed("The recordings you asked for")
    message.set_content(_prose(rng, 1_000), cte="quoted-printable")
    archive = b"PK\x03\x04" + rng.randbytes(5_100_000)
    message.add_attachment(archive, maintype="application", subtype="zip", filename="recordings.zip")
    return message


def _headed(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Example Shop <orders@shop.test>"
    message["To"] = "inbox@mail.test"
    message["Date"] = "Tue, 24 Nov 2026 09:29:58 +0000"
    message["Subject"] = subject
    return message


def _prose(rng: random.Random, characters: int) -> str:
    """Words in lines of about 70 characters."""
    lines: list[str] = []
    length = 0
    while length < characters:
        line = " ".join(rng.choice(WORDS) for _ in range(11))
        lines.append(line)
        length += len(line) + 2
    return "\n".join(lines)
