"""Whether the time of an answer tells who has an account: log-ins and registrations, known against unknown."""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import aiohttp

from mailkeep.bootstrap import open_core
from mailkeep.services.lockout import WITH_ACCOUNT
from mailkeep.settings_loader import load_settings
from services.mailkeep import Mailkeep, installed_mailkeep

TRIES_EACH: Final = WITH_ACCOUNT.free - 1  # fewer than hold an account back
RESAMPLES: Final = 2_000
PASSWORD: Final = "a password that is nobody's"
CONFIGURATION: Final = '[auth]\ntrusted_proxies = ["127.0.0.0/8"]\n'


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two samples of times, in milliseconds."""

    one: Sequence[float]
    other: Sequence[float]

    @property
    def difference_ms(self) -> float:
        """Of the medians."""
        return statistics.median(self.one) - statistics.median(self.other)

    def interval_ms(self, rng: random.Random) -> tuple[float, float]:
        """Within which the difference of the medians lies in 95 of 100 resamples (bootstrap, percentiles)."""
        found = sorted(
            Comparison(rng.choices(self.one, k=len(self.one)), rng.choices(self.other, k=len(self.other))).difference_ms
            for _ in range(RESAMPLES)
        )
        return found[RESAMPLES // 40], found[-RESAMPLES // 40]

    def mann_whitney(self) -> tuple[float, float]:
        """How often one of the first sample takes longer than one of the other, and the p of that being 0.5.

        With the normal approximation, which fits samples of hundreds; times to the nanosecond hardly ever tie.
        """
        ranked = sorted([(value, True) for value in self.one] + [(value, False) for value in self.other])
        ranks = sum(rank for rank, (_, is_first) in enumerate(ranked, 1) if is_first)
        n, m = len(self.one), len(self.other)
        u = ranks - n * (n + 1) / 2
        z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
        return u / (n * m), math.erfc(abs(z) / math.sqrt(2))


def measure_login(tries: int) -> Iterator[str]:
    """Lines of a report. Runs the real API on SQLite."""
    rng = random.Random(4949)  # noqa: S311 - the order of tries, no secret
    with (
        tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory,
        installed_mailkeep(Path(directory), settings=_settings(Path(directory))) as installation,
    ):
        accounts = math.ceil(tries / TRIES_EACH)
        asyncio.run(_register(installation, accounts))
        installation.start_api()
        logins = asyncio.run(_measure(installation, "login", _tries(tries, accounts), rng, status=401))
        yield from _lines("log-ins with a wrong password, account known against unknown", logins, rng)
        half = Comparison(logins.one[::2], logins.one[1::2])
        yield from _lines("for comparison: known against known", half, rng)
        few = [(f"new{number}@customer.test", False) for number in range(tries // 4)]
        few += [(f"{number % accounts}@customer.test", True) for number in range(tries // 4)]
        registrations = asyncio.run(_measure(installation, "register", few, rng, status=202))
        yield from _lines("registrations, address taken against free", registrations, rng)


def _settings(directory: Path) -> dict[str, str]:
    """Each try says that it comes from another client, as if a proxy had sent it on."""
    configuration = directory / "mailkeep.toml"
    configuration.write_text(CONFIGURATION)
    return {"MAILKEEP_CONFIG": str(configuration)}


def _tries(tries: int, accounts: int) -> list[tuple[str, bool]]:
    known = [(f"{number % accounts}@customer.test", True) for number in range(tries)]
    return known + [(f"{number % accounts}@nobody.test", False) for number in range(tries)]


async def _register(installation: Mailkeep, accounts: int) -> None:
    async with open_core(load_settings(installation.environment)) as core:
        for number in range(accounts):
            await core.accounts.register(f"{number}@customer.test", "correct horse battery staple")


async def _measure(
    installation: Mailkeep, route: str, tries: list[tuple[str, bool]], rng: random.Random, *, status: int
) -> Comparison:
    """One after the other, in no order, each from a client address of its own."""
    rng.shuffle(tries)
    taken: dict[bool, list[float]] = {True: [], False: []}
    async with aiohttp.ClientSession(installation.url) as client:
        for number, (email, is_known) in enumerate(tries):
            body = {"email": email, "password": PASSWORD}
            elapsed_ms = await _ask(client, f"/api/v1/auth/{route}", body, number, status=status)
            if number >= len(tries) // 50:  # the first ones warm it up
                taken[is_known].append(elapsed_ms)
    return Comparison(taken[True], taken[False])


async def _ask(client: aiohttp.ClientSession, path: str, body: Any, number: int, *, status: int) -> float:
    headers = {"X-Forwarded-For": str(IPv4Address("10.0.0.0") + number)}
    started = time.perf_counter()
    async with client.post(path, json=body, headers=headers) as answer:
        await answer.read()
        elapsed_ms = (time.perf_counter() - started) * 1000
        assert answer.status == status, await answer.text()
    return elapsed_ms


def _lines(title: str, found: Comparison, rng: random.Random) -> Iterator[str]:
    low, high = found.interval_ms(rng)
    longer, p = found.mann_whitney()
    yield (
        f"{title}: {len(found.one):,} against {len(found.other):,}; medians {statistics.median(found.one):.2f} and "
        f"{statistics.median(found.other):.2f} ms, {found.difference_ms:+.2f} ms apart (95 %: {low:+.2f} to "
        f"{high:+.2f}); the first takes longer in {longer:.1%} of pairs (p {p:.2f})"
    )
