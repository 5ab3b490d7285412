"""The keys that sign sessions, and their rotation."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.conftest import PASSWORD, settings_for
from mailkeep.bootstrap import Core, open_core, session_keys
from mailkeep.domain.scope import operator
from mailkeep.errors import ConfigurationError, NotAllowed, NotAuthenticated
from mailkeep.services import session_keys as module
from mailkeep.services.session_keys import KeyFile
from mailkeep.storage.upgrade import upgrade_schema

OLD, NEW = "an old secret of more than 32 bytes", "a new secret of more than 32 bytes"


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    settings = settings_for(tmp_path)
    await upgrade_schema(settings)
    async with open_core(settings) as core:
        await core.accounts.register("alice@customer.test", PASSWORD)
        yield core


async def token_of(core: Core) -> str:
    return (await core.sessions.open(await core.accounts.authenticate("alice@customer.test", PASSWORD))).token


def key_file(core: Core) -> Path:
    return core.settings.data_dir / "session.key"


def make_old(path: Path) -> None:
    """As if it had been written long ago: the key in it is in force."""
    os.utime(path, (time.time() - 60, time.time() - 60))


def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)


async def test_a_rotation_ends_no_session_and_the_next_one_does(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at_once(monkeypatch)
    first = await token_of(core)
    await core.sessions.rotate_key(operator(), drop_previous=False)
    await core.sessions.actor(first)
    make_old(key_file(core))
    second = await token_of(core)
    assert first.partition(".")[0] != second.partition(".")[0]
    await core.sessions.rotate_key(operator(), drop_previous=False)
    await core.sessions.actor(second)
    with pytest.raises(NotAuthenticated):
        await core.sessions.actor(first)
    assert key_file(core).stat().st_mode & 0o777 == 0o600
    assert len(list(core.settings.data_dir.glob("session.key*"))) == 1


async def test_dropping_the_key_ends_all(core: Core) -> None:
    token = await token_of(core)
    await core.sessions.rotate_key(operator(), drop_previous=True)
    with pytest.raises(NotAuthenticated):
        await core.sessions.actor(token)
    await core.sessions.actor(await token_of(core))


async def test_every_process_believes_what_any_of_them_signs_during_a_rotation(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has not looked yet does not know the new key; so it does not sign at first."""
    async with open_core(core.settings) as other:
        monkeypatch.setattr(module, "LOOK_EVERY_S", 3_600.0)
        await core.sessions.rotate_key(operator(), drop_previous=False)
        await other.sessions.actor(await token_of(core))
        look_at_once(monkeypatch)
        make_old(key_file(core))
        signed_with_new = await token_of(core)
        await other.sessions.actor(signed_with_new)


async def test_a_running_process_looks_once_a_second_at_most(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = KeyFile._look

    def counting(keys: KeyFile) -> None:
        looks.append(time.monotonic())
        look(keys)

    monkeypatch.setattr(KeyFile, "_look", counting)
    token = await token_of(core)
    started = time.monotonic()
    while time.monotonic() - started < 1.5:
        await core.sessions.actor(token)
        await asyncio.sleep(0.01)
    assert 1 <= len(looks) <= 3


async def test_a_damaged_file_changes_nothing_while_we_run(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at_once(monkeypatch)
    token = await token_of(core)
    for content in ("", "short", "x\n" * 40):
        key_file(core).write_text(content)
        await core.sessions.actor(token)
        with pytest.raises(ConfigurationError, match="is damaged"):
            session_keys(core.settings)
    key_file(core).unlink()
    await core.sessions.actor(token)


@pytest.mark.parametrize("content", [b"7" * 64, b"7" * 64 + b"\n", b"\xff\n" * 20, b"7" * 64 + b"\n" + b"8" * 64])
async def test_files_as_they_were_made_before_are_read(core: Core, content: bytes) -> None:
    key_file(core).write_bytes(content)
    ring = await session_keys(core.settings).ring()
    assert [key.secret for key in ring.accepted] == (
        [b"7" * 64, b"8" * 64] if b"8" in content else [content if b"\xff" in content else b"7" * 64]
    )


async def test_keys_in_the_settings(tmp_path: Path) -> None:
    def settings(**auth: Any) -> Any:
        return settings_for(tmp_path, auth=auth)

    await upgrade_schema(settings())
    async with open_core(settings(secret=OLD)) as core:
        await core.accounts.register("alice@customer.test", PASSWORD)
        token = await token_of(core)
        with pytest.raises(ConfigurationError, match=r"auth\.previous_secret"):
            await core.sessions.rotate_key(operator(), drop_previous=False)
    async with open_core(settings(secret=NEW, previous_secret=OLD)) as core:
        await core.sessions.actor(token)
        again = await token_of(core)
    async with open_core(settings(secret=NEW)) as core:
        await core.sessions.actor(again)
        with pytest.raises(NotAuthenticated):
            await core.sessions.actor(token)


async def test_a_customer_rotates_nothing(core: Core) -> None:
    actor = await core.sessions.actor(await token_of(core))
    with pytest.raises(NotAllowed):
        await core.sessions.rotate_key(actor, drop_previous=True)


async def test_a_key_that_is_no_text_can_only_be_dropped(core: Core) -> None:
    key_file(core).write_bytes(b"\xff\n" * 20)
    with pytest.raises(ConfigurationError, match="drop it"):
        await core.sessions.rotate_key(operator(), drop_previous=False)
    await core.sessions.rotate_key(operator(), drop_previous=True)
    assert len((await session_keys(core.settings).ring()).accepted) == 1
