"""Infected mail over HTTP: what it says is shown, what is infected is given to nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.test_messages import PATH, message_of
from api.world import Customer, World, open_world, settings_in
from mailkeep.mail.scan_probes import EICAR
from services.clamd import FOUND, Clamd
from services.infected import ATTACHED, CLEAN, INFECTED


@pytest.fixture
async def world(tmp_path: Path, clamd: Clamd) -> AsyncIterator[World]:
    async with open_world(settings_in(tmp_path, scan={"mode": "quarantine", "clamd": clamd.place})) as opened:
        yield opened


@pytest.mark.parametrize("where", INFECTED)
async def test_the_source_of_infected_mail_is_blocked(where: str, world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, INFECTED[where])
    assert answer.json["malware"] == FOUND
    for method in ("GET", "HEAD"):
        blocked = await world.ask(method, f"{path}/source", ada)
        assert blocked.status == 403
        assert EICAR not in blocked.body
    assert (await world.ask("GET", f"{path}/source", ada)).is_problem(403, "quarantined")


async def test_an_infected_attachment_is_blocked_and_its_neighbour_is_not(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, ATTACHED)
    bad, good = answer.json["attachments"]
    assert (bad["filename"], bad["malware"], good["malware"]) == ("bad.com", FOUND, "")
    assert (await world.ask("GET", f"{path}/attachments/{bad['id']}", ada)).is_problem(403, "quarantined")
    assert (await world.ask("GET", f"{path}/attachments/{good['id']}", ada)).body == b"harmless"
    assert (await world.ask("GET", f"{path}/html?raw=1", ada)).is_problem(403, "quarantined")
    for view in ("html", "text", "headers"):
        assert (await world.ask("GET", f"{path}/{view}", ada)).status == 200


async def test_another_customer_does_not_hear_of_it(world: World, ada: Customer, bob: Customer) -> None:
    path, answer = await message_of(world, ada, ATTACHED)
    for part in ("source", f"attachments/{answer.json['attachments'][0]['id']}", "html?raw=1"):
        assert (await world.ask("GET", f"{path}/{part}", bob)).is_problem(404, "not-found")


async def test_clean_mail_is_given_out(world: World, ada: Customer) -> None:
    path, answer = await message_of(world, ada, CLEAN)
    assert answer.json["malware"] == ""
    assert (await world.ask("GET", f"{path}/source", ada)).body == CLEAN
    assert (await world.ask("GET", f"{PATH}", ada)).status == 200
