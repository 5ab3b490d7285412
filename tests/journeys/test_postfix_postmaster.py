"""Mail to postmaster is refused, unless the operator has it delivered as docs/POSTFIX.md says."""

from __future__ import annotations

import re
import smtplib
from pathlib import Path

import pytest

from journeys.shipped import UNLIMITED, shipped_house, shipped_postfix
from services.api import logged_in
from services.mailkeep import DOMAIN

ROOT = Path(__file__).parents[2]


def documented(policy_port: int, operators_address: str) -> dict[str, str]:
    """The lines for main.cf in the documentation, for the names of the test."""
    text = (ROOT / "docs" / "POSTFIX.md").read_text()
    settings = dict(re.findall(r"^(virtual_alias_maps|smtpd_recipient_restrictions) = (.*)$", text, re.MULTILINE))
    assert len(settings) == 2
    replaced = {"operator@mail.example.org": operators_address, "mail.example.org": DOMAIN, "10040": str(policy_port)}
    for name, value in settings.items():
        for documented_value, ours in replaced.items():
            value = value.replace(documented_value, ours)
        settings[name] = value.replace("{", "{{").replace("}", "}}")  # not a field of a format string
    return settings


@pytest.mark.timeout(300)
async def test_attack_023_postmaster_is_refused_until_the_operator_wants_it(tmp_path: Path) -> None:
    with shipped_house(tmp_path) as house:
        with house.smtp() as client:
            client.mail("sender@client.test")
            assert client.rcpt(f"postmaster@{DOMAIN}")[0] == 550
        changed = UNLIMITED | documented(house.mailkeep.policy_port, house.customer.address)
        with shipped_postfix(house.mailkeep, "--mode=one-machine", overrides=changed) as postfix:
            with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="client.test", timeout=30) as client:
                client.sendmail(
                    "sender@client.test",
                    [f"Postmaster@{DOMAIN}", f"abuse@{DOMAIN}"],
                    b"Subject: your domain\r\n\r\nx\r\n",
                )
                client.mail("sender@client.test")
                refused = [client.rcpt(name)[0] for name in (f"nobody@{DOMAIN}", "postmaster@elsewhere.test")]
                assert refused == [550, 554]
            postfix.wait_empty()
        async with logged_in(house.mailkeep.url, house.customer) as api:
            assert {message["address"] for message in await api.messages()} == {house.customer.address}
