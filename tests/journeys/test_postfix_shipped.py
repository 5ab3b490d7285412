"""The shipped configuration takes mail for the addresses that exist, and does nothing else."""

from __future__ import annotations

import smtplib
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from journeys.shipped import SENDER, House, shipped_house
from services.api import logged_in
from services.daemon import find_program, wait_until
from services.mailkeep import DOMAIN

MAX_MESSAGE_BYTES: Final = 300_000
VICTIM: Final = "victim@elsewhere.test"

# Whoever the sender says it is, and however the way is written, nothing is taken for elsewhere.
RELAYING: Final = {
    "plain": (SENDER, VICTIM),
    "null sender": ("", VICTIM),
    "sender of our domain": (f"anybody@{DOMAIN}", VICTIM),
    "sender is the MX": ("root@mx.mail.test", VICTIM),
    "sender is an address literal": ("root@[127.0.0.1]", VICTIM),
    "percent": (SENDER, f"victim%elsewhere.test@{DOMAIN}"),
    "percent at the MX": (SENDER, "victim%elsewhere.test@mx.mail.test"),
    "percent at an address literal": (SENDER, "victim%elsewhere.test@[127.0.0.1]"),
    "percent without domain": (SENDER, "victim%elsewhere.test"),
    "bang": (SENDER, f"elsewhere.test!victim@{DOMAIN}"),
    "bang without domain": (SENDER, "elsewhere.test!victim"),
    "bang and percent": (SENDER, f"elsewhere.test!victim%elsewhere.test@{DOMAIN}"),
    "quoted at": (SENDER, f'"{VICTIM}"@{DOMAIN}'),
    "quoted at without domain": (SENDER, f'"{VICTIM}"'),
    "quoted percent": (SENDER, f'"victim%elsewhere.test"@{DOMAIN}'),
    "two at": (SENDER, f"{VICTIM}@{DOMAIN}"),
    "two at, ours first": (SENDER, f"victim@{DOMAIN}@elsewhere.test"),
    "source route": (SENDER, f"@{DOMAIN}:{VICTIM}"),
    "long source route": (SENDER, f"@{DOMAIN},@mx.mail.test:{VICTIM}"),
    "source route over elsewhere": (SENDER, f"@elsewhere.test:victim@{DOMAIN}"),
    "our domain as a prefix": (SENDER, f"victim@{DOMAIN}.elsewhere.test"),
    "our domain as a suffix": (SENDER, f"victim@elsewhere-{DOMAIN}"),
    "below our domain": (SENDER, f"victim@below.{DOMAIN}"),
    "the MX itself": (SENDER, "root@mx.mail.test"),
    "localhost": (SENDER, "root@localhost"),
    "an address literal": (SENDER, "root@[127.0.0.1]"),
    "a user of the machine": (SENDER, "root"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    settings = {"MAILKEEP_LMTP__MAX_MESSAGE_BYTES": str(MAX_MESSAGE_BYTES)}
    with shipped_house(tmp_path_factory.mktemp("shipped"), settings=settings) as running:
        yield running


def rcpt(house: House, recipient: str, *, sender: str = SENDER) -> str:
    """The reply to RCPT, code and text."""
    with house.smtp() as client:
        assert client.docmd(f"MAIL FROM:<{sender}>")[0] == 250
        return line(client.docmd(f"RCPT TO:<{recipient}>"))


def line(reply: tuple[int, bytes]) -> str:
    return f"{reply[0]} {reply[1].decode()}"


def test_postfix_check_has_nothing_to_say(house: House) -> None:
    command = [find_program("postfix"), "-c", str(house.postfix.configuration), "check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize(("sender", "recipient"), RELAYING.values(), ids=RELAYING.keys())
def test_it_relays_for_nobody(house: House, sender: str, recipient: str) -> None:
    reply = rcpt(house, recipient, sender=sender)
    assert reply[:3] in {"501", "550", "553", "554"}, reply
    house.require_nothing_taken()


def test_an_unknown_recipient_is_refused_at_rcpt_and_nobody_gets_a_bounce(house: House) -> None:
    for sender in (SENDER, ""):
        assert rcpt(house, f"nobody@{DOMAIN}", sender=sender).startswith("550 5.1.1 ")
    house.require_nothing_taken()


async def test_an_inactive_address_is_refused_at_rcpt(house: House) -> None:
    async with logged_in(house.mailkeep.url, house.customer) as client:
        created = await client.create_address(local_part="sleeping")
        assert rcpt(house, created["address"]).startswith("250 ")
        await client.call("PATCH", f"/api/v1/addresses/{created['id']}", json={"active": False})
    # In force within a second; a busy machine may take longer.
    wait_until(lambda: rcpt(house, created["address"]).startswith("550 5.2.1 "), what="not refused", timeout_s=10)
    house.require_nothing_taken()


async def test_attack_030_an_address_counts_from_when_it_is_made_until_it_is_deleted(house: House) -> None:
    wanted = f"brand-new@{DOMAIN}"
    assert rcpt(house, wanted).startswith("550 5.1.1 ")
    async with logged_in(house.mailkeep.url, house.customer) as client:
        created = await client.create_address(address=wanted)
        assert rcpt(house, wanted).startswith("250 ")
        await client.call("DELETE", f"/api/v1/addresses/{created['id']}", expect=204)
    wait_until(lambda: rcpt(house, wanted).startswith("550 5.1.1 "), what="not refused", timeout_s=10)
    house.require_nothing_taken()


def test_smtp_is_spoken_as_it_is_written(house: House) -> None:
    with smtplib.SMTP("127.0.0.1", house.postfix.port, timeout=30) as client:
        assert client.docmd(f"MAIL FROM:<{SENDER}>")[0] == 503  # HELO first
        client.ehlo("client.test")
        offered = set(client.esmtp_features)
        assert {"pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes"} <= offered
        assert not {"vrfy", "etrn", "dsn", "auth"} & offered
        assert client.docmd(f"VRFY {house.customer.address}")[0] == 502
        assert client.docmd(f"ETRN {DOMAIN}")[0] in {500, 501, 502, 554}
        assert client.docmd("AUTH PLAIN AGEAYg==")[0] in {500, 502, 503}
        assert client.docmd(f"MAIL FROM:{SENDER}")[0] == 501  # no angle brackets
        assert client.docmd(f"MAIL FROM:<{SENDER}>")[0] == 250
        assert client.docmd(f"RCPT TO:<{house.customer.address}> NOTIFY=SUCCESS")[0] in {501, 555}
        assert client.docmd(f"RCPT TO:<{house.customer.address} (a comment)>")[0] == 501


def test_the_machine_itself_cannot_send_either(house: House) -> None:
    command = [find_program("sendmail"), "-C", str(house.postfix.configuration), VICTIM]
    done = subprocess.run(command, input="Subject: x\n\nx\n", capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    house.require_nothing_taken()


async def test_what_is_sent_is_stored_as_it_was_sent(house: House) -> None:
    content = b"Subject: as it was\r\nContent-Type: text/plain\r\n\r\n" + b"\xff" * 3_000 + b"\r\n.\r\n..\r\n"
    house.send(content)
    house.postfix.wait_empty()
    async with logged_in(house.mailkeep.url, house.customer) as client:
        [message] = [m for m in await client.wait_for_messages(1) if m["subject"] == "as it was"]
        assert (await client.source(message["id"])).endswith(content)


async def test_what_postfix_takes_is_never_too_large_for_mxd(house: House) -> None:
    """Else a mail of nearly the limit would be accepted and then be lost: Postfix adds a header to it."""
    taken = [size for size in range(MAX_MESSAGE_BYTES - 3_000, MAX_MESSAGE_BYTES + 1, 100) if _takes(house, size)]
    assert taken
    assert max(taken) < MAX_MESSAGE_BYTES
    house.postfix.wait_empty()
    assert {delivery.status for delivery in house.postfix.deliveries()} == {"sent"}
    with house.smtp() as client:
        assert client.esmtp_features["size"] == str(MAX_MESSAGE_BYTES)
        assert client.docmd(f"MAIL FROM:<{SENDER}> SIZE={MAX_MESSAGE_BYTES + 1}")[0] == 552


def _takes(house: House, size: int) -> bool:
    lines, rest = divmod(size, 1_000)
    with house.smtp() as client:
        client.mail(SENDER)
        client.rcpt(house.customer.address)
        code, text = client.data(b"\r\n" * (rest // 2) + (b"x" * 998 + b"\r\n") * lines)
    assert code in {250, 552}, text
    return code == 250
