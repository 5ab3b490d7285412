"""The same session spoken as SMTP."""

from __future__ import annotations

from mailkeep_mxd.listeners import RunningMxd
from mxd.conversation import conversation


async def test_helo_and_ehlo(mxd: RunningMxd) -> None:
    async with conversation(mxd.smtp) as talk:
        await talk.play(
            [
                ("LHLO mta.test", "220 door.test ESMTP", "500 5.5.1"),
                ("MAIL FROM:<>", "503 5.5.1"),
                ("HELO mta.test", "250 door.test"),
                ("MAIL FROM:<> SIZE=10", "555 5.5.4"),
                ("MAIL FROM:<>", "250"),
                ("EHLO mta.test", "250-door.test"),
                ("MAIL FROM:<> SIZE=10", "250"),
                ("RCPT TO:<a@here.test>", "250"),
                ("DATA now", "501 5.5.4"),
                ("DATA", "354"),
                (".", "250 2.0.0"),
                ("QUIT", "221", ""),
            ]
        )
