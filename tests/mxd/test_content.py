"""What is stored is what was sent, and only <CRLF>.<CRLF> ends it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from mailkeep_mxd.listeners import RunningMxd
from mxd.conversation import Conversation, conversation
from mxd.house import House, open_door, settings_for

SECOND_ENVELOPE = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<b@here.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"


async def open_data(talk: Conversation, *recipients: str, size: str = "") -> None:
    await talk.play([(f"MAIL FROM:<s@x.test>{size}", "250")])
    await talk.play([(f"RCPT TO:<{recipient}@here.test>", "250") for recipient in recipients or ("a",)])
    await talk.play([("DATA", "354")])


FAKE_ENDS = (
    b"\n.\n", b"\n.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r\n", b"\r.\r", b"\r.\n",
    b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
)  # fmt: skip


async def test_attack_012_013_a_fake_end_is_content(lmtp: Conversation, house: House) -> None:
    contents = [b"Subject: one\r\n\r\nbody" + fake_end + SECOND_ENVELOPE for fake_end in FAKE_ENDS]
    for content in contents:
        await open_data(lmtp)
        await lmtp.say_raw(content + b".\r\n")
        await lmtp.hear("250 2.0.0 <a@here.test>")
        await lmtp.play([("NOOP", "250")])
    messages = await house.messages()
    assert {(message.address, message.subject) for message in messages} == {("a@here.test", "one")}
    # RFC 5321 section 4.5.2: the first dot of a line is the client's, who should have doubled it.
    stored = [await house.source(message) for message in messages]
    assert stored == [content.replace(b"\r\n.", b"\r\n") for content in contents]


SENT_AND_STORED = (
    (b".\r\n", b""),
    (b"\r\n.\r\n", b"\r\n"),
    (b"..\r\n.\r\n", b".\r\n"),
    (b"...x\r\n..\r\n...\r\nx.\r\n.\r\n", b"..x\r\n.\r\n..\r\nx.\r\n"),
    (b"Subject: header only\r\n.\r\n", b"Subject: header only\r\n"),
    (b"Subject: no body\r\n\r\n.\r\n", b"Subject: no body\r\n\r\n"),
    (b"no end of line\0\r\n.\r\n", b"no end of line\0\r\n"),
    (b"bare\rCR bare\nLF \0 \xff\xfe\r\n.\r\n", b"bare\rCR bare\nLF \0 \xff\xfe\r\n"),
    (b"x" * 100_000 + b"\r\n.\r\n", b"x" * 100_000 + b"\r\n"),
)


async def test_attack_019_020_the_stored_source_is_what_was_sent(lmtp: Conversation, house: House) -> None:
    for sent, _ in SENT_AND_STORED:
        await open_data(lmtp)
        await lmtp.say_raw(sent)
        await lmtp.hear("250 2.0.0 <a@here.test>")
    assert [await house.source(message) for message in await house.messages()] == [
        stored for _, stored in SENT_AND_STORED
    ]


async def test_attack_019_dots_in_pieces(lmtp: Conversation, house: House) -> None:
    await open_data(lmtp)
    for byte in b"a\r\n..\r\n...b\r\n.\r\n":
        await lmtp.say_raw(bytes((byte,)))
        await asyncio.sleep(0)
    await lmtp.hear("250")
    (message,) = await house.messages()
    assert await house.source(message) == b"a\r\n.\r\n..b\r\n"


async def test_attack_017_one_line_of_25_megabytes(lmtp: Conversation, house: House) -> None:
    await open_data(lmtp, size=" SIZE=26214402")
    await lmtp.say_raw(b"x" * 26_214_400 + b"\r\n.\r\n")
    await lmtp.hear("250 2.0.0 <a@here.test>")
    (message,) = await house.messages()
    assert message.size_bytes == 26_214_402


async def test_attack_003_018_the_limit_is_exact_and_the_session_goes_on(house: House, tmp_path: Path) -> None:
    async with (
        open_door(settings_for(tmp_path, lmtp={"max_message_bytes": 1000}), house) as mxd,
        conversation(mxd.lmtp) as talk,
    ):
        await talk.play([("LHLO mta.test", "220", "250-")])
        await open_data(talk, "a", "b")
        await talk.say_raw(b"x" * 998 + b"\r\n.\r\n")
        await talk.hear("250", "250")
        await open_data(talk, "a", "b")
        await talk.say_raw(b"x" * 999 + b"\r\n.\r\n")
        await talk.hear("552 5.3.4", "552 5.3.4")
        await open_data(talk)
        await talk.say_raw(b"..\r\n" + b"x" * 995 + b"\r\n.\r\n")  # the client's dot does not count
        await talk.hear("250")
    assert [message.size_bytes for message in await house.messages()] == [1000, 1000, 1000]


async def test_attack_014_a_fake_end_in_what_is_thrown_away_is_no_end(house: House, tmp_path: Path) -> None:
    async with (
        open_door(settings_for(tmp_path, lmtp={"max_message_bytes": 1000}), house) as mxd,
        conversation(mxd.lmtp) as talk,
    ):
        await talk.play([("LHLO mta.test", "220", "250-")])
        await open_data(talk, "a", "b")
        fake = b"x" * 2000 + b"\n.\n" + b"HELP\r\n" * 50_000 + b"\r\n..\r\nHELP\n.\r\nHELP\r\n"
        await talk.say_raw(fake + b".\r\nNOOP\r\n")
        await talk.hear("552 5.3.4", "552 5.3.4", "250 2.0.0 ok")
    assert await house.messages() == []


async def test_attack_027_a_client_that_vanishes_leaves_nothing(lmtp: Conversation, house: House) -> None:
    await open_data(lmtp)
    await lmtp.say_raw(b"Subject: half\r\n\r\n" + b"x" * 500_000)
    lmtp.vanish()
    await asyncio.sleep(0.1)
    assert await house.messages() == []


async def test_attack_027_a_client_that_half_closes_in_the_middle_leaves_nothing(
    lmtp: Conversation, house: House
) -> None:
    await open_data(lmtp)
    await lmtp.say_raw(b"Subject: half\r\n\r\nx\r\n.")
    lmtp.finish_saying()
    assert await lmtp.rest() == ""
    assert await house.messages() == []


async def test_attack_027_a_message_sent_again_after_a_lost_reply_is_stored_once(
    lmtp: Conversation, house: House
) -> None:
    content = b"Received: by mx.test (Postfix, from userid 0) id 4Xabc123; Tue, 24 Nov 2026 09:30:00 +0000\r\n\r\nx\r\n"
    for _ in range(2):
        await open_data(lmtp)
        await lmtp.say_raw(content + b".\r\n")
        await lmtp.hear("250")
    assert len(await house.messages()) == 1


async def test_attack_027_a_client_that_vanishes_before_our_reply_has_its_mail_once(
    mxd: RunningMxd, house: House
) -> None:
    for number in range(10):
        content = (
            f"Received: by mx.test (Postfix, from userid 0) id 4Xgone{number}; x\r\nSubject: {number}\r\n\r\nx\r\n."
        )
        async with conversation(mxd.lmtp) as talk:
            await talk.play([("LHLO mta.test", "220", "250-")])
            await open_data(talk, "a", "b")
            await talk.say(content)
            await asyncio.sleep(number / 1000)
            talk.vanish()
        async with conversation(mxd.lmtp) as talk:
            await talk.play([("LHLO mta.test", "220", "250-")])
            await open_data(talk, "a", "b")
            await talk.play([(content, "250 2.0.0 <a@", "250 2.0.0 <b@")])
    found = Counter((message.subject, message.address) for message in await house.messages())
    assert found == Counter((str(number), f"{name}@here.test") for number in range(10) for name in "ab")


async def test_smtp_answers_once_for_all_recipients(smtp: Conversation, house: House) -> None:
    await open_data(smtp, "a", "b", "A")
    await smtp.play([("Subject: once\r\n\r\nx\r\n.", "250 2.0.0 stored"), ("QUIT", "221", "")])
    assert [message.address for message in await house.messages()] == ["a@here.test", "b@here.test"]


async def test_what_is_known_of_the_transport(smtp: Conversation, house: House) -> None:
    await open_data(smtp)
    await smtp.play([(".", "250")])
    (summary,) = await house.messages()
    detail = await house.core.inbox.read(house.actor, summary.id)
    assert detail.envelope.mail_from == "s@x.test"
    assert detail.envelope.rcpt_to == ("a@here.test",)
    assert (detail.transport.client_ip, detail.transport.helo) == ("127.0.0.1", "mta.test")
    assert detail.transport.protocol == "ESMTP"
