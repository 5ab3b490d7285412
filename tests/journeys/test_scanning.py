"""Infected mail by way of a real Postfix, and a scanner that is away: the mail waits, and comes when it is back."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable

import pytest

from bench.measure import peak_rss_mib, reset_peak_rss, rss_mib
from journeys.test_large_mail import large_mail
from services.api import ApiClient
from services.clamd import FOUND, Clamd
from services.daemon import wait_until
from services.infected import ATTACHED, CLEAN, NESTED
from services.lmtp import dot_stuffed, lmtp_client
from services.mailkeep import Customer, Mailkeep
from services.postfix import Postfix

LARGE_AT_ONCE = 2
# Held whole, they would be 50; in pieces it is 15.
GROWTH_LIMIT_MIB = 40


@pytest.fixture
def database_url() -> str:
    """What is tested here does not depend on the engine."""
    return ""


@pytest.fixture
def mode() -> str:
    return "quarantine"


@pytest.fixture
def mailkeep_settings(own_clamd: Clamd, mode: str) -> dict[str, str]:
    return {
        "MAILKEEP_SCAN__MODE": mode,
        "MAILKEEP_SCAN__CLAMD": own_clamd.unix_place,
        "MAILKEEP_SCAN__TIMEOUT_S": "200",
    }


def send(postfix: Postfix, customer: Customer, content: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.test") as client:
        assert client.sendmail("sender@client.test", [customer.address], content) == {}


async def test_mail_waits_in_the_queue_for_the_scanner(
    running: Mailkeep,
    customer: Customer,
    inbox: ApiClient,
    own_clamd: Clamd,
    start_postfix: Callable[..., Postfix],
) -> None:
    postfix = start_postfix(running)
    own_clamd.daemon.stop()
    for content in (CLEAN, ATTACHED):
        send(postfix, customer, content)
    wait_until(lambda: len(postfix.deliveries()) >= 4, what="Postfix does not try again")
    assert {(delivery.status, delivery.dsn) for delivery in postfix.deliveries()} == {("deferred", "4.3.0")}
    assert len(postfix.queue()) == 2
    assert await inbox.messages() == []

    own_clamd.start()
    postfix.flush()
    postfix.wait_empty()
    found = {item["subject"]: item["id"] for item in await inbox.messages()}
    assert set(found) == {"clean", "infected"}
    malware = {
        subject: (await inbox.call("GET", f"/api/v1/messages/{message_id}"))["malware"]
        for subject, message_id in found.items()
    }
    assert malware == {"clean": "", "infected": FOUND}


@pytest.mark.parametrize("mode", ["reject"])
async def test_what_is_refused_leaves_the_queue_and_is_told_to_the_customer(
    running: Mailkeep, customer: Customer, inbox: ApiClient, start_postfix: Callable[..., Postfix]
) -> None:
    postfix = start_postfix(running)
    send(postfix, customer, NESTED)
    postfix.wait_empty()
    delivery = next(found for found in postfix.deliveries() if found.recipient == customer.address)
    assert (delivery.status, delivery.dsn) == ("bounced", "5.7.1")
    assert await inbox.messages() == []
    [address] = (await inbox.call("GET", "/api/v1/addresses"))["items"]
    refused: list[dict[str, object]] = []
    for _ in range(100):  # they are handed over each second
        refused = (await inbox.call("GET", f"/api/v1/addresses/{address['id']}/refusals"))["items"]
        if refused:
            break
        await asyncio.sleep(0.1)
    assert [(refusal["code"], refusal["status"]) for refusal in refused] == [(550, "5.7.1")]


@pytest.mark.timeout(300)
async def test_large_mail_is_scanned_in_bounded_memory(
    running: Mailkeep, customer: Customer, inbox: ApiClient, report_measured: Callable[[str], None]
) -> None:
    body = dot_stuffed(large_mail())
    assert len(body) > 25_000_000

    async def deliver(number: int) -> None:
        async with lmtp_client(running.lmtp_port) as lmtp:
            await lmtp.envelope([customer.address])
            [reply] = await lmtp.stuffed_data([b"X-Number: %d\r\n" % number, body], recipients=1)
            assert reply.startswith("250 "), reply

    await deliver(0)
    before_mib = rss_mib(running.mxd.pid)
    reset_peak_rss(running.mxd.pid)
    await asyncio.gather(*(deliver(number) for number in range(1, 1 + LARGE_AT_ONCE)))
    growth_mib = peak_rss_mib(running.mxd.pid) - before_mib
    report_measured(f"{LARGE_AT_ONCE} x 25 MB scanned at once: {before_mib:.0f} MiB and {growth_mib:.0f} MiB more")
    assert growth_mib < GROWTH_LIMIT_MIB
    assert len(await inbox.messages()) == 1 + LARGE_AT_ONCE
