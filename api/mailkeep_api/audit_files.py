"""The audit log as a file, written while it is read."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

from aiohttp import web

from mailkeep.domain.audit import AuditRecord
from mailkeep.domain.spreadsheet import no_formula
from mailkeep_api.schemas.audit import AuditOut

_COLUMNS: Final = tuple(AuditOut.model_fields)
_AT_ONCE: Final = 200


async def send_audit_file(
    request: web.Request, records: AsyncGenerator[AuditRecord, None], *, as_csv: bool
) -> web.StreamResponse:
    """Newest first. When it fails half way the connection is broken off."""
    suffix, media_type = ("csv", "text/csv; charset=utf-8") if as_csv else ("jsonl", "application/jsonl")
    disposition = f'attachment; filename="mailkeep-audit.{suffix}"'
    response = web.StreamResponse(headers={"Content-Type": media_type, "Content-Disposition": disposition})
    async with aclosing(records):
        first = await _take(records)
        await response.prepare(request)
        if request.method != "HEAD":
            await response.write(_heading() if as_csv else b"")
            while first:
                await response.write(_rows(first) if as_csv else _lines(first))
                first = await _take(records)
        await response.write_eof()
    return response


async def _take(records: AsyncGenerator[AuditRecord, None]) -> list[AuditOut]:
    taken: list[AuditOut] = []
    async for record in records:
        taken.append(AuditOut.of(record))
        if len(taken) == _AT_ONCE:
            break
    return taken


def _lines(records: Sequence[AuditOut]) -> bytes:
    return "".join(f"{record.model_dump_json()}\n" for record in records).encode()


def _heading() -> bytes:
    return f"{','.join(_COLUMNS)}\r\n".encode()


def _rows(records: Sequence[AuditOut]) -> bytes:
    """RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for record in records:
        values = record.model_dump(mode="json")
        writer.writerow(no_formula(str(values[name])) for name in _COLUMNS)
    return text.getvalue().encode()
