"""Connections opened and dropped: `python -m services.flood PORT A_SECOND SECONDS`, a process of its own.

It prints how many it made. It would hold up whoever measures in the same process.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time

CLIENTS = 100


def flood(port: int, *, a_second: int, seconds: float) -> int:
    """As many as can be made, at most `a_second`, from many addresses of the loopback network."""
    made = 0
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        if made >= passed * a_second:
            time.sleep(0.001)
            continue
        with socket.socket() as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.bind((f"127.0.2.{1 + made % CLIENTS}", 0))
            client.connect(("127.0.0.1", port))
            # Half of them are dropped with a reset, as by a scanner.
            linger = b"\1\0\0\0\0\0\0\0" if made % 2 else b"\0" * 8
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            made += 1
    return made


if __name__ == "__main__":
    sys.stdout.write(f"{flood(int(sys.argv[1]), a_second=int(sys.argv[2]), seconds=float(sys.argv[3]))}\n")
