"""What makes a record of the audit log provable: a code that only who holds the key can make (HMAC, RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Final

from mailkeep.domain.audit import AuditRecord, Place
from mailkeep.domain.clock import rfc3339

VERSION: Final = "mailkeep-audit-1"
FIRST: Final = "0" * 64  # what the first seal is chained to


@dataclass(frozen=True, slots=True)
class SignedRecord:
    """A record as it is stored. `salt` hides what the hash of the place is made of once the place is erased."""

    record: AuditRecord
    salt: str
    place_sha256: str
    mac: str


class AuditSigner:
    """Signs records, and chains them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, record: AuditRecord) -> SignedRecord:
        salt = secrets.token_hex(16)
        place_sha256 = place_hash(salt, record.place or Place("", ""))
        return SignedRecord(record, salt, place_sha256, self.mac(record, place_sha256))

    def mac(self, record: AuditRecord, place_sha256: str) -> str:
        """Over everything but the place itself, of which the hash is a part."""
        fields = (
            record.id,
            rfc3339(record.at),
            record.account_id,
            record.actor_kind.value,
            record.actor_id,
            record.action,
            record.resource,
            record.detail,
            record.outcome,
            record.request_id,
            place_sha256,
        )
        return self._hmac(json.dumps([VERSION, *fields]))

    def seal(self, previous: str, seq: int, audit_id: str, mac: str) -> str:
        """The hash of a link: it says which record comes at which place, after everything before it."""
        return self._hmac(json.dumps([VERSION, "seal", previous, seq, audit_id, mac]))

    def _hmac(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def place_hash(salt: str, place: Place) -> str:
    return hashlib.sha256(json.dumps([salt, place.client_ip, place.user_agent]).encode()).hexdigest()
