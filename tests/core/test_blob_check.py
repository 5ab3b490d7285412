"""Bytes that belong to no message are found and removed; mail on its way in is never hurt."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from core.conftest import Customer, deliver
from core.remains import blobs_in, blobs_of_rows
from mailkeep.bootstrap import Core
from mailkeep.domain.clock import utc_now
from mailkeep.domain.ids import new_id
from mailkeep.errors import ConfigurationError
from mailkeep.storage import blob_deletions

MAIL: Final = (
    b"Subject: one\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n"
    b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nbytes\r\n--b--\r\n"
)


def put(core: Core, key: str, *, age: timedelta) -> str:
    path: Path = core.settings.blob_dir / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 10)
    moment = time.time() - age.total_seconds()
    os.utime(path, (moment, moment))
    return key


async def test_all_is_well(core: Core, alice: Customer, bob: Customer) -> None:
    await deliver(core, MAIL, alice.recipient(), bob.recipient())
    found = await core.blob_check.check(mend=True)
    assert (found.blobs, found.rows, found.orphans, found.missing, found.young) == (2, 2, [], [], 0)
    assert blobs_in(core) == await blobs_of_rows(core)


async def test_orphans_are_named_and_removed_when_they_are_old(core: Core, alice: Customer) -> None:
    await deliver(core, MAIL, alice.recipient())
    kept = blobs_in(core)
    for key in kept:  # as old as the orphans
        put(core, key, age=timedelta(days=3))
    old = {
        put(core, f"sources/2026/01/02/{new_id()}.eml.zst", age=timedelta(hours=25)),
        put(core, f"attachments/ab/{'ab' * 8}-{new_id()}-a.pdf", age=timedelta(hours=25)),
    }
    young = put(core, f"sources/2026/01/02/{new_id()}.eml.zst", age=timedelta(hours=23))
    foreign = put(core, "sources/README", age=timedelta(days=30))
    queued = put(core, f"sources/2026/01/02/{new_id()}.eml.zst", age=timedelta(days=2))
    async with core.database.write() as connection:
        await blob_deletions.queue(connection, [queued], now=utc_now())
    found = await core.blob_check.check(mend=False)
    assert {blob.key for blob in found.orphans} == old | {foreign}
    assert (found.young, found.removed, found.missing) == (1, 0, [])
    assert blobs_in(core) == kept | old | {young, foreign, queued}
    assert (await core.blob_check.check(mend=True)).removed == 2
    assert blobs_in(core) == kept | {young, foreign, queued}
    assert (await core.blob_check.check(mend=True, grace=timedelta())).removed == 1  # an hour at least, and it is older
    assert blobs_in(core) == kept | {foreign, queued}


async def test_a_row_whose_bytes_are_gone_is_named(core: Core, alice: Customer) -> None:
    await deliver(core, MAIL, alice.recipient())
    await deliver(core, MAIL.replace(b"one", b"two"), alice.recipient())
    lost = sorted(blobs_in(core))[::2]
    for key in lost:
        (core.settings.blob_dir / key).unlink()
    found = await core.blob_check.check(mend=True)
    assert (sorted(found.missing), found.rows, found.blobs) == (lost, 4, 2)
    assert len(await alice.messages()) == 2


async def test_mail_that_comes_and_goes_meanwhile_is_no_finding(core: Core, alice: Customer) -> None:
    async def come_and_go() -> None:
        for number in range(30):
            await deliver(core, MAIL.replace(b"one", b"n%d" % number), alice.recipient())
            if number % 3:
                await core.inbox.delete(alice.actor, (await alice.messages())[0].id)

    coming = asyncio.create_task(come_and_go())
    while not coming.done():
        found = await core.blob_check.check(mend=True, grace=timedelta(hours=1))
        assert (found.orphans, found.missing) == ([], [])
    await coming
    assert blobs_in(core) == await blobs_of_rows(core)


async def test_what_looks_like_the_wrong_database_removes_nothing(core: Core, alice: Customer) -> None:
    """All bytes are orphans beside an empty database, and may be the only copy there is."""
    await deliver(core, MAIL, alice.recipient())
    orphans = {put(core, f"sources/2026/01/02/{new_id()}.eml.zst", age=timedelta(days=2)) for _ in range(5)}
    with pytest.raises(ConfigurationError, match="5 of 7 blobs"):
        await core.blob_check.check(mend=True)
    assert blobs_in(core) >= orphans
    assert (await core.blob_check.check(mend=True, force=True)).removed == 5
    assert blobs_in(core) == await blobs_of_rows(core)
