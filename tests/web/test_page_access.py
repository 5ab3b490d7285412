"""Every page and form against everybody who may come, by the table in page_access.md."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from api.world import Answer, World
from mailkeep.domain.account import Role, User
from mailkeep.domain.scope import Scope, operator
from mailkeep_web.app import PAGES
from mailkeep_web.routing import Route
from security.callers import session_of
from web.site import Visitor, colleague_of, mail_with_file, open_site, site_settings, visitor_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES: Final = tuple(route for page in PAGES for route in page.routes)
STREAMS: Final = {"/inbox/events", "/settings/export/events"}  # asked for their headers alone
# Enough for the forms that are read before core is asked; whoever is let in changes nothing with it.
FORM: Final = {"overlap": "0", "action": "read", "id": "0", "newest": "0", "tier": "no such tier"}
# Nothing is sold here, so that there is nothing to pay for anybody; who may is asked where there is (tests of billing).
OFF: Final = {"/billing/checkout", "/billing/portal"}
NOBODYS: Final = "0" * 16


@dataclass(frozen=True)
class Row:
    """What one page answers."""

    everybody: bool
    roles: frozenset[str]
    administrator: bool
    anothers: str


@dataclass(frozen=True)
class Everybody:
    """`cookies`: what each of them sends. `ids`: of what is the owner's."""

    world: World
    people: Mapping[Role, User]
    bob: User
    admin_token: str
    api_token: str
    ids: Mapping[str, str]


def read_table() -> dict[str, Row]:
    lines = Path(__file__).with_name("page_access.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {
        page.strip("`"): Row(roles == "everybody", frozenset(roles.split()) - {"-"}, administrator == "yes", anothers)
        for page, roles, administrator, anothers in rows
    }


TABLE: Final = read_table()


def name(route: Route) -> str:
    return f"{route.method} {route.path}"


every_page = pytest.mark.parametrize("route", ROUTES, ids=name)


def row_of(route: Route) -> Row:
    assert name(route) in TABLE, "a page without a line in page_access.md: decide who may open it"
    return TABLE[name(route)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def everybody(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Everybody]:
    settings = site_settings(tmp_path_factory.mktemp("pages"), site={"styleguide": True})
    async with open_site(settings) as world, visitor_of(world) as ada, visitor_of(world) as bob:
        await ada.register("ada@example.org")
        await bob.register("bob@example.org")
        people = {Role.OWNER: await user_of(ada)}
        for role in (Role.MEMBER, Role.VIEWER):
            async with colleague_of(ada, role) as colleague:
                people[role] = await user_of(colleague)
        actor = await ada.actor()
        message = await ada.receive(mail_with_file("a.pdf", "application/pdf", "x"))
        detail = await world.core.inbox.read(actor, message.id)
        api_token, token = await world.core.tokens.create(actor, "x", {Scope.MESSAGES_READ})
        admin_token, _ = await world.core.service_tokens.create(operator(), "root", {Scope.ADMIN})
        ids = {
            "message_id": message.id,
            "attachment_id": detail.attachments[0].id,
            "address_id": message.address_id,
            "session_id": actor.session_id or "",
            "token_id": token.id,
            "account_id": message.account_id,
        }
        yield Everybody(world, people, await user_of(bob), admin_token, api_token, ids)


async def user_of(visitor: Visitor) -> User:
    return await visitor.world.core.accounts.user(await visitor.actor())


async def knock(everybody: Everybody, route: Route, cookie: str, ids: Mapping[str, str] | None = None) -> Answer:
    """Ask as a browser does that has this cookie. Without ids it is about what is nobody's."""
    path = re.sub(r"\{(\w+)\}", lambda found: (ids or {}).get(found[1], NOBODYS), route.path)
    headers = {"Cookie": cookie, "Origin": everybody.world.url}
    method = "HEAD" if path in STREAMS else route.method
    return await everybody.world.ask(method, path, headers=headers, data=FORM if method == "POST" else None)


async def cookie_of(everybody: Everybody, user: User) -> str:
    """Of a new session: a form may have ended the one before."""
    return f"mailkeep={await session_of(everybody.world, user)}"


def is_let_in(answer: Answer) -> bool:
    assert answer.status < 500, answer
    return answer.status != 403 and not is_led_away(answer)


def is_led_away(answer: Answer) -> bool:
    return answer.status == 303 and re.match(r"/(admin/)?login(\?next=.*)?$", answer.headers["Location"]) is not None


async def test_the_table_names_no_page_that_is_gone() -> None:
    assert set(TABLE) == {name(route) for route in ROUTES}


@every_page
async def test_nobody(everybody: Everybody, route: Route) -> None:
    row = row_of(route)
    for cookie in ("", "mailkeep=x", f"mailkeep={everybody.api_token}", f"mailkeep={everybody.admin_token}"):
        answer = await knock(everybody, route, cookie)
        assert is_led_away(answer) is not row.everybody
        if not row.everybody:
            door = "/admin/login" if row.administrator else "/login"
            assert answer.headers["Location"].split("?")[0] == door


@every_page
async def test_roles(everybody: Everybody, route: Route) -> None:
    row = row_of(route)
    for role, user in everybody.people.items():
        answer = await knock(everybody, route, await cookie_of(everybody, user))
        if route.path == "/logout":
            assert answer.headers["Location"] == "/login?done=logged-out"
        elif route.path in OFF:
            assert answer.status in (404, 409), (role, answer)
        elif row.everybody or role.value in row.roles:
            assert is_let_in(answer), (role, answer)
        else:
            assert answer.status == 403, (role, answer)


@every_page
async def test_administrators(everybody: Everybody, route: Route) -> None:
    row = row_of(route)
    answer = await knock(everybody, route, f"mailkeep-admin={everybody.admin_token}")
    if route.path == "/admin/leave":
        assert answer.headers["Location"] == "/admin/login"
    else:
        assert is_let_in(answer) is (row.everybody or row.administrator), answer


@every_page
async def test_attack_061_what_is_anothers(everybody: Everybody, route: Route) -> None:
    """The ids are real and belong to somebody else: the answer is that there is no such thing."""
    row = row_of(route)
    assert (row.anothers == "-") is ("{" not in route.path)
    if row.anothers != "-":
        answer = await knock(everybody, route, await cookie_of(everybody, everybody.bob), everybody.ids)
        assert str(answer.status) == row.anothers
