"""Addresses and the recipients feed."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.conftest import POLICY, Customer
from mailkeep.bootstrap import Core
from mailkeep.domain.address import ROLE_NAMES, AddressStatus, canonical_address, split_subaddress
from mailkeep.domain.scope import Actor
from mailkeep.errors import Conflict, InvalidInput, LimitReached, NameReserved, NotAllowed, NotFound


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("A.b@Mail.Test", "a.b@mail.test"),
        ("a@bücher.test", "a@xn--bcher-kva.test"),
        ("a@BÜCHER.test", "a@xn--bcher-kva.test"),
        ("jörg@mail.test", "jörg@mail.test"),
        ("a+b@mail.test", "a+b@mail.test"),
    ],
)
def test_one_spelling(text: str, canonical: str) -> None:
    assert canonical_address(text) == canonical
    assert canonical_address(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "", "@", "a@", "@b.test", "a", "a..b@c.test", ".a@c.test", "a.@c.test", "a b@c.test", "a@c..test", "a@-c.test",
        "a@c.test.", "@r1:a@b.test", "a(comment)@b.test", '"a"@b.test', "a@[127.0.0.1]", "a@b.test\r\n", "a\0@b.test",
        "a\u200b@b.test\u0085", "<a@b.test>", "a@b@c.test", "x" * 65 + "@b.test",
        "a@" + "b" * 64 + ".test", "a@" + "b." * 130,         "\ud800@b.test", "a@xn--\u00e4.test",
    ],
)  # fmt: skip
def test_no_address(text: str) -> None:
    with pytest.raises(InvalidInput):
        canonical_address(text)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_is_not(text: str) -> None:
    try:
        address = canonical_address(text)
    except InvalidInput:
        return
    assert canonical_address(address) == address


def test_subaddresses() -> None:
    assert split_subaddress("a+b+c@d.test") == ("a@d.test", "b+c")
    assert split_subaddress("a+@d.test") == ("a@d.test", "")
    assert split_subaddress("a@d.test") == ("a@d.test", None)
    assert split_subaddress("+a@d.test") == ("+a@d.test", None)


async def test_the_life_of_an_address(core: Core, alice: Customer) -> None:
    made = await core.addresses.create(alice.actor, local_part="Sign.Up", label="sign-up")
    assert (made.address, made.label, made.status) == ("sign.up@mail.test", "sign-up", AddressStatus.ACTIVE)
    changed = await core.addresses.update(alice.actor, made.id, active=False)
    assert (changed.label, changed.status) == ("sign-up", AddressStatus.INACTIVE)
    assert await core.addresses.get(alice.actor, made.id) == changed
    page, cursor = await core.addresses.list(alice.actor, limit=1)
    assert page == [changed]
    page, cursor = await core.addresses.list(alice.actor, limit=1, before=cursor)
    assert (page, cursor) == ([alice.address], None)
    await core.addresses.delete(alice.actor, made.id)
    with pytest.raises(NotFound):
        await core.addresses.get(alice.actor, made.id)


async def test_a_deleted_address_goes_to_nobody_else(core: Core, alice: Customer, bob: Customer) -> None:
    made = await core.addresses.create(alice.actor, local_part="mine")
    await core.addresses.delete(alice.actor, made.id)
    with pytest.raises(Conflict):
        await core.addresses.create(bob.actor, local_part="mine")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"address": "a@elsewhere.test"}, "address"),
        ({"address": "nonsense"}, "address"),
        ({"address": ""}, "address"),
        ({"local_part": ""}, "local_part"),
        ({"local_part": "a+b"}, "local_part"),
        ({"local_part": "a@b"}, "local_part"),
        ({"local_part": "a", "address": "a@mail.test"}, "local_part"),
        ({"label": "x" * 101}, "label"),
        ({"label": "a\nb"}, "label"),
    ],
)
async def test_what_cannot_be_created(core: Core, alice: Customer, given: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await core.addresses.create(alice.actor, **given)
    assert caught.value.field == field


async def test_attack_023_nobody_becomes_postmaster(core: Core, alice: Customer) -> None:
    assert {"postmaster", "abuse", "admin", "administrator", "hostmaster", "webmaster", "root"} <= ROLE_NAMES
    for name in (*ROLE_NAMES, "PostMaster"):
        with pytest.raises(NameReserved) as caught:
            await core.addresses.create(alice.actor, local_part=name)
        assert caught.value.field == "local_part"
        with pytest.raises(NameReserved):
            await core.addresses.create(alice.actor, address=f"{name}@mail.test")
    made = await core.addresses.create(alice.actor, local_part="postmaster-tests")
    assert made.address == "postmaster-tests@mail.test"


async def test_the_limit_of_the_tier_holds_in_a_race(core: Core, alice: Customer) -> None:
    results = await asyncio.gather(*(core.addresses.create(alice.actor) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, LimitReached) for result in results) == 8
    page, _ = await core.addresses.list(alice.actor)
    assert len(page) == 3


async def test_the_feed_tells_every_change_in_order(core: Core, alice: Customer) -> None:
    snapshot = await core.recipients.changes(POLICY, 0)
    assert [recipient.address for recipient in snapshot.recipients] == [alice.address.address]
    made = await core.addresses.create(alice.actor, local_part="new")
    await core.addresses.update(alice.actor, alice.address.id, active=False)
    await core.addresses.delete(alice.actor, made.id)
    changes = await core.recipients.changes(POLICY, snapshot.cursor)
    assert [(recipient.address_id, recipient.active, recipient.deleted) for recipient in changes.recipients] == [
        (alice.address.id, False, False),
        (made.id, True, True),
    ]
    assert (await core.recipients.changes(POLICY, changes.cursor)).recipients == ()
    assert made.id not in {recipient.address_id for recipient in (await core.recipients.changes(POLICY, 0)).recipients}


@pytest.mark.usefixtures("bob")
async def test_the_feed_in_pages(core: Core, alice: Customer) -> None:
    await core.addresses.create(alice.actor)
    first = await core.recipients.changes(POLICY, 0, limit=2)
    last = await core.recipients.changes(POLICY, first.cursor, limit=2)
    assert (len(first.recipients), first.more, len(last.recipients), last.more) == (2, True, 1, False)


async def test_the_feed_waits_and_wakes(core: Core, alice: Customer) -> None:
    cursor = (await core.recipients.changes(POLICY, 0)).cursor
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = group.create_task(core.recipients.changes(POLICY, cursor, wait_s=60))
        await asyncio.sleep(0.05)
        made = await core.addresses.create(alice.actor)
    assert [recipient.address_id for recipient in waiting.result().recipients] == [made.id]


@pytest.mark.usefixtures("alice")
async def test_a_cursor_of_the_future_is_recognised(core: Core) -> None:
    """The database was restored from a backup: the reader must start again."""
    answer = await core.recipients.changes(POLICY, 1_000_000, wait_s=60)
    assert (answer.recipients, answer.cursor) == ((), 1)


async def test_the_feed_is_for_the_policy_scope(core: Core, alice: Customer) -> None:
    for actor in (alice.actor, Actor(scopes=frozenset())):
        with pytest.raises(NotAllowed):
            await core.recipients.changes(actor, 0)
