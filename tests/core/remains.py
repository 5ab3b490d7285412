"""Looking for what is left of a customer: in every table there is, and in the directory of the blobs."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import select
from zstandard import ZstdError

from mailkeep.bootstrap import Core
from mailkeep.storage.schema import attachments, contents, metadata
from mailkeep.storage.search_blocks import unpack


async def columns_with(core: Core, traces: Collection[str]) -> set[str]:
    """The columns, as `table.column`, in which one of these texts is."""
    found = set()
    async with core.database.read() as connection:
        for table in metadata.sorted_tables:
            for row in (await connection.execute(select(table))).mappings():
                found |= {f"{table.name}.{name}" for name, value in row.items() if _has(value, traces)}
    return found


def _has(value: Any, traces: Collection[str]) -> bool:
    if isinstance(value, bytes):
        return any(trace in _read(value) for trace in traces)
    text = json.dumps(value, default=str, ensure_ascii=False)
    return any(trace in text for trace in traces)


def _read(value: bytes) -> str:
    """Words of the search index, or an answer that was kept."""
    try:
        return unpack(value)
    except (ZstdError, ValueError):
        return value.decode()


def blobs_in(core: Core) -> set[str]:
    """The keys of the files in the directory of the blobs, those that are just being written included."""
    root: Path = core.settings.blob_dir
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


async def blobs_of_rows(core: Core) -> set[str]:
    async with core.database.read() as connection:
        sources = (await connection.execute(select(contents.c.source_key))).scalars().all()
        files = (await connection.execute(select(attachments.c.blob_key))).scalars().all()
    return {*sources, *files}
