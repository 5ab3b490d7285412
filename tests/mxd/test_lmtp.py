"""LMTP, line by line (RFC 2033), over a real socket and a real core."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailkeep.bootstrap import open_core
from mailkeep_mxd.listeners import RunningMxd
from mailkeep_mxd.recipients import RecipientDirectory
from mxd.conversation import Conversation, Line, conversation
from mxd.house import House, customer, open_door, settings_for

ENVELOPE: tuple[Line, ...] = (("MAIL FROM:<s@x.test>", "250 2.1.0"), ("RCPT TO:<a@here.test>", "250 2.1.5"))


async def test_attack_001_each_recipient_gets_its_own_reply_in_order(lmtp: Conversation, house: House) -> None:
    await lmtp.play(
        [
            ("MAIL FROM:<>", "250"),
            ("RCPT TO:<a@here.test>", "250"),
            ("RCPT TO:<nobody@here.test>", "550 5.1.1"),
            ("RCPT TO:<C@Here.Test>", "250"),
            ("DATA", "354"),
            (
                "Subject: hi\r\n\r\nbody\r\n.",
                "250 2.0.0 <a@here.test> stored",
                "250 2.0.0 <C@Here.Test> stored",
            ),
            ("QUIT", "221 2.0.0"),
        ]
    )
    assert [message.address for message in await house.messages()] == ["a@here.test", "c@here.test"]


async def test_two_customers_in_one_transaction_see_their_own_message_alone(lmtp: Conversation, house: House) -> None:
    neighbour = await customer(house.core, "neighbour@elsewhere.test")
    await neighbour.address("n@here.test")
    await lmtp.play(
        [
            ("MAIL FROM:<s@x.test>", "250"),
            ("RCPT TO:<n@here.test>", "250"),
            ("RCPT TO:<a@here.test>", "250"),
            ("DATA", "354"),
            ("Subject: both\r\n\r\nbody\r\n.", "250 2.0.0 <n@here.test>", "250 2.0.0 <a@here.test>"),
        ]
    )
    assert [message.address for message in await house.messages()] == ["a@here.test"]
    assert [message.address for message in await neighbour.messages()] == ["n@here.test"]


async def test_attack_004_the_same_recipient_twice_is_answered_twice_and_stored_once(
    lmtp: Conversation, house: House
) -> None:
    await lmtp.play(
        [
            *ENVELOPE,
            ("RCPT TO:<b@here.test>", "250"),
            ("RCPT TO:<A@here.test>", "250"),
            ("DATA", "354"),
            ("\r\nbody\r\n.", "250 2.0.0 <a@", "250 2.0.0 <b@", "250 2.0.0 <A@"),
        ]
    )
    assert [message.address for message in await house.messages()] == ["a@here.test", "b@here.test"]


async def test_attack_005_data_without_a_recipient_gets_no_354(lmtp: Conversation) -> None:
    await lmtp.play(
        [
            ("DATA", "503 5.5.1"),
            ("MAIL FROM:<>", "250"),
            ("DATA", "503 5.5.1"),
            ("RCPT TO:<nobody@here.test>", "550 5.1.1"),
            ("DATA", "503 5.5.1"),
            ("RSET", "250 2.0.0"),
        ]
    )


NO_ADDRESSES = (
    b"<a@here.test",
    b"a@here.test",
    b"<a@here.test\0>",
    b"<a\0@here.test>",
    b"<a b@here.test>",
    b"<a@here.test >",
    b"< a@here.test>",
    b"<a(comment)@here.test>",
    b"<@r1:a@here.test>",
    b"<@r1,@r2:a@here.test>",
    b"<a..b@here.test>",
    b"<.a@here.test>",
    b"<\xc3\xa4@here.test>",
    b"<\xff@here.test>",
    b"<a@here.test>x",
    b"<<a@here.test>>",
    b"<>",
    b'<"a"@here.test>',
    b"<a@[127.0.0.1]>",
    b"<a>",
    b"<a@>",
    b"<" + b"x" * 65 + b"@here.test>",
    b"<a\rb@here.test>",  # attack case 8
    b"<a@here.test>\r",
    b"<a=?utf-8?q?=0D=0A?= @here.test>",
)


async def _never_asked(*_: object, **__: object) -> None:
    raise AssertionError("it was looked up")


async def test_attack_007_what_is_no_address_is_refused_before_any_look_up(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_for(tmp_path, lmtp={"max_errors": 100})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.play([("LHLO mta.test", "220", "250-"), ("MAIL FROM:<>", "250")])
        with monkeypatch.context() as blind:
            blind.setattr(RecipientDirectory, "accept", _never_asked)  # an exception would be a 451
            await talk.play([(b"RCPT TO:" + path, "501 5.1.3") for path in NO_ADDRESSES])
        await talk.play([("RCPT TO:<a@here.test>", "250")])


async def test_attack_008_a_line_end_inside_an_address_is_no_address(lmtp: Conversation) -> None:
    """A bare LF ends no line, so there is no command to speak of: 500; what is percent-encoded is an address."""
    with capture_logs() as logs:
        await lmtp.play(
            [
                (b"MAIL FROM:<log\rged@x.test>", "501 5.1.7"),
                (b"MAIL FROM:<log\nged@x.test>", "500 5.5.2", "500 5.5.2"),
                ("MAIL FROM:<>", "250"),
                (b"RCPT TO:<log\rged@here.test>", "501 5.1.3"),
                (b"RCPT TO:<log\nged@here.test>", "500 5.5.2", "500 5.5.2"),
                (b"RCPT TO:<log\xe2\x80\xa8ged@here.test>", "501 5.1.3"),
                (b"RCPT TO:<log%0d%0aged@here.test>", "550 5.1.1"),
            ]
        )
    assert "ged" not in "".join(str(value) for entry in logs for value in entry.values())


async def test_attack_009_long_lines_end_the_session_and_fill_no_memory(lmtp: Conversation) -> None:
    await lmtp.play(
        [
            (b"NOOP " + b"x" * 505, "250"),  # 512 with its CRLF
            (b"NOOP " + b"x" * 506, "500 5.5.2"),
            (b"x" * 1_000_000, "500 5.5.2"),
            *((b"NOOP " + b"x" * 70_000, "500 5.5.2") for _ in range(17)),
            (b"NOOP " + b"x" * 70_000, "500 5.5.2", "421 4.7.0", ""),
        ]
    )


async def test_attack_009_a_line_that_never_ends_is_given_up(lmtp: Conversation) -> None:
    await lmtp.say_raw(b"x" * 5_000_000)
    await lmtp.hear("500 5.5.2", "421 4.7.0", "")


async def test_mail_may_be_longer_than_other_commands(lmtp: Conversation) -> None:
    sender = f"{'v' * 300}@x.test"
    await lmtp.play(
        [
            (f"MAIL FROM:<{sender}> SIZE=100 BODY=8BITMIME SMTPUTF8{' ' * 200}", "250"),
            ("RSET", "250"),
            (f"MAIL FROM:<{sender}> SIZE=100 BODY=8BITMIME SMTPUTF8{' ' * 250}", "500 5.5.2"),
        ]
    )


async def test_attack_010_sequence(mxd: RunningMxd) -> None:
    async with conversation(mxd.lmtp) as talk:
        await talk.play(
            [
                ("MAIL FROM:<>", "220", "503 5.5.1"),
                ("RCPT TO:<a@here.test>", "503 5.5.1"),
                ("DATA", "503 5.5.1"),
                ("HELO mta.test", "500 5.5.1"),
                ("EHLO mta.test", "500 5.5.1"),
                ("LHLO", "501 5.5.4"),
                ("LHLO a b", "501 5.5.4"),
                ("lhlo mta.test", "250-door.test"),
                ("RCPT TO:<a@here.test>", "503 5.5.1"),
                ("mail from:<>", "250 2.1.0"),
                ("MAIL FROM:<>", "503 5.5.1"),
                ("rcpt to:<a@here.test>", "250 2.1.5"),
                ("RSET", "250 2.0.0"),
                ("DATA", "503 5.5.1"),
                ("RSET now", "501 5.5.4"),
                ("NOOP anything", "250 2.0.0"),
                ("VRFY a", "252 2.5.0"),
                ("VRFY", "501 5.5.4"),
                ("HELP", "214 2.0.0"),
                ("QUIT now", "501 5.5.4"),
                ("QUIT", "221 2.0.0", ""),
            ]
        )


async def test_what_is_announced(mxd: RunningMxd) -> None:
    async with conversation(mxd.lmtp) as talk:
        await talk.say("LHLO mta.test")
        greeting, extensions = await talk.hear("220 door.test LMTP", "250-door.test")
        assert greeting.endswith("Mailkeep")
        assert extensions.split("\n") == [
            "250-door.test",
            "250-PIPELINING",
            "250-ENHANCEDSTATUSCODES",
            "250-8BITMIME",
            "250-SMTPUTF8",
            "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",
            "250 SIZE 36700160",
        ]


async def test_attack_016_what_is_not_offered_is_not_done(lmtp: Conversation) -> None:
    verbs = ("AUTH PLAIN x", "STARTTLS", "BDAT 10 LAST", "EXPN all", "ETRN x", "TURN", "XCLIENT NAME=x")
    await lmtp.play([(verb, "502 5.5.1") for verb in verbs])
    await lmtp.play([("NOOP", "250")])


async def test_attack_010_a_new_greeting_ends_the_transaction(lmtp: Conversation) -> None:
    await lmtp.play([*ENVELOPE, ("LHLO other.test", "250-"), ("DATA", "503 5.5.1")])


async def test_attack_018_declared_sizes(lmtp: Conversation) -> None:
    await lmtp.play(
        [
            ("MAIL FROM:<> SIZE=36700161", "552 5.3.4"),
            ("MAIL FROM:<> SIZE=abc", "501 5.5.4"),
            ("MAIL FROM:<> SIZE=99999999999999999999", "552 5.3.4"),
            ("MAIL FROM:<> FOO=1", "555 5.5.4"),
            ("MAIL FROM:<> BODY=BINARYMIME", "501 5.5.4"),
            ("MAIL FROM:<> SIZE=36700160", "250"),
            ("RCPT TO:<a@here.test> NOTIFY=NEVER", "555 5.5.4"),
        ]
    )


async def test_attack_021_a_thousand_commands_in_one_write_are_answered_in_order(lmtp: Conversation) -> None:
    commands = [b"MAIL FROM:<>", b"RCPT TO:<a@here.test>", b"NOOP", b"RSET"] * 250
    await lmtp.say_raw(b"".join(command + b"\r\n" for command in commands))
    await lmtp.hear(*["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0"] * 250)


async def test_attack_021_content_before_354_is_content(lmtp: Conversation, house: House) -> None:
    await lmtp.say_raw(
        b"MAIL FROM:<>\r\nRCPT TO:<a@here.test>\r\nDATA\r\nSubject: early\r\n\r\nQUIT\r\n.\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<b@here.test>\r\nDATA\r\n.\r\nNOOP\r\n"
    )
    lmtp.finish_saying()
    await lmtp.hear("250", "250", "354", "250 2.0.0 <a@", "250", "250", "354", "250 2.0.0 <b@", "250 2.0.0 ok", "")
    first, second = await house.messages()
    assert await house.source(first) == b"Subject: early\r\n\r\nQUIT\r\n"
    assert await house.source(second) == b""


async def test_attack_021_content_after_a_refused_data_is_never_taken_for_commands(
    lmtp: Conversation, house: House
) -> None:
    await lmtp.say_raw(
        b"MAIL FROM:<>\r\nRCPT TO:<nobody@here.test>\r\nDATA\r\n"
        b"MAIL FROM:<>\r\nRCPT TO:<a@here.test>\r\nDATA\r\nsmuggled\r\n.\r\n"
    )
    await lmtp.hear("250", "550 5.1.1", "503 5.5.1", "421 4.7.0", "")
    assert await house.messages() == []


async def test_attack_022_recipients_beyond_the_limit_wait_for_another_transaction(
    lmtp: Conversation, house: House
) -> None:
    await lmtp.say_raw(b"MAIL FROM:<>\r\n" + b"RCPT TO:<a@here.test>\r\n" * 10_000)
    await lmtp.hear("250", *["250 2.1.5"] * 100, *["452 4.5.3"] * 9_900)
    await lmtp.play([("DATA", "354"), (".", *["250 2.0.0 <a@here.test>"] * 100), ("NOOP", "250")])
    assert len(await house.messages()) == 1


async def test_attack_023_null_sender_and_postmaster(lmtp: Conversation) -> None:
    await lmtp.play(
        [
            ("MAIL FROM:<>", "250"),
            ("RCPT TO:<Postmaster>", "550 5.1.1"),
            ("RCPT TO:<postmaster@here.test>", "550 5.1.1"),
        ]
    )


async def test_attack_024_what_kind_of_address(house: House, tmp_path: Path) -> None:
    inactive, deleted = await house.address("off@here.test"), await house.address("gone@here.test")
    await house.core.addresses.update(house.actor, inactive.id, active=False)
    await house.core.addresses.delete(house.actor, deleted.id)
    async with open_door(settings_for(tmp_path), house) as mxd, conversation(mxd.lmtp) as lmtp:
        await lmtp.play(
            [
                ("LHLO mta.test", "220", "250-"),
                ("MAIL FROM:<> SMTPUTF8", "250"),
                ("RCPT TO:<nobody@here.test>", "550 5.1.1"),
                ("RCPT TO:<off@here.test>", "550 5.2.1"),
                ("RCPT TO:<off+tag@here.test>", "550 5.2.1"),
                ("RCPT TO:<gone@here.test>", "550 5.1.1"),
                ("RCPT TO:<a@elsewhere.test>", "550 5.1.1"),
                ("RCPT TO:<A@HERE.TEST>", "250"),
                ("RCPT TO:<a+News@here.test>", "250"),
                ("RCPT TO:<a+@here.test>", "250"),
                ("RCPT TO:<+tag@here.test>", "550 5.1.1"),
                ("RCPT TO:<ä@here.test>", "550 5.1.1"),
                ("RCPT TO:<a@ｈｅｒｅ.test>", "250"),  # noqa: RUF001 - full-width letters, which IDNA folds
                ("DATA", "354"),
                (".", "250 2.0.0 <A@", "250 2.0.0 <a+N", "250 2.0.0 <a+@", "250 2.0.0 <a@"),
            ]
        )
    messages = await house.messages()
    assert [(message.address, message.tag) for message in messages] == [
        ("a@here.test", None),
        ("a@here.test", "news"),
        ("a@here.test", ""),
    ]


async def test_a_tag_is_stored_with_the_message(lmtp: Conversation, house: House) -> None:
    await lmtp.play([("MAIL FROM:<>", "250"), ("RCPT TO:<b+News.Letter@here.test>", "250"), ("DATA", "354")])
    await lmtp.play([(".", "250 2.0.0 <b+News.Letter@here.test>")])
    (message,) = await house.messages()
    assert (message.address, message.tag) == ("b@here.test", "news.letter")


async def test_attack_024_over_quota(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, tiers={"free": {"addresses": 500, "storage_mb": 1}})
    async with open_core(settings) as core:
        small = House(core, house.actor)
        async with open_door(settings, small) as mxd, conversation(mxd.lmtp) as lmtp:
            await lmtp.play([("LHLO mta.test", "220", "250-"), ("MAIL FROM:<>", "250")])
            await lmtp.play([("RCPT TO:<a@here.test>", "250"), ("DATA", "354")])
            await lmtp.play([("x" * 1_100_000 + "\r\n.", "250"), ("MAIL FROM:<>", "250")])
            async with asyncio.timeout(1):  # a change is in force within a second
                await lmtp.say("RCPT TO:<b@here.test>")
                while not (await lmtp.reply()).startswith("452 4.2.2"):
                    await asyncio.sleep(0.02)
                    await lmtp.say("RCPT TO:<b@here.test>")


async def test_attack_025_a_dictionary_attack_ends(lmtp: Conversation) -> None:
    await lmtp.say_raw(b"MAIL FROM:<>\r\n" + b"".join(b"RCPT TO:<%d@here.test>\r\n" % n for n in range(1000)))
    await lmtp.hear("250", *["550 5.1.1"] * 100, "421 4.7.0", "")


async def test_attack_032_http_and_tls_get_nothing(mxd: RunningMxd) -> None:
    with capture_logs() as logs:
        async with conversation(mxd.lmtp) as talk:
            await talk.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nLHLO x\r\nMAIL FROM:<>")
            await talk.hear("220", "500 5.5.1", "")
        async with conversation(mxd.lmtp) as talk:
            await talk.say_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n" + b"x" * 500)
            await talk.hear("220", "500 5.5.1", "")
    told = [entry["event"] for entry in logs if entry["log_level"] != "debug"]
    assert sorted(told) == ["session.http_on_mail_port", "session.tls_on_plain_port"]


async def test_commands_end_in_crlf_only(lmtp: Conversation) -> None:
    await lmtp.say_raw(b"NOOP\n")
    await lmtp.hear("500 5.5.2")
    await lmtp.play(
        [(b"NO\0OP", "500 5.5.2"), (b"NOOP\r", "500 5.5.2"), (b"NOOP\rNOOP", "500 5.5.2"), (b"", "500 5.5.2")]
    )
    await lmtp.play([(b"NOOP  ", "250"), ("Noop", "250"), ("ΝΟΟΡ", "500 5.5.2"), ("ſend", "500 5.5.2")])  # noqa: RUF001


async def test_a_command_in_pieces_is_answered_when_it_is_whole(lmtp: Conversation) -> None:
    await lmtp.say_raw(b"NOOP\r\nNO")
    await lmtp.hear("250")
    await lmtp.say_raw(b"OP\r\n")
    await lmtp.hear("250")


async def test_replies_before_a_wait_are_sent_before_it(lmtp: Conversation) -> None:
    await lmtp.say_raw(b"MAIL FROM:<>\r\nRCPT TO:<a@here.test>\r\nDATA\r\n")
    await lmtp.hear("250", "250", "354")
    await lmtp.play([("\r\n.", "250")])
