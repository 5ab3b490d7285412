"""`mxd --workers N`: N processes on one port (SO_REUSEPORT), and the supervisor that keeps them running.

The supervisor takes no mail and opens nothing but a pipe to each worker. A worker that dies is started again, the
longer it fails the later; one whose loop does not answer is killed, and started again. No worker is forked from a
running loop: each is a program of its own.
"""

from __future__ import annotations

import asyncio
import os
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from mailkeep_mxd.pulse import BEAT_S, READY

EXIT_WRONG: Final = 2  # a worker that found a setting at fault, and has said so on standard error
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
STEADY_S: Final = 60.0  # a worker that lived that long is started again without having learned to be slow
STOP_S: Final = 30.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()

# The command line of the worker with this number, whose pulse goes to this descriptor.
Command = Callable[[int, int], Sequence[str]]


class Workers:
    """Runs `count` workers until it is told to `stop`. `silence_s` is how long a pulse may be missed."""

    def __init__(self, command: Command, *, count: int, silence_s: float) -> None:
        self._command = command
        self._silence_s = silence_s
        self._stopping = asyncio.Event()
        self._cannot_start = False
        self._running: dict[int, Process] = {}
        self._proven: set[int] = set()  # have been ready once, so that what they read at start is right
        self._ready = {number: asyncio.Event() for number in range(1, count + 1)}

    def stop(self) -> None:
        """Have the workers finish what is under way; `run` then returns."""
        self._stopping.set()

    async def run(self) -> bool:
        """Until they have ended; False when one could not start at all, which has said why."""
        first, *others = self._ready
        keepers = [asyncio.create_task(self._keep(first))]
        # What is wrong for one is wrong for all, and need be said only once.
        await self._first_of(self._ready[first].wait(), self._stopping.wait(), *keepers)
        keepers += [asyncio.create_task(self._keep(number)) for number in others]
        try:
            await self._first_of(self._stopping.wait(), *keepers)
        finally:
            await self._end(keepers)
        for keeper in keepers:
            keeper.result()
        return not self._cannot_start

    async def renew(self) -> None:
        """Replace each worker by one that reads its configuration anew, one after the other."""
        log.info("workers.renewing", workers=len(self._ready))
        for number, ready in self._ready.items():
            process = self._running.get(number)
            if process is None or self._stopping.is_set():
                continue
            ready.clear()
            process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_S + self._silence_s):
                    await self._first_of(ready.wait(), self._stopping.wait())

    async def _keep(self, number: int) -> None:
        """One worker, again and again."""
        delay_s = FIRST_DELAY_S
        while not self._stopping.is_set():
            started_at = time.monotonic()
            code = await self._run_worker(number)
            self._ready[number].clear()
            if self._stopping.is_set():
                return
            if code == EXIT_WRONG and number not in self._proven:
                self._cannot_start = True
                self._stopping.set()
                return
            if time.monotonic() - started_at > STEADY_S:
                delay_s = FIRST_DELAY_S
            if code != 0:  # else it was asked to end
                log.error("worker.ended", worker=number, code=code, again_in_s=delay_s)
                await self._pause(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _run_worker(self, number: int) -> int:
        """From its start to its end; the exit code, negative for a signal."""
        reading, writing = os.pipe()
        try:
            command = self._command(number, writing)
            process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, pass_fds=(writing,))
        except OSError as error:
            log.error("worker.not_started", worker=number, errno=error.errno)  # noqa: TRY400 - it holds nothing else
            os.close(reading)
            return -1
        finally:
            os.close(writing)
        self._running[number] = process
        log.info("worker.started", worker=number, pid=process.pid)
        try:
            if self._stopping.is_set():
                process.terminate()
            if not await self._beats_to_the_end(reading, number):
                log.error("worker.silent", worker=number, pid=process.pid, silence_s=self._silence_s)
                process.kill()
            return await process.wait()
        finally:
            del self._running[number]
            if process.returncode is None:
                process.kill()

    async def _beats_to_the_end(self, reading: int, number: int) -> bool:
        """Listens to a pulse until the worker ends; False when the worker is silent for too long."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
        )
        try:
            while True:
                heard = await self._hear(reader)
                if not heard:
                    return True
                if READY in heard:
                    self._proven.add(number)
                    self._ready[number].set()
        except TimeoutError:
            return False
        finally:
            transport.close()

    async def _hear(self, reader: asyncio.StreamReader) -> bytes:
        """Raises TimeoutError. Listens twice: if it was we who were held up, the beats are there already."""
        try:
            async with asyncio.timeout(self._silence_s):
                return await reader.read(1024)
        except TimeoutError:
            async with asyncio.timeout(2 * BEAT_S):
                return await reader.read(1024)

    async def _end(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        """SIGTERM to all; SIGKILL to whoever has not ended after STOP_S."""
        self._stopping.set()
        for process in self._running.values():
            process.terminate()
        _, pending = await asyncio.wait(keepers, timeout=STOP_S)
        if pending:
            log.error("workers.cut_off", workers=sorted(self._running))
            for process in self._running.values():
                process.kill()
            await asyncio.wait(pending)

    async def _pause(self, delay_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()

    async def _first_of(self, *awaited: Coroutine[Any, Any, object] | asyncio.Task[None]) -> None:
        """Until one of them is done; those that were made for this are then given up."""
        tasks = {asyncio.ensure_future(one) for one in awaited}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks - set(awaited):
            task.cancel()
