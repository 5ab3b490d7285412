"""XFORWARD (Postfix XFORWARD_README): whose mail it is, who may say so, and for how long it holds."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep.config import LOOPBACK
from mailkeep.domain.message import Transport
from mailkeep_mxd import replies
from mailkeep_mxd.syntax import Rejected
from mailkeep_mxd.xforward import Forwarded, is_trusted, updated
from mxd.conversation import Conversation, Line, conversation
from mxd.house import House, open_door, settings_for

ALL = (
    "XFORWARD NAME=spike.porcupine.org ADDR=168.100.189.2 PORT=4711 PROTO=ESMTP",
    "xforward helo=spike.porcupine.org ident=4Xabc12345 source=REMOTE",
)
SENDER = Transport("168.100.189.2", "spike.porcupine.org", "spike.porcupine.org", "ESMTP", "")
DIRECT = Transport("127.0.0.1", "", "mta.test", "LMTP", "")


def message(content: str = "Subject: x\r\n\r\nx\r\n") -> tuple[Line, ...]:
    return (
        ("MAIL FROM:<s@x.test>", "250"),
        ("RCPT TO:<a@here.test>", "250"),
        ("DATA", "354"),
        (content + ".", "250"),
    )


async def transports(house: House) -> list[Transport]:
    return [(await house.core.inbox.read(house.actor, message.id)).transport for message in await house.messages()]


async def test_the_message_knows_its_sender_and_the_next_one_does_not(lmtp: Conversation, house: House) -> None:
    await lmtp.play([*((line, "250 2.0.0") for line in ALL), *message(), *message()])
    assert await transports(house) == [SENDER, DIRECT]


async def test_rset_and_a_greeting_forget_it(lmtp: Conversation, house: House) -> None:
    for forget in (("RSET", "250"), ("LHLO mta.test", "250-")):
        await lmtp.play([(ALL[0], "250"), forget, *message()])
    assert await transports(house) == [DIRECT, DIRECT]


async def test_nothing_of_our_own_session_is_mixed_in(lmtp: Conversation, house: House) -> None:
    await lmtp.play([("XFORWARD ADDR=192.0.2.7", "250"), *message()])
    await lmtp.play([("XFORWARD NAME=local.test PROTO=ESMTP ADDR=[unavailable]", "250"), *message()])
    assert await transports(house) == [Transport(client_ip="192.0.2.7"), Transport()]


async def test_it_comes_between_messages(lmtp: Conversation) -> None:
    await lmtp.play([("MAIL FROM:<>", "250"), (ALL[0], "503 5.5.1"), ("RSET", "250"), (ALL[0], "250")])


async def test_it_comes_after_a_greeting(house: House, tmp_path: Path) -> None:
    async with open_door(settings_for(tmp_path), house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.play([("XFORWARD NAME=x", "220", "503 5.5.1")])


async def test_from_elsewhere_it_is_not_announced_and_not_believed(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"xforward_networks": ["192.0.2.0/24"]})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.hear("220")
        await talk.say("LHLO mta.test")
        assert "XFORWARD" not in await talk.reply()
        await talk.play([(ALL[0], "550 5.7.1"), *message()])
    assert await transports(house) == [DIRECT]


async def test_over_a_unix_socket_it_is_believed_like_this_machine(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"listen": f"unix:{tmp_path}/lmtp"})
    async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
        await talk.play([("LHLO mta.test", "220", "250-"), *((line, "250") for line in ALL), *message()])
    assert await transports(house) == [SENDER]


RECEIVED_BY_TLS = (
    "Received: from spike.porcupine.org (spike.porcupine.org [168.100.189.2])\r\n"
    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\r\n"
    "\t key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\r\n"
    "\t(No client certificate requested)\r\n"
    "\tby mta.test (Postfix) with ESMTPS id 4Xabc12345\r\n"
    "\tfor <a@here.test>; Tue, 24 Nov 2026 09:30:00 +0000 (UTC)\r\n\r\nx\r\n"
)


async def test_the_tls_of_the_sender_is_what_our_postfix_wrote(lmtp: Conversation, house: House) -> None:
    """XFORWARD has no attribute for it; without XFORWARD nobody vouches for the top Received field."""
    await lmtp.play([(ALL[0], "250"), *message(RECEIVED_BY_TLS), *message(RECEIVED_BY_TLS.replace("id 4X", "id 5X"))])
    assert [transport.tls for transport in await transports(house)] == ["TLSv1.3 TLS_AES_256_GCM_SHA384", ""]


async def test_exactly_once_with_and_without_xforward(house: House, tmp_path: Path) -> None:
    """The reply to the dot was lost; Postfix, and mxd with another configuration, start again between two tries."""
    for networks in (["127.0.0.0/8"], ["127.0.0.0/8"], [], []):
        settings = settings_for(tmp_path, lmtp={"xforward_networks": networks})
        async with open_door(settings, house) as mxd, conversation(mxd.lmtp) as talk:
            await talk.play([("LHLO mta.test", "220", "250-")])
            if networks:
                await talk.play([(line, "250") for line in ALL])
            await talk.play(message(RECEIVED_BY_TLS))
    assert len(await house.messages()) == 1


async def test_two_hosts_with_the_same_queue_id_are_two(lmtp: Conversation, house: House) -> None:
    for host in ("mx1.test", "mx2.test"):
        await lmtp.play([(f"LHLO {host}", "250-"), ("XFORWARD ADDR=192.0.2.1 IDENT=4Xabc12345", "250"), *message()])
    await lmtp.play([("XFORWARD ADDR=192.0.2.1 IDENT=4Xabc12345", "250"), *message()])
    assert len(await house.messages()) == 2


async def test_attack_026_mail_in_a_loop_is_refused_for_each_recipient(lmtp: Conversation, house: House) -> None:
    hop = "Received: from a.test by b.test; Tue, 24 Nov 2026 09:30:00 +0000\r\n"
    await lmtp.play(message(hop * 100 + "\r\nx\r\n"))
    await lmtp.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("RCPT TO:<b@here.test>", "250")])
    await lmtp.play([("DATA", "354"), (hop.upper() + hop * 100 + "\r\nx\r\n.", "554 5.4.6", "554 5.4.6")])
    # A message that is attached, or quoted, may have come a long way.
    await lmtp.play([*message("Subject: x\r\n\r\n" + hop * 200), ("QUIT", "221")])
    assert len(await house.messages()) == 2


@pytest.mark.parametrize(
    ("argument", "known"),
    [
        ("NAME=a+2Bb.test", Forwarded(name="a+b.test")),
        ("HELO=+5B192.0.2.1+5D", Forwarded(helo="[192.0.2.1]")),
        ("HELO=a+0D+0Ab+00+FF+22", Forwarded(helo="a??b???")),
        ("HELO=<script>", Forwarded(helo="?script?")),
        ("ADDR=IPV6:2001:db8::1", Forwarded(addr="2001:db8::1")),
        ("ADDR=2001:db8::1", Forwarded(addr="2001:db8::1")),
        ("NAME=[UNAVAILABLE]  HELO=[Unavailable]", Forwarded(addr="192.0.2.1")),
        ("PORT=[UNAVAILABLE] SOURCE=local PROTO=SMTP", Forwarded(name="before.test", addr="192.0.2.1", proto="SMTP")),
    ],
)
def test_values_are_decoded_and_made_harmless(argument: str, known: Forwarded) -> None:
    before = Forwarded(name="before.test", addr="192.0.2.1") if "UNAVAILABLE" in argument else None
    assert updated(before, argument) == known


@pytest.mark.parametrize(
    "argument",
    [
        "", "NAME", "NAME=", "=x", "FOO=x", "NAME=a+2", "NAME=a+zz", "NAME=a=b\tc", "PORT=x", "PORT=123456", "PORT=-1",
        "SOURCE=MARS", f"PROTO={'x' * 65}", f"NAME={'x' * 256}", "NAME=ä.test", "NAME=x FOO=y", "NAME x",
    ],
)  # fmt: skip
def test_what_is_no_attribute_is_refused(argument: str) -> None:
    with pytest.raises(Rejected) as caught:
        updated(None, argument)
    assert caught.value.reply is replies.BAD_ARGUMENT


@given(st.text(max_size=100))
def test_no_argument_gets_past_as_an_exception_or_with_what_is_special_in_a_header(text: str) -> None:
    for argument in (text, f"NAME={text}", f"HELO=+{text}", f"NAME={''.join(f'+{ord(c) % 256:02X}' for c in text)}"):
        try:
            known = updated(None, argument)
        except Rejected:
            continue
        for value in (known.name, known.addr, known.proto, known.helo, known.ident):
            assert value.isascii()
            assert not set(value) & set(' ()<>@,;"\\\r\n\t\0')


@pytest.mark.parametrize(
    ("client_ip", "networks", "trusted"),
    [
        ("127.0.0.1", LOOPBACK, True),
        ("127.8.9.10", LOOPBACK, True),
        ("::1", LOOPBACK, True),
        ("", LOOPBACK, True),
        ("::ffff:127.0.0.1", LOOPBACK, True),
        ("192.0.2.1", LOOPBACK, False),
        ("::2", LOOPBACK, False),
        ("127.0.0.1", (), False),
        ("", (), False),
        ("2001:db8::1", (IPv6Network("2001:db8::/64"),), True),
        ("fe80::1%eth0", (IPv6Network("fe80::/10"),), True),
    ],
)
def test_whom_we_believe(client_ip: str, networks: tuple[IPv4Network | IPv6Network, ...], trusted: bool) -> None:
    assert is_trusted(client_ip, networks) is trusted
