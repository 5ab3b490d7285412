"""The real mxd, but it kills itself at a named point: `python -m services.dying_mxd POINT`.

The points are put around functions of the product from here; the product knows nothing of them.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, NoReturn

from mailkeep.services.delivery_batches import DeliveryBatches
from mailkeep.services.ingest import Delivery
from mailkeep.storage.blobs.files import FileBlobs
from mailkeep_cli.main import main
from mailkeep_mxd.protocol import MailProtocol
from mailkeep_mxd.replies import Reply
from mailkeep_mxd.session import MailSession


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL returns")


def after(kind: Any, name: str, *, times: int = 1) -> None:
    """Die when a method has returned for the `times`th time."""
    method = getattr(kind, name)
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1
        if calls == times:
            die()

    @functools.wraps(method)
    async def dying_async(*args: Any, **kwargs: Any) -> Any:
        result = await method(*args, **kwargs)
        count()
        return result

    @functools.wraps(method)
    def dying(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        count()
        return result

    setattr(kind, name, dying_async if asyncio.iscoroutinefunction(method) else dying)


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
    "in DATA": lambda: after(Delivery, "feed", times=2),
    "after the temporary write": lambda: after(os, "fsync"),
    "after the rename": lambda: after(FileBlobs, "_store"),
    "after the commit, before the reply": lambda: after(DeliveryBatches, "store"),
    "between two replies": between_replies,
}

if __name__ == "__main__":
    POINTS[sys.argv[1]]()
    sys.argv[1:] = ["mxd"]
    main()
