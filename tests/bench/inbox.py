"""How long the first view of a full inbox takes, from the server and in Chromium, and how many bytes that is."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
from playwright.async_api import BrowserContext, CDPSession

from bench.load import send_all
from bench.samples import Sample, make_samples
from services.mailkeep import Customer, Mailkeep, installed_mailkeep, wait_for_recipient
from web.browsers import open_chromium

VISITS: Final = 15
PATHS: Final = ("/inbox", "/inbox?q=is:unread", "/inbox?q=order", "/inbox/rows?before={middle}")
# When the first text was painted, and when the page with all that it loads was there; ms from the click.
TIMES: Final = """() => {
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  const [page] = performance.getEntriesByType("navigation");
  return [page.responseStart, paint?.startTime ?? page.loadEventEnd, page.loadEventEnd];
}"""


@dataclass(frozen=True, slots=True)
class Visit:
    """Milliseconds to the first byte, to the first paint and to the end of loading; bytes over the wire."""

    first_byte: float
    painted: float
    loaded: float
    transferred: int
    requests: int


def measure_inbox(messages: int) -> Iterator[str]:
    """Markdown, a line at a time."""
    with (
        tempfile.TemporaryDirectory(prefix="mailkeep-bench-") as directory,
        installed_mailkeep(Path(directory)) as installation,
    ):
        customer = installation.create_customer("bench@customer.test")
        installation.start_serve()
        wait_for_recipient(installation, customer.address)
        sample = make_samples(scale=1)[0]
        mails = Sample(sample.name, sample.content, copies=messages)
        asyncio.run(send_all(installation.lmtp_port, customer.address, mails, first_number=1_000_000))
        yield from asyncio.run(_measure(installation, customer, messages))


async def _measure(installation: Mailkeep, customer: Customer, messages: int) -> list[str]:
    async with _logged_in(installation, customer) as session:
        lines = ["", "| answer of the server | median ms | longest ms | bytes | in gzip |", "|---|---:|---:|---:|---:|"]
        lines += [await _served(session, path.format(middle=messages // 2)) for path in PATHS]
        [cookie] = session.cookie_jar
        lines += [
            "",
            "| in Chromium | first byte, ms | first paint, ms | loaded, ms | transferred, kB | requests |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        async with open_chromium() as browser:
            first, again = [], []
            for _ in range(VISITS):
                context = await browser.new_context(viewport={"width": 1440, "height": 900})
                await context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": installation.url}])
                first.append(await _visit(context, installation.url))
                again.append(await _visit(context, installation.url))
                await context.close()
        return [*lines, _visits("first visit", first), _visits("next visit", again)]


@asynccontextmanager
async def _logged_in(installation: Mailkeep, customer: Customer) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(installation.url, cookie_jar=jar, auto_decompress=False) as session:
        form = {"email": customer.email, "password": customer.password}
        async with session.post(
            "/login", data=form, headers={"Origin": installation.url}, allow_redirects=False
        ) as page:
            assert page.status == 303, await page.text()
        yield session


async def _served(session: aiohttp.ClientSession, path: str) -> str:
    milliseconds, sizes = [], []
    for encoding in ("identity", *("gzip" for _ in range(VISITS))):
        started = time.perf_counter()
        async with session.get(path, headers={"Accept-Encoding": encoding}) as page:
            body = await page.read()
            assert page.status == 200, body
        milliseconds.append((time.perf_counter() - started) * 1000)
        sizes.append(len(body))
    warm = milliseconds[1:]
    return f"| `{path}` | {median(warm):.0f} | {max(warm):.0f} | {sizes[0]:,} | {sizes[-1]:,} |"


async def _visit(context: BrowserContext, url: str) -> Visit:
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    finished = await _noted(session)
    await page.goto(f"{url}/inbox", wait_until="load")
    first_byte, painted, loaded = await page.evaluate(TIMES)
    await page.close()
    return Visit(first_byte, painted, loaded, sum(finished), len(finished))


async def _noted(session: CDPSession) -> list[int]:
    """The bytes of each request of a page that went over the wire, headers too, as they end."""
    finished: list[int] = []
    session.on("Network.loadingFinished", lambda event: finished.append(int(event["encodedDataLength"])))
    await session.send("Network.enable")
    return finished


def _visits(name: str, visits: Sequence[Visit]) -> str:
    first_byte, painted, loaded = (
        median(times) for times in zip(*((v.first_byte, v.painted, v.loaded) for v in visits), strict=True)
    )
    transferred = median(visit.transferred for visit in visits) / 1000
    requests = max(visit.requests for visit in visits)
    return f"| {name} | {first_byte:.0f} | {painted:.0f} | {loaded:.0f} | {transferred:.1f} | {requests} |"
