"""Build what the rooms share. The only place that names concrete classes."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from mailkeep.config import Settings
from mailkeep.domain.audit_signing import AuditSigner
from mailkeep.domain.clock import Clock, utc_now
from mailkeep.errors import ConfigurationError
from mailkeep.services.account_deletion import AccountDeletion
from mailkeep.services.account_export import AccountExport
from mailkeep.services.account_purge import AccountPurge
from mailkeep.services.account_tiers import AccountTiers
from mailkeep.services.accounts import Accounts
from mailkeep.services.addresses import Addresses
from mailkeep.services.administration import Administration
from mailkeep.services.arrivals import Arrivals
from mailkeep.services.audit import AuditTrail
from mailkeep.services.audit_sealing import AuditSealing
from mailkeep.services.audit_verifying import AuditVerifying
from mailkeep.services.audit_view import AuditView
from mailkeep.services.billing import Billing
from mailkeep.services.billing_events import BillingEvents
from mailkeep.services.billing_reconciling import BillingReconciling
from mailkeep.services.blob_check import BlobCheck
from mailkeep.services.blob_removal import BlobRemoval
from mailkeep.services.bulk import Bulk
from mailkeep.services.delivery_batches import DeliveryBatches
from mailkeep.services.diagnosing import Diagnosing
from mailkeep.services.hints import Hints
from mailkeep.services.idempotency import Idempotency
from mailkeep.services.inbox import Inbox
from mailkeep.services.incident import Incident
from mailkeep.services.ingest import Ingest, open_ingest
from mailkeep.services.last_use import LastUse
from mailkeep.services.lockout import Lockout
from mailkeep.services.message_waits import MessageWaits
from mailkeep.services.passwords import Passwords
from mailkeep.services.recipients import RecipientsFeed
from mailkeep.services.redating import ExpiryRedating
from mailkeep.services.redis_hints import open_hints
from mailkeep.services.refusals import Refusals
from mailkeep.services.removal import MessageRemoval
from mailkeep.services.retention import Retention
from mailkeep.services.scanning import open_scanner
from mailkeep.services.search_indexer import SearchIndexer
from mailkeep.services.service_tokens import ServiceTokens
from mailkeep.services.session_keys import ConfiguredKeys, KeyFile, SessionKeys
from mailkeep.services.sessions import Sessions
from mailkeep.services.storage_recount import StorageRecount
from mailkeep.services.stripe_gateway import open_stripe
from mailkeep.services.subscription_sync import SubscriptionSync
from mailkeep.services.tier_change import TierChange
from mailkeep.services.tokens import Tokens
from mailkeep.services.usage import UsageView
from mailkeep.storage.blobs.blob_store import BlobStore
from mailkeep.storage.blobs.files import open_files
from mailkeep.storage.database import Database, open_database
from mailkeep.storage.upgrade import require_current_schema

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Core:
    """The use cases, ready to be called by any room."""

    settings: Settings
    database: Database
    blobs: BlobStore
    hints: Hints
    accounts: Accounts
    deletion: AccountDeletion
    export: AccountExport
    purge: AccountPurge
    tiers: AccountTiers
    tier_change: TierChange
    redating: ExpiryRedating
    billing: Billing
    billing_events: BillingEvents
    billing_reconciling: BillingReconciling
    diagnosing: Diagnosing
    idempotency: Idempotency
    sessions: Sessions
    tokens: Tokens
    service_tokens: ServiceTokens
    addresses: Addresses
    inbox: Inbox
    bulk: Bulk
    waits: MessageWaits
    recipients: RecipientsFeed
    refusals: Refusals
    usage: UsageView
    recount: StorageRecount
    retention: Retention
    blob_check: BlobCheck
    ingest: Ingest
    indexer: SearchIndexer
    administration: Administration
    incident: Incident
    audit: AuditView
    trail: AuditTrail
    sealing: AuditSealing
    verifying: AuditVerifying


@asynccontextmanager
async def open_core(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Core]:
    """Raises SchemaOutdated, DatabaseUnavailable and ConfigurationError; what is in the database stays as it is."""
    make_data_dir(settings)
    async with (
        open_database(settings.database_url, settings.database) as database,
        open_files(settings.blob_dir) as blobs,
        open_hints(settings.hints) as hints,
        open_stripe(settings.billing) as stripe,
    ):
        await require_current_schema(database)
        indexer = SearchIndexer(database, clock=clock)
        signer = AuditSigner(audit_key(settings))
        trail = AuditTrail(database, signer, spill_dir=settings.data_dir / "audit-pending", clock=clock)
        lockout = Lockout(database, registrations_per_hour=settings.auth.registrations_per_hour, clock=clock)
        last_use = LastUse(database, clock=clock)
        feed = RecipientsFeed(database, hints, tier_of=settings.tier, clock=clock)
        batches = DeliveryBatches(database, hints, indexer, tier_of=settings.tier)
        async with (
            indexer.running(),
            trail.running(),
            last_use.running(),
            batches.running(),
            open_ingest(
                batches,
                blobs,
                open_scanner(settings.scan),
                underway_dir=settings.data_dir / "underway",
                clock=clock,
            ) as ingest,
        ):
            accounts = Accounts(
                database, trail, hints, Passwords(settings.auth.password_cost), lockout, settings, clock=clock
            )
            blob_removal = BlobRemoval(database, blobs)
            purge = AccountPurge(database, blob_removal, clock=clock)
            removal = MessageRemoval(database, trail, blob_removal, hints, indexer, tier_of=settings.tier, clock=clock)
            inbox = Inbox(database, trail, removal, blobs, clock=clock)
            refusals = Refusals(database, tier_of=settings.tier, clock=clock)
            tiers = AccountTiers(database, tier_of=settings.tier)
            redating = ExpiryRedating(database, tier_of=settings.tier)
            tier_change = TierChange(hints, tiers, redating, tier_of=settings.tier, clock=clock)
            sync = SubscriptionSync(database, trail, stripe, tier_change, settings.billing, clock=clock)
            events = BillingEvents(database, trail, stripe, sync, settings.billing, clock=clock)
            yield Core(
                settings=settings,
                database=database,
                blobs=blobs,
                hints=hints,
                accounts=accounts,
                deletion=AccountDeletion(database, trail, hints, accounts, purge, events, clock=clock),
                purge=purge,
                tiers=tiers,
                tier_change=tier_change,
                redating=redating,
                billing=Billing(database, trail, stripe, sync, settings, clock=clock),
                billing_events=events,
                billing_reconciling=BillingReconciling(database, stripe, sync, events, clock=clock),
                idempotency=Idempotency(database, clock=clock),
                sessions=Sessions(
                    database,
                    trail,
                    last_use,
                    session_keys(settings),
                    lifetime=timedelta(hours=settings.auth.session_hours),
                    clock=clock,
                ),
                tokens=Tokens(database, trail, last_use, clock=clock),
                service_tokens=ServiceTokens(database, trail, clock=clock),
                addresses=Addresses(database, trail, hints, settings, clock=clock),
                inbox=inbox,
                bulk=Bulk(database, trail, removal, clock=clock),
                waits=MessageWaits(database, Arrivals(database, hints, max_waiters=settings.http.max_waiters)),
                export=AccountExport(database, inbox, blobs),
                recipients=feed,
                diagnosing=Diagnosing(database, tier_of=settings.tier, feed_asked_at=feed.asked_at, clock=clock),
                refusals=refusals,
                usage=UsageView(database, tier_of=settings.tier, clock=clock),
                recount=StorageRecount(database, hints, tier_of=settings.tier),
                retention=Retention(database, removal, blob_removal, trail, refusals, settings.retention, clock=clock),
                blob_check=BlobCheck(database, blobs, clock=clock),
                ingest=ingest,
                indexer=indexer,
                administration=Administration(database, trail, tier_change, settings, clock=clock),
                incident=Incident(database, trail, clock=clock),
                audit=AuditView(database),
                trail=trail,
                sealing=AuditSealing(database, signer, head_path=settings.data_dir / "audit.head"),
                verifying=AuditVerifying(database, signer, head_path=settings.data_dir / "audit.head", clock=clock),
            )


def make_data_dir(settings: Settings) -> None:
    """Raises ConfigurationError when `data_dir` cannot be made or written to."""
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make the data directory {settings.data_dir}: {error.strerror}; set data_dir"
        ) from error
    if not os.access(settings.data_dir, os.W_OK | os.X_OK):
        raise ConfigurationError(f"cannot write to the data directory {settings.data_dir}: set data_dir")


def session_keys(settings: Settings) -> SessionKeys:
    """The keys that sign sessions: those configured, else one made once and kept in the data directory."""
    secret, previous = (
        each.get_secret_value().encode() if each is not None else None
        for each in (settings.auth.secret, settings.auth.previous_secret)
    )
    if secret is not None:
        return ConfiguredKeys(secret, previous)
    path = settings.data_dir / "session.key"
    _make_secret(path)
    return KeyFile(path)


def audit_key(settings: Settings) -> bytes:
    """The key that signs the audit log: the one configured, else one made once and kept in the data directory."""
    if settings.audit.key is not None:
        return settings.audit.key.get_secret_value().encode()
    return _kept_secret(settings.data_dir / "audit.key", "after which older records cannot be verified")


def _kept_secret(path: Path, price: str) -> bytes:
    """Raises ConfigurationError for a damaged file."""
    _make_secret(path)
    secret = path.read_bytes()
    if len(secret) < SECRET_BYTES:
        raise ConfigurationError(f"{path} is damaged: remove it to have a new one made, {price}")
    return secret


def _make_secret(path: Path) -> None:
    """Write a new secret unless there is one. Linked into place whole, so that nobody reads half of it."""
    if path.exists():
        return
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES))
    try:
        os.link(fresh, path)
    except FileExistsError:
        return  # another process was faster; its secret is as good
    finally:
        fresh.unlink()
