"""The recipient table: every address that exists, in memory, small.

A row is one `bytes` object of about 40 bytes beside its address, because a dataclass with three strings would
take ten times as much, and there may be a million of them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import Final

from mailkeep.domain.recipient import Recipient

_ACTIVE: Final = 1
_OVER_QUOTA: Final = 2
_PACKED_ADDRESS_ID: Final = 4
_PACKED_ACCOUNT_ID: Final = 8

# Generation, flags, messages per hour, how long the packed address id is; the two ids follow.
_HEAD: Final = struct.Struct("!BBIB")
_GENERATIONS: Final = 256
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class RecipientTable:
    """Canonical address → Recipient.

    A full sync (`begin_sync` … `end_sync`) marks the rows that it brings with a new generation and sweeps the rest,
    so the table answers while it is renewed and is never held twice.
    """

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._generation = 0

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, address: str) -> Recipient | None:
        row = self._rows.get(address.encode())
        return None if row is None else _unpack(address, row)

    def apply(self, changes: Iterable[Recipient]) -> None:
        """Changes in their order; a tombstone takes the address out."""
        for change in changes:
            if change.deleted:
                self._rows.pop(change.address.encode(), None)
            else:
                self._rows[change.address.encode()] = _pack(change, self._generation)

    def begin_sync(self) -> None:
        """A sync that broke off is begun again: its rows are then of an old generation too."""
        self._generation = (self._generation + 1) % _GENERATIONS

    def end_sync(self) -> None:
        """Forget what the sync did not bring."""
        gone = [address for address, row in self._rows.items() if row[0] != self._generation]
        for address in gone:
            del self._rows[address]

    def rows(self) -> Iterable[tuple[bytes, bytes]]:
        """Every packed row, for the snapshot; copies of references that later changes do not disturb."""
        return zip(
            tuple(self._rows), tuple(self._rows.values()), strict=True
        )  # a pair for each would take four times it

    def load(self, rows: dict[bytes, bytes]) -> None:
        """Take the rows of a snapshot for its own. Raises ValueError for a row that is none."""
        for address, row in rows.items():
            _check(address, row)
        used = {row[0] for row in rows.values()}
        # The next sync must be told from all of them.
        self._generation = next(at for at in range(_GENERATIONS) if (at + 1) % _GENERATIONS not in used)
        self._rows = rows


def _pack(recipient: Recipient, generation: int) -> bytes:
    address_id, address_flag = _pack_id(recipient.address_id, _PACKED_ADDRESS_ID)
    account_id, account_flag = _pack_id(recipient.account_id, _PACKED_ACCOUNT_ID)
    flags = address_flag | account_flag
    flags |= _ACTIVE if recipient.active else 0
    flags |= _OVER_QUOTA if recipient.over_quota else 0
    return _HEAD.pack(generation, flags, recipient.per_hour, len(address_id)) + address_id + account_id


def _unpack(address: str, row: bytes) -> Recipient:
    _generation, flags, per_hour, length = _HEAD.unpack_from(row)
    split = _HEAD.size + length
    return Recipient(
        address=address,
        address_id=_unpack_id(row[_HEAD.size : split], packed=bool(flags & _PACKED_ADDRESS_ID)),
        account_id=_unpack_id(row[split:], packed=bool(flags & _PACKED_ACCOUNT_ID)),
        active=bool(flags & _ACTIVE),
        per_hour=per_hour,
        over_quota=bool(flags & _OVER_QUOTA),
    )


def _check(address: bytes, row: bytes) -> None:
    address.decode()
    if len(row) <= _HEAD.size or len(row) <= _HEAD.size + row[_HEAD.size - 1]:
        raise ValueError("a row is too short")


def _pack_id(identifier: str, flag: int) -> tuple[bytes, int]:
    """An id is opaque; one that looks like a UUID is kept in 16 bytes."""
    if _UUID.fullmatch(identifier):
        return bytes.fromhex(identifier.replace("-", "")), flag
    return identifier.encode(), 0


def _unpack_id(stored: bytes, *, packed: bool) -> str:
    if not packed:
        return stored.decode()
    text = stored.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
