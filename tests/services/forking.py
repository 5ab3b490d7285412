"""A process that has loaded the program and forks another whenever it is asked to: loading takes longer than the run.

It is a module with a loop over its standard input. It is asked in lines, and answers with numbers, a line each.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from services.daemon import ServiceFailed

TESTS: Final = Path(__file__).parents[1]
ANSWERED_S: Final = 60


class Forking:
    """The calls block."""

    def __init__(self, asked: IO[str], told: IO[str]) -> None:
        self._asked = asked
        self._told = told

    def ask(self, line: str) -> None:
        self._asked.write(f"{line}\n")
        self._asked.flush()

    def number(self, what: str) -> int:
        """The next answer. Raises ServiceFailed when none comes in time."""
        ready, _, _ = select.select([self._told], [], [], ANSWERED_S)
        line = self._told.readline() if ready else ""
        if not line:
            raise ServiceFailed(f"waited up to {ANSWERED_S} s in vain: {what}")
        return int(line)


@contextmanager
def forking(module: str, environment: Mapping[str, str], log_path: Path) -> Iterator[Forking]:
    """All that it forks run with this environment and print to one log."""
    with (
        log_path.open("ab") as log,
        subprocess.Popen(
            [sys.executable, "-m", module],
            env={**environment, "PYTHONPATH": str(TESTS)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Forking(process.stdin, process.stdout)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
