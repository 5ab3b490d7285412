"""When something of ours fails: a temporary reply for each recipient, and nothing left for the next message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from mailkeep.services.ingest import Delivery
from mxd.conversation import Conversation, conversation
from mxd.house import House, open_door, settings_for

SECRET = "a@here.test in the text of an exception"


async def _explode(*_: object) -> None:
    raise RuntimeError(SECRET)


@pytest.mark.parametrize("method", ["feed", "finish"])
async def test_attack_006_an_exception_is_answered_for_each_recipient_and_ends_the_session(
    lmtp: Conversation, house: House, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(Delivery, method, _explode)
    await lmtp.play(
        [
            ("MAIL FROM:<s@x.test>", "250"),
            ("RCPT TO:<a@here.test>", "250"),
            ("RCPT TO:<b@here.test>", "250"),
            ("DATA", "354"),
        ]
    )
    with capture_logs() as logs:
        await lmtp.say("Subject: lost\r\n\r\nx\r\n.\r\nMAIL FROM:<t@x.test>")
        heard = await lmtp.hear("451 4.3.0", "451 4.3.0", "")
    assert SECRET not in "".join(heard)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["message.failed"]
    assert SECRET not in repr(logs)
    assert await house.messages() == []


async def test_an_exception_before_data_is_a_temporary_reply(
    lmtp: Conversation, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(house.core.ingest), "begin", _explode)
    await lmtp.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "451 4.3.0", "")])


async def test_no_memory_means_later(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"memory_budget_bytes": 1_000_000, "memory_wait_s": 0.1})
    async with (
        open_door(settings, house) as mxd,
        conversation(mxd.lmtp) as holder,
        conversation(mxd.lmtp) as other,
    ):
        for talk in (holder, other):
            await talk.play([("LHLO mta.test", "220", "250-"), ("MAIL FROM:<> SIZE=900000", "250")])
            await talk.play([("RCPT TO:<a@here.test>", "250")])
        await holder.play([("DATA", "354")])
        await other.play([("DATA", "452 4.3.1"), ("NOOP", "250")])
        await holder.play([(".", "250")])
        await other.play([("DATA", "354"), (".", "250")])


async def test_nothing_of_a_conversation_is_logged(lmtp: Conversation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with capture_logs() as logs:
        await lmtp.play(
            [
                ("MAIL FROM:<private-sender@x.test>", "250"),
                ("RCPT TO:<private-guess@here.test>", "550"),
                ("RCPT TO:<a@here.test>", "250"),
                ("DATA", "354"),
                ("Subject: private-subject\r\n\r\nprivate-body\r\n.", "250"),
                ("private-command x", "500"),
            ]
        )
        await asyncio.sleep(0)
    assert "private" not in repr(logs)
    assert "private" not in caplog.text.replace("test_nothing_of_a_conversation", "")
    assert structlog.contextvars.get_contextvars() == {}
