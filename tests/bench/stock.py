"""The yardstick: aiosmtpd as it is, under the same event loop, throwing the mail away. `python -m bench.stock PORT`."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session


class Discard:
    """A handler that takes everything and keeps nothing."""

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 2.0.0 discarded"


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: LMTP(Discard(), hostname="stock.test"), "127.0.0.1", port
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
