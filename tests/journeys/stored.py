"""What is really kept: rows and files, looked at past the program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import create_async_engine

from mailkeep.storage.database import parse_url
from mailkeep.storage.schema import attachments, contents, messages


@dataclass(frozen=True, slots=True)
class Stored:
    """Counts of rows, and what is half there: rows without their content, rows without their bytes."""

    messages: int
    contents: int
    half: tuple[str, ...]


async def look(database_url: str, blob_dir: Path) -> Stored:
    """Compare every row with what it points to."""
    engine = create_async_engine(parse_url(database_url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_look, blob_dir)
    finally:
        await engine.dispose()


def _look(connection: Connection, blob_dir: Path) -> Stored:
    without_content = connection.scalars(
        select(messages.c.id).where(messages.c.content_id.not_in(select(contents.c.id)))
    ).all()
    keys = [
        *connection.scalars(select(contents.c.source_key)),
        *connection.scalars(select(attachments.c.blob_key)),
    ]
    return Stored(
        messages=connection.scalar(select(func.count()).select_from(messages)) or 0,
        contents=connection.scalar(select(func.count()).select_from(contents)) or 0,
        half=(*without_content, *(key for key in keys if not (blob_dir / key).is_file())),
    )
