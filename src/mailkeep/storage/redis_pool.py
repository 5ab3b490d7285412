"""Connections to a Redis or Valkey. Its client is an extra: it is imported only where a setting names one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import SecretStr

from mailkeep.errors import ConfigurationError

if TYPE_CHECKING:
    from redis.asyncio import ConnectionPool


def redis_pool(url: SecretStr, *, setting: str, timeout_s: float) -> ConnectionPool:
    """Connections that are made when they are needed. `timeout_s`: for making one, and for each answer.

    Raises ConfigurationError, which names the setting and not what is in it.
    """
    if find_spec("redis") is None:
        raise ConfigurationError(f"{setting} names Redis, and its client is not installed: mailkeep[redis]")
    from redis.asyncio import ConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    try:
        return ConnectionPool.from_url(
            url.get_secret_value().replace("redis+unix://", "unix://", 1),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # Once and at once: a Redis that was started again has closed the connections that we kept.
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError as error:
        raise ConfigurationError(f"{setting} is no URL of a Redis: write redis://host:6379/0") from error
