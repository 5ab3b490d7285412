"""The operator's commands, by which an installation is set up: one after the other, as processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from mailkeep.services.session_keys import LOOK_EVERY_S
from services.api import logged_in
from services.mailkeep import PASSWORD, Customer, Mailkeep, wait_for_recipient


async def test_an_installation_is_set_up_by_its_commands(tmp_path: Path, database_url: str) -> None:
    fresh = Mailkeep(tmp_path, database_url=database_url)
    assert fresh.output("db", "upgrade").startswith("the schema is at revision ")
    token = fresh.output("token", "create", "--scope", "policy", "--name", "mxd").strip()
    fresh.environment["MAILKEEP_RECIPIENTS__TOKEN"] = token
    printed = fresh.output("user", "create", "me@here.test", "--password-stdin", "--json", stdin=f"{PASSWORD}\n")
    made = json.loads(printed)
    customer = Customer(made["account_id"], "me@here.test", PASSWORD, made["address"])
    try:
        fresh.start()
        wait_for_recipient(fresh, customer.address)
        async with logged_in(fresh.url, customer) as client:
            assert await client.messages() == []
        fresh.stop()
    finally:
        fresh.kill()


async def test_a_running_process_notices_that_keys_were_rotated(mailkeep: Mailkeep) -> None:
    customer = mailkeep.create_customer("me@here.test")
    mailkeep.start_api()
    async with logged_in(mailkeep.url, customer) as client:
        assert mailkeep.output("keys", "rotate") == "rotated: sessions stay\n"
        await asyncio.sleep(LOOK_EVERY_S + 0.2)
        assert await client.messages() == []
        assert mailkeep.output("keys", "rotate", "--drop-previous") == "all sessions ended\n"
        await asyncio.sleep(LOOK_EVERY_S + 0.2)
        await client.call("GET", "/api/v1/messages", expect=401)
        await client.log_in(customer.email, customer.password)
        assert await client.messages() == []
