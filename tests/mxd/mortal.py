"""An mxd that is killed, as by `kill -9`, when a message has come as far as it was told: `python -m mxd.mortal`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

from mailkeep.bootstrap import open_core
from mailkeep.services.delivery_batches import DeliveryBatches
from mailkeep.services.ingest import Delivery
from mailkeep.storage.blobs.files import FileBlobs
from mailkeep_mxd.feed import LocalSource
from mailkeep_mxd.listeners import run_mxd
from mailkeep_mxd.protocol import MailProtocol
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.session import MailSession
from mxd.house import settings_for


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def then_die(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def dying(*args: Any, **kwargs: Any) -> None:
        call(*args, **kwargs)
        die()

    return dying


def finish_then_die(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    async def dying(*args: Any, **kwargs: Any) -> None:
        await call(*args, **kwargs)
        die()

    return dying


def say_the_first_and_die(send: Callable[..., None]) -> Callable[..., None]:
    """Of the replies for two recipients, the second is never said."""

    @wraps(send)
    def dying(self: MailProtocol, *answers: Reply) -> None:
        send(self, answers[0])
        if len(answers) > 1:
            self._outbox.flush()  # asyncio's transport writes at once
            die()

    return dying


POINTS: Final[dict[str, Callable[[], None]]] = {
    "after RCPT": lambda: setattr(MailSession, "_take_message", die),
    "in DATA": lambda: setattr(Delivery, "feed", finish_then_die(Delivery.feed)),
    "before fsync": lambda: setattr(os, "fsync", die),
    "after fsync": lambda: setattr(Path, "replace", die),
    "after rename": lambda: setattr(Path, "replace", then_die(Path.replace)),
    "before commit": lambda: setattr(FileBlobs, "store", finish_then_die(FileBlobs.store)),
    "after commit": lambda: setattr(DeliveryBatches, "store", finish_then_die(DeliveryBatches.store)),
    "between two replies": lambda: setattr(MailProtocol, "send", say_the_first_and_die(MailProtocol.send)),
}


async def main(directory: Path, point: str) -> None:
    settings = settings_for(directory)
    async with (
        open_core(settings) as core,
        run_mxd(settings, core, LocalSource(core.recipients), smtp=False) as mxd,
    ):
        POINTS[point]()
        sys.stdout.write(f"LMTP {mxd.lmtp}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
