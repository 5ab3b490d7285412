"""Starts and stops what mxd listens on: LMTP, SMTP for development, and Postfix's policy requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from mailkeep.bootstrap import Core
from mailkeep.config import Settings, split_listen
from mailkeep.errors import ConfigurationError
from mailkeep_mxd.binding import listening, require_shareable
from mailkeep_mxd.checkpoint import FILE_NAME, Checkpoint
from mailkeep_mxd.connections import Connections
from mailkeep_mxd.door import LMTP, SMTP, Door
from mailkeep_mxd.feed import RecipientSource, is_loopback
from mailkeep_mxd.follower import FeedFollower
from mailkeep_mxd.memory import MemoryBudget
from mailkeep_mxd.policy import PolicyServer
from mailkeep_mxd.protocol import silence_aiosmtpd
from mailkeep_mxd.rates import open_rates
from mailkeep_mxd.recipients import RecipientDirectory
from mailkeep_mxd.refusal_sinks import open_sink
from mailkeep_mxd.refusals import running_log
from mailkeep_mxd.tls import server_tls

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunningMxd:
    """Where it listens, as `host:port` or `unix:/path`; empty for a listener that is off."""

    lmtp: str
    smtp: str
    policy: str


@asynccontextmanager
async def run_mxd(
    settings: Settings, core: Core | None, source: RecipientSource, *, smtp: bool, worker: int = 0
) -> AsyncIterator[RunningMxd]:
    """Listen until the block ends; then stop accepting, finish what is under way, and close.

    `core` is None where no mail is taken and only policy requests are answered. `worker` is the number of this
    process among those that share the ports; 0 when it is alone. Each has the whole table and answers everything,
    policy requests included; only the first saves the table. Raises ConfigurationError when a listener cannot start.
    """
    silence_aiosmtpd()
    async with AsyncExitStack() as stack:
        shared = worker > 0
        directory = await stack.enter_async_context(_directory(settings, core, source, saves=worker <= 1))
        policy = lmtp_place = smtp_place = ""
        if settings.policy.enabled:
            policy = await stack.enter_async_context(_policy_listener(settings.policy.listen, directory, shared=shared))
        if settings.lmtp.enabled or smtp:
            connections = Connections(_door(settings, core, directory))
            stack.push_async_callback(connections.finish)
        if settings.lmtp.enabled:
            listener = listening("lmtp.listen", settings.lmtp.listen, lambda: connections.accept(LMTP), shared=shared)
            lmtp_place = await stack.enter_async_context(listener)
        if smtp:
            listener = listening("smtp.listen", settings.smtp.listen, lambda: connections.accept(SMTP), shared=shared)
            smtp_place = await stack.enter_async_context(listener)
        log.info("mxd.listening", lmtp=lmtp_place, smtp=smtp_place, policy=policy)
        yield RunningMxd(lmtp=lmtp_place, smtp=smtp_place, policy=policy)
        log.info("mxd.stopping")


def require_shareable_ports(settings: Settings, *, smtp: bool) -> None:
    """That several workers can listen where the settings say. Raises ConfigurationError."""
    if settings.lmtp.enabled:
        require_shareable("lmtp.listen", settings.lmtp.listen)
    if smtp:
        require_shareable("smtp.listen", settings.smtp.listen)
    if settings.policy.enabled:
        require_shareable("policy.listen", settings.policy.listen)


@asynccontextmanager
async def _directory(
    settings: Settings, core: Core | None, source: RecipientSource, *, saves: bool
) -> AsyncIterator[RecipientDirectory]:
    """The recipients, followed; and saved, where the feed may be away at the next start."""
    follower = FeedFollower(source, max_age_s=settings.recipients.max_age)
    checkpoint = Checkpoint(follower, settings.data_dir / FILE_NAME) if source.is_remote else None
    if checkpoint is not None:
        await checkpoint.restore()
    tasks = [asyncio.create_task(follower.follow())]
    if checkpoint is not None and saves:
        tasks.append(asyncio.create_task(checkpoint.keep()))
    try:
        # Most often the first answer is a matter of milliseconds, and then no mail is deferred at start.
        await follower.first_attempt(timeout_s=settings.recipients.timeout_s)
        async with (
            open_rates(settings.rates) as rates,
            open_sink(core, settings.recipients) as sink,
            running_log(sink) as refusals,
        ):
            yield RecipientDirectory(follower, rates, refusals)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if checkpoint is not None and saves:
            await checkpoint.save()


@asynccontextmanager
async def _policy_listener(listen: str, directory: RecipientDirectory, *, shared: bool) -> AsyncIterator[str]:
    """Whoever can ask it can find out which addresses exist, so it is only for this machine."""
    if not is_loopback(split_listen(listen)[0]):
        raise ConfigurationError(f"policy.listen is {listen!r}: it must be an address of this machine, like 127.0.0.1")
    server = PolicyServer(directory)
    try:
        async with listening("policy.listen", listen, server.protocol, shared=shared) as place:
            yield place
    finally:
        await server.close()


def _door(settings: Settings, core: Core | None, directory: RecipientDirectory) -> Door:
    if core is None:
        raise ConfigurationError("this mxd takes mail and so needs the database: set lmtp.enabled to false, or open it")
    return Door(
        limits=settings.lmtp,
        hostname=settings.lmtp.hostname or socket.gethostname(),
        recipients=directory,
        ingest=core.ingest,
        memory=MemoryBudget(settings.lmtp.memory_budget_bytes, wait_s=settings.lmtp.memory_wait_s),
        tls=server_tls(settings.lmtp),
    )
