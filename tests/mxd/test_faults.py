"""When something of ours fails: a temporary reply for each recipient, and nothing left for the next message."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

import pytest
import structlog
from sqlalchemy import delete
from structlog.testing import capture_logs

from mailkeep.services.ingest import Delivery
from mailkeep.storage.schema import addresses
from mailkeep_mxd.protocol import silence_aiosmtpd
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
    def begin(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(type(house.core.ingest), "begin", begin)
    await lmtp.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "451 4.3.0", "")])


async def test_attack_002_one_recipient_that_cannot_be_stored_harms_no_other(lmtp: Conversation, house: House) -> None:
    await lmtp.play([("MAIL FROM:<>", "250")])
    await lmtp.play([(f"RCPT TO:<{name}@here.test>", "250") for name in "abc"])
    async with house.core.database.write() as connection:
        await connection.execute(delete(addresses).where(addresses.c.address == "b@here.test"))
    await lmtp.play([("DATA", "354"), ("Subject: two\r\n\r\n.", "250 2.0.0 <a@", "451 4.3.0", "250 2.0.0 <c@")])
    await lmtp.play([("NOOP", "250")])
    assert [message.address for message in await house.messages()] == ["a@here.test", "c@here.test"]


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_blob_store_that_takes_nothing_means_later(
    lmtp: Conversation, house: House, tmp_path: Path, size: int
) -> None:
    blobs = settings_for(tmp_path).blob_dir
    shutil.rmtree(blobs)
    blobs.touch()
    await lmtp.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("RCPT TO:<b@here.test>", "250")])
    await lmtp.play([("DATA", "354"), ("x" * size + "\r\n.", "451 4.3.0", "451 4.3.0")])
    assert await house.messages() == []
    blobs.unlink()
    # Nothing of it is left for the next message.
    await lmtp.play([("MAIL FROM:<>", "250"), ("DATA", "503 5.5.1")])


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
    # aiosmtpd's own logger would write whole commands and lines of messages.
    caplog.set_level(logging.DEBUG, "mail.log")
    silence_aiosmtpd()
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
    assert [record for record in caplog.records if record.name == "mail.log"] == []
    assert structlog.contextvars.get_contextvars() == {}
