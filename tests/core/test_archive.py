"""Zip archives that are written while their files are read."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from core.conftest import Customer, deliver
from hostile_names import SENDABLE_NAMES, mail_with_hostile_names
from mailkeep.bootstrap import Core
from mailkeep.errors import NotFound, StorageUnavailable
from mailkeep.mail.archive import Member, archive, archive_size
from mailkeep.mail.filenames import unique_names
from mailkeep.storage.schema import attachments

MODIFIED = datetime(2026, 11, 24, 9, 30, 1, tzinfo=UTC)


async def pieces(content: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), 1_000):
        yield content[start : start + 1_000]


def member(name: str, content: bytes) -> Member:
    return Member(name, len(content), partial(pieces, content))


async def written(members: Sequence[Member]) -> bytes:
    return b"".join([chunk async for chunk in archive(members, modified=MODIFIED)])


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["C"]), min_size=1), st.binary(max_size=3_000)))
async def test_what_goes_in_comes_out_and_the_size_was_known(files: dict[str, bytes]) -> None:
    names = dict(zip(unique_names(files), files.values(), strict=True))
    members = [member(name, content) for name, content in names.items()]
    content = await written(members)
    assert len(content) == archive_size(members)
    with ZipFile(io.BytesIO(content)) as found:
        assert found.testzip() is None
        assert {info.filename: found.read(info) for info in found.infolist()} == names
    assert await written(members) == content


async def test_a_file_that_is_cut_off_is_an_error_and_no_archive() -> None:
    whole = member("a", b"x" * 5_000)
    cut = Member("a", 6_000, whole.read)
    with pytest.raises(StorageUnavailable):
        await written([cut])


async def test_nothing_is_read_before_its_turn_nor_held_after_it() -> None:
    stream = archive([member(name, b"x" * 10_000) for name in "abc"], modified=MODIFIED)
    sizes = [len(chunk) async for chunk in stream]
    assert max(sizes) < 1_200


async def test_attack_058_the_names_in_an_archive(core: Core, alice: Customer, tmp_path: Path) -> None:
    assert await deliver(core, mail_with_hostile_names(), alice.recipient()) == [None]
    (message,) = await alice.messages()
    download = await core.inbox.attachments(alice.actor, message.id)
    content = b"".join([chunk async for chunk in download.chunks])
    assert len(content) == download.size_bytes
    with ZipFile(io.BytesIO(content)) as found:
        expected = unique_names(name.saved for name in SENDABLE_NAMES)
        assert found.namelist() == expected
        found.extractall(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(expected)
    contents = [(tmp_path / "out" / name).read_text() for name in expected]
    assert contents == [str(number) for number in range(len(expected))]


async def test_what_a_scanner_found_is_left_out_and_said(core: Core, alice: Customer) -> None:
    assert await deliver(core, mail_with_hostile_names(), alice.recipient()) == [None]
    (message,) = await alice.messages()
    clean = await core.inbox.attachments(alice.actor, message.id)
    await clean.chunks.aclose()
    async with core.database.write() as connection:
        bad = update(attachments).where(attachments.c.filename.in_(["report.pdf", "_con"]))
        await connection.execute(bad.values(malware="Eicar-Test-Signature"))
    download = await core.inbox.attachments(alice.actor, message.id)
    assert download.digest != clean.digest
    with ZipFile(io.BytesIO(b"".join([chunk async for chunk in download.chunks]))) as found:
        assert not {"report.pdf", "_con"} & set(found.namelist())
        note = found.read("NOT-INCLUDED.txt").decode()
    assert "report.pdf (1 bytes): Eicar-Test-Signature\r\n" in note
    assert "_con (2 bytes): Eicar-Test-Signature\r\n" in note


async def test_a_message_without_attachments_has_no_archive(core: Core, alice: Customer, bob: Customer) -> None:
    assert await deliver(core, b"Subject: none\r\n\r\n", alice.recipient()) == [None]
    (message,) = await alice.messages()
    for actor in (alice.actor, bob.actor):
        with pytest.raises(NotFound):
            await core.inbox.attachments(actor, message.id)
