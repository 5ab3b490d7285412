"""The real mxd, which may kill itself at a named point, as by `kill -9`.

The points are put around functions of the product from here; the product knows nothing of them. A process that has
loaded the program forks an mxd whenever it is asked to, because loading it takes longer than hundreds of deaths.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

from mailkeep.services.delivery_batches import DeliveryBatches
from mailkeep.services.ingest import Delivery
from mailkeep.storage.blobs.files import FileBlobs
from mailkeep_cli.main import main
from mailkeep_mxd.protocol import MailProtocol
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.session import MailSession
from services.forking import Forking, forking


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL returns")


def after(kind: Any, name: str, *, times: int = 1) -> None:
    """Die when a method has returned for the `times`th time."""
    method = getattr(kind, name)
    calls = 0

    @functools.wraps(method)
    async def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        result = await method(*args, **kwargs)
        calls += 1
        if calls == times:
            die()
        return result

    setattr(kind, name, dying)


def after_the_temporary_write() -> None:
    """When the bytes of a blob are durable under a name that nobody knows; mxd syncs other files, too."""
    fsync = os.fsync

    def dying(fd: Any) -> None:
        fsync(fd)
        if "/blobs/tmp/" in str(Path(f"/proc/self/fd/{fd}").readlink()):
            die()

    os.fsync = dying


def between_replies() -> None:
    send = MailProtocol.send

    def dying(self: MailProtocol, *answers: Reply) -> None:
        if len(answers) != 2:
            send(self, *answers)
            return
        send(self, answers[0])
        asyncio.get_running_loop().call_later(0.2, die)

    MailProtocol.send = dying  # type: ignore[method-assign]  # this is what the module is for


POINTS: Final[dict[str, Callable[[], None]]] = {
    "after RCPT": lambda: after(MailSession, "_add_recipient", times=2),
    "in DATA": lambda: after(Delivery, "feed"),
    "after the temporary write": after_the_temporary_write,
    "after the rename": lambda: after(FileBlobs, "store"),
    "after the commit, before the reply": lambda: after(DeliveryBatches, "store"),
    "between two replies": between_replies,
}


class MxdForks:
    """Starts one mxd after the other. The calls block."""

    def __init__(self, forks: Forking) -> None:
        self._forks = forks

    def start(self, point: str = "") -> int:
        """The process id of an mxd that dies at the point; without one, it lives until it is told to stop."""
        self._forks.ask(point)
        return self._forks.number("an mxd that starts")

    def ended(self) -> int:
        """Wait until the last one has ended: its exit code, or the signal less than zero."""
        return self._forks.number("an mxd that ends")


@contextmanager
def mxd_forks(environment: Mapping[str, str], log_path: Path) -> Iterator[MxdForks]:
    """All of them run with this environment and print to one log."""
    with forking("services.dying_mxd", environment, log_path) as forks:
        yield MxdForks(forks)


def fork_when_asked() -> None:
    """A line of standard input is a point; its process id and then its end are said on standard output."""
    for line in sys.stdin:
        process = os.fork()
        if not process:
            os.dup2(2, 1)
            if point := line.strip():
                POINTS[point]()
            sys.argv = ["mailkeep", "mxd"]
            main()
            return
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    fork_when_asked()
