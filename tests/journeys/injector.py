"""A steady load of mails through Postfix, each with a mark of its own, and a record of what was sent."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import smtplib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP

CONNECTIONS = 4
_QUEUED = re.compile(rb"queued as (\w+)")
_MARK = re.compile(rb"^X-Mark: (\d+)\r$", re.MULTILINE)


@dataclass
class Injector:
    """`sha256` of each mail by its mark, `marks` by Postfix's queue id; both grow while the load runs."""

    port: int
    recipient: str
    sha256: dict[int, str] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _ended: threading.Event = field(default_factory=threading.Event)

    def mark_of(self, source: bytes) -> int:
        """Which mail this is. Raises AssertionError when its bytes are not those that were sent."""
        found = _MARK.search(source)
        assert found is not None, source[:500]
        mark = int(found[1])
        content = source[found.start() :]  # before it stands what Postfix put there
        assert hashlib.sha256(content).hexdigest() == self.sha256[mark], f"the bytes of {mark} have changed"
        return mark

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sends until the block ends. A mail that Postfix refuses raises at the end."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            senders: list[Future[None]] = [threads.submit(self._send) for _ in range(CONNECTIONS)]
            try:
                yield
            finally:
                self._ended.set()
            for sender in senders:
                sender.result()

    def _send(self) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, local_hostname="client.test", timeout=60) as client:
            while not self._ended.wait(0.1):
                mark = next(self._numbers)
                content = _mail(mark)
                self.sha256[mark] = hashlib.sha256(content).hexdigest()
                self._queue(client, mark, content)

    def _queue(self, client: smtplib.SMTP, mark: int, content: bytes) -> None:
        client.ehlo_or_helo_if_needed()
        client.mail("sender@client.test")
        code, reply = client.rcpt(self.recipient)
        assert code == 250, reply
        code, reply = client.data(content)
        queued = _QUEUED.search(reply)
        assert code == 250, reply
        assert queued is not None, reply
        self.marks[queued[1].decode()] = mark


def _mail(mark: int) -> bytes:
    """Text, sometimes an attachment: from 500 bytes to 200 KB."""
    rng = random.Random(mark)  # noqa: S311 - bytes to be sent, no secret
    message = EmailMessage()
    message["X-Mark"] = str(mark)  # first: all that follows is compared
    message["From"] = "sender@client.test"
    message["Subject"] = f"number {mark}"
    message.set_content("\n".join(f"{rng.random()}" for _ in range(rng.randint(1, 1_000))))
    if mark % 3 == 0:
        data = rng.randbytes(rng.randint(1, 100_000))
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=f"{mark}.bin")
    return message.as_bytes(policy=SMTP)
