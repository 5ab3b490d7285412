"""A sender like Postfix's LMTP client: connections held open, commands pipelined where the server offers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from bench.samples import Sample
from services.lmtp import dot_stuffed

SENDERS = 20
REPLY_TIMEOUT_S = 120


class Refused(Exception):
    """A server answered something else than the benchmark needs."""


async def send_all(port: int, recipient: str, sample: Sample, *, first_number: int) -> float:
    """Every copy of a sample over SENDERS connections; the seconds it took. Raises Refused."""
    numbers = iter(range(first_number, first_number + sample.copies))
    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(_send_some(port, recipient, sample, numbers))
    return time.perf_counter() - started


async def _send_some(port: int, recipient: str, sample: Sample, numbers: Iterator[int]) -> None:
    """One connection; the senders take the numbers from one another."""
    async with _connection(port) as (reader, writer):
        await _expect(reader, "220")
        writer.write(b"LHLO client.test\r\n")
        pipelining = "PIPELINING" in await _expect(reader, "250")
        opening = [
            (b"MAIL FROM:<orders@shop.test>\r\n", "250"),
            (f"RCPT TO:<{recipient}>\r\n".encode(), "250"),
            (b"DATA\r\n", "354"),
        ]
        for number in numbers:
            content = dot_stuffed(sample.copy(number))
            if pipelining:
                writer.write(b"".join(command for command, _ in opening))
            for command, wanted in opening:
                if not pipelining:
                    writer.write(command)
                await _expect(reader, wanted)
            writer.write(content)
            await writer.drain()
            await _expect(reader, "250")


async def _expect(reader: asyncio.StreamReader, code: str) -> str:
    lines = []
    async with asyncio.timeout(REPLY_TIMEOUT_S):
        while True:
            line = (await reader.readuntil(b"\n")).decode()
            lines.append(line)
            if line[3:4] != "-":
                break
    if not lines[-1].startswith(code):
        raise Refused(f"expected {code}, got {lines[-1].strip()}")
    return "".join(lines)


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
