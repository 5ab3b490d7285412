"""Attack 92: guessing passwords. Whoever fails waits, known and unknown accounts alike, and owners get in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select

from core.conftest import PASSWORD, settings_for
from mailkeep.bootstrap import Core, open_core
from mailkeep.domain.audit import Origin
from mailkeep.errors import InvalidInput, NotAuthenticated, RateExceeded, Unavailable
from mailkeep.services import lockout, passwords
from mailkeep.services.lockout import WITH_ACCOUNT, WITH_CLIENT, Patience
from mailkeep.services.passwords import MAX_PARALLEL, MAX_WAITING, Hasher, Passwords
from mailkeep.storage.schema import attempts
from mailkeep.storage.upgrade import upgrade_schema

ALICE = "alice@customer.test"
NOBODY = "nobody@customer.test"
OWNERS_IP, STRANGERS_IP = "192.0.2.1", "198.51.100.7"


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def core(tmp_path: Path, database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Core]:
    """With hashes that cost little: these tests make hundreds."""
    monkeypatch.setattr(passwords, "argon2", lambda _: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    settings = settings_for(tmp_path, database_url)
    await upgrade_schema(settings)
    async with open_core(settings, clock=clock) as core:
        await core.accounts.register(ALICE, PASSWORD)
        yield core


async def outcome(core: Core, email: str, password: str, ip: str) -> str | int:
    """What somebody gets who tries: "in", "wrong", or how many seconds to wait."""
    try:
        await core.accounts.authenticate(email, password, origin=Origin(ip))
    except NotAuthenticated:
        return "wrong"
    except RateExceeded as refused:
        return refused.retry_after_s
    return "in"


def test_the_wait_grows_and_ends() -> None:
    patience = Patience(free=3, longest_s=30)
    assert [patience.wait_s(failures) for failures in range(12)] == [0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert patience.wait_s(10**9) == 30


async def test_attack_092_a_client_that_guesses_waits_longer_each_time(core: Core, clock: Clock) -> None:
    """Over many accounts, so that only the client is counted."""
    waits = []
    for number in range(WITH_CLIENT.free + 12):
        while isinstance(got := await outcome(core, f"{number}@customer.test", "wrong", STRANGERS_IP), int):
            waits.append(got)
            clock.pass_s(got)
        assert got == "wrong"
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
    assert await outcome(core, ALICE, PASSWORD, STRANGERS_IP) == 900  # the right one too: a guess is a guess
    assert await outcome(core, ALICE, PASSWORD, OWNERS_IP) == "in"


@pytest.mark.parametrize("email", [ALICE, NOBODY])
async def test_attack_092_guesses_from_everywhere_hold_the_account_back_for_half_a_minute(
    core: Core, clock: Clock, email: str
) -> None:
    got = [await outcome(core, f" {email.upper()}", "wrong", f"198.51.100.{number}") for number in range(5)]
    assert got == ["wrong"] * WITH_ACCOUNT.free
    for number in range(5, 20):
        wait_s = await outcome(core, email, PASSWORD, f"198.51.100.{number}")
        assert isinstance(wait_s, int)
        assert wait_s == min(30, 2 ** (number - 5))
        clock.pass_s(wait_s)
        assert await outcome(core, email, "wrong", f"198.51.100.{number}") == "wrong"
    clock.pass_s(30)
    assert await outcome(core, email, PASSWORD, OWNERS_IP) == ("in" if email == ALICE else "wrong")


async def test_where_the_owner_logged_in_before_strangers_do_not_hold_him_back(core: Core, clock: Clock) -> None:
    assert await outcome(core, ALICE, PASSWORD, OWNERS_IP) == "in"
    clock.pass_s(7 * 86_400)
    for number in range(8):
        await outcome(core, ALICE, "wrong", f"198.51.100.{number}")
    assert await outcome(core, ALICE, PASSWORD, STRANGERS_IP) == 1
    for number in range(20):  # and his neighbours behind the same address
        await outcome(core, f"{number}@customer.test", "wrong", OWNERS_IP)
    assert isinstance(await outcome(core, NOBODY, "wrong", OWNERS_IP), int)
    assert await outcome(core, ALICE, PASSWORD, OWNERS_IP) == "in"


async def test_a_known_device_is_no_way_around(core: Core, clock: Clock) -> None:
    assert await outcome(core, ALICE, PASSWORD, OWNERS_IP) == "in"
    got = [await outcome(core, ALICE, "wrong", OWNERS_IP) for _ in range(6)]
    assert got == ["wrong"] * 5 + [1]
    clock.pass_s(1)
    assert await outcome(core, ALICE, PASSWORD, OWNERS_IP) == "in"
    assert await outcome(core, ALICE, "wrong", OWNERS_IP) == "wrong"


async def test_a_success_does_not_wipe_a_client_clean(core: Core) -> None:
    for number in range(WITH_CLIENT.free):
        assert await outcome(core, f"{number}@customer.test", "wrong", STRANGERS_IP) == "wrong"
        if number < WITH_CLIENT.free - 1:
            assert await outcome(core, ALICE, PASSWORD, STRANGERS_IP) == "in"
    assert await outcome(core, NOBODY, "wrong", STRANGERS_IP) == 1


async def test_counts_outlive_a_restart_and_are_seen_by_others(core: Core, clock: Clock) -> None:
    for _ in range(WITH_ACCOUNT.free):
        await outcome(core, ALICE, "wrong", STRANGERS_IP)
    async with open_core(core.settings, clock=clock) as other:
        assert await outcome(other, ALICE, PASSWORD, "203.0.113.9") == 1


async def test_old_failures_are_forgotten_and_removed(
    core: Core, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lockout, "EXPIRY_EVERY_S", 0.0)
    for _ in range(WITH_ACCOUNT.free):
        await outcome(core, ALICE, "wrong", STRANGERS_IP)
    clock.pass_s(3601)
    assert await outcome(core, NOBODY, "wrong", OWNERS_IP) == "wrong"
    async with core.database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(attempts))).scalar_one() == 2
    assert await outcome(core, ALICE, "wrong", STRANGERS_IP) == "wrong"


async def test_attack_069_a_clock_set_back_locks_nobody_out(core: Core, clock: Clock) -> None:
    for _ in range(WITH_ACCOUNT.free):
        await outcome(core, ALICE, "wrong", STRANGERS_IP)
    clock.pass_s(-3600)
    assert await outcome(core, ALICE, PASSWORD, OWNERS_IP) == "in"


async def test_attack_092_guesses_at_once_are_few(core: Core) -> None:
    """Those that were checked before the first failed are as many as can be hashed at once, and no more."""
    many = (outcome(core, ALICE, f"wrong {number}", f"198.51.100.{number}") for number in range(40))
    got = await asyncio.gather(*many)
    assert WITH_ACCOUNT.free <= got.count("wrong") <= WITH_ACCOUNT.free + MAX_PARALLEL


async def test_attack_092_more_than_fit_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    most, now = 0, 0

    async def work(hasher: Hasher) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await hasher.hash("x")
        now -= 1

    async def one() -> str:
        try:
            async with turns.turn() as hasher:
                await work(hasher)
        except Unavailable:
            return "turned away"
        return "done"

    monkeypatch.setattr(passwords, "MAX_WAITING", 8)
    turns = Passwords("least")
    got = await asyncio.gather(*(one() for _ in range(30)))
    assert most == MAX_PARALLEL
    assert got.count("done") == MAX_PARALLEL + 8
    assert await one() == "done"
    assert MAX_WAITING > 8


@pytest.mark.parametrize("password", ["x" * 1025, "é" * 513, "x" * 1_000_000])
async def test_attack_092_a_password_longer_than_any(core: Core, password: str) -> None:
    for email in (ALICE, NOBODY):
        with pytest.raises(InvalidInput) as caught:
            await core.accounts.authenticate(email, password, origin=Origin(OWNERS_IP))
        assert caught.value.field == "password"


async def test_attack_092_known_and_unknown_accounts_cost_the_same_work(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[bool] = []
    verify = Hasher._verify

    def counting(hasher: Hasher, password_hash: str, password: str) -> bool:
        verified.append(hasher.needs_rehash(password_hash))
        return verify(hasher, password_hash, password)

    monkeypatch.setattr(Hasher, "_verify", counting)
    for email in (ALICE, NOBODY):
        assert await outcome(core, email, "wrong", STRANGERS_IP) == "wrong"
    assert verified == [False, False]  # one each, with the same parameters
