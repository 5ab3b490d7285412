"""Tiers: what a customer gets. They are configuration; the names `free` and `paid` are only the defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """The limits of one tier."""

    name: str
    addresses: int
    retention_days: int
    received_per_hour: int
    storage_bytes: int
    api_requests_per_minute: int
