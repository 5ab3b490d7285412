"""The real retention, killed by `kill -9` at a random moment.

A process that has loaded the program forks one that runs it whenever it is asked to, because loading takes longer
than the run.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from mailkeep.bootstrap import open_core
from mailkeep.config import Log
from mailkeep.settings_loader import load_settings
from mailkeep.telemetry import configure_logging
from services.daemon import ServiceFailed

TESTS: Final = Path(__file__).parents[1]
ANSWERED_S: Final = 60


class RetentionForks:
    """Starts one run after the other. The calls block."""

    def __init__(self, asked: IO[str], told: IO[str]) -> None:
        self._asked = asked
        self._told = told

    def run_and_kill(self, after_s: float) -> bool:
        """Whether it was still at work `after_s` seconds after it began. Raises ServiceFailed."""
        self._asked.write("run\n")
        self._asked.flush()
        pid = self._number()
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)  # one that has ended is a zombie until it is waited for, which takes a signal
        self._asked.write("wait\n")
        self._asked.flush()
        return self._number() == -signal.SIGKILL

    def _number(self) -> int:
        ready, _, _ = select.select([self._told], [], [], ANSWERED_S)
        line = self._told.readline() if ready else ""
        if not line:
            raise ServiceFailed("no run of retention begins, or ends")
        return int(line)


@contextmanager
def retention_forks(environment: Mapping[str, str], log_path: Path) -> Iterator[RetentionForks]:
    with (
        log_path.open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", "services.retention_forks"],
            env={**environment, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield RetentionForks(process.stdin, process.stdout)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def fork_when_asked() -> None:
    """`run` says the process id once its core is open; `wait` says how it ended."""
    process = 0
    for line in sys.stdin:
        if line.strip() == "wait":
            _, status = os.waitpid(process, 0)
            _say(os.waitstatus_to_exitcode(status))
        elif not (process := os.fork()):
            asyncio.run(_run())
            os._exit(0)


async def _run() -> None:
    configure_logging(Log(), stream=sys.stderr)
    async with open_core(load_settings(os.environ)) as core:
        _say(os.getpid())
        await core.retention.run()


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    fork_when_asked()
