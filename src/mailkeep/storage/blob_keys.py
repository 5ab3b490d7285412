"""The keys of blobs, wherever rows name them: for the check that goes over all of them, whoever they belong to."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from sqlalchemy import Column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from mailkeep.storage.schema import attachments, blob_deletions, contents

# The id of a row, and the key that it names.
Source = tuple[Column[str], Column[str]]
SOURCES: Final[tuple[Source, ...]] = (
    (contents.c.id, contents.c.source_key),
    (attachments.c.id, attachments.c.blob_key),
)
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_ours(key: str) -> bool:
    """Whether a key looks like one of our making; another program's file is not ours to remove."""
    return key.startswith(("sources/", "attachments/")) and _ID.search(key) is not None


async def page(connection: AsyncConnection, source: Source, *, after: str, limit: int) -> list[tuple[str, str]]:
    """Id and key, in the order of the ids."""
    row_id, key = source
    query = select(row_id, key).where(row_id > after).order_by(row_id).limit(limit)
    return [(found_id, found_key) for found_id, found_key in await connection.execute(query)]


async def rows_among(connection: AsyncConnection, keys: Collection[str]) -> set[str]:
    """Those that a row names."""
    named = set[str]()
    for row_id, key in SOURCES:
        # A key holds the id of its row (`services/ingest.py`): that is indexed, the key is not.
        ids = {found for each in keys for found in _ID.findall(each)}
        query = select(key).where(row_id.in_(ids))
        named |= set((await connection.execute(query)).scalars())
    return named & set(keys)


async def named_among(connection: AsyncConnection, keys: Collection[str]) -> set[str]:
    """Those that a row names, or that are queued for deletion."""
    named = await rows_among(connection, keys)  # first: what is deleted in between is queued by then
    queued = select(blob_deletions.c.blob_key).where(blob_deletions.c.blob_key.in_(keys))
    return named | set((await connection.execute(queued)).scalars())
