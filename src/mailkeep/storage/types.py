"""Column types that mean the same on SQLite and MySQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, LargeBinary, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql

# CHAR(36) in one byte a character: identifiers are compared byte by byte, and indexes stay small.
Identifier = String(36).with_variant(mysql.CHAR(36, charset="ascii", collation="ascii_bin"), "mysql")
Sha256Hex = String(64).with_variant(mysql.CHAR(64, charset="ascii", collation="ascii_bin"), "mysql")
# TEXT ends at 64 KB in MySQL; MEDIUMTEXT at 16 MB, above every cap of the parser.
LongText = Text().with_variant(mysql.MEDIUMTEXT(), "mysql")
# SQLite gives its row number only to a column declared INTEGER; it holds 64 bits all the same.
BigNumber = BigInteger().with_variant(Integer(), "sqlite")
# Up to 16 MB.
LongBytes = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")
LongJson = JSON(none_as_null=True)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC with microseconds; neither engine keeps the zone, so it is put back on reading."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)
