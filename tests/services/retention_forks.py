"""The real retention, killed by `kill -9` at a random moment.

A process that has loaded the program forks one that runs it whenever it is asked to, because loading takes longer
than the run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mailkeep.bootstrap import open_core
from mailkeep.config import Log
from mailkeep.settings_loader import load_settings
from mailkeep.telemetry import configure_logging
from services.forking import Forking, forking


class RetentionForks:
    """Starts one run after the other. The calls block."""

    def __init__(self, forks: Forking) -> None:
        self._forks = forks

    def run_and_kill(self, after_s: float) -> bool:
        """Whether it was still at work `after_s` seconds after it began. Raises ServiceFailed."""
        self._forks.ask("run")
        pid = self._forks.number("a run that begins")
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)  # one that has ended is a zombie until it is waited for, which takes a signal
        self._forks.ask("wait")
        return self._forks.number("a run that ends") == -signal.SIGKILL


@contextmanager
def retention_forks(environment: Mapping[str, str], log_path: Path) -> Iterator[RetentionForks]:
    with forking("services.retention_forks", environment, log_path) as forks:
        yield RetentionForks(forks)


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
