"""Saves the recipient table now and then, and brings it back at start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from mailkeep_mxd import snapshot
from mailkeep_mxd.follower import FeedFollower
from mailkeep_mxd.snapshot import SnapshotDamaged, SnapshotHead

FILE_NAME: Final = "recipients.snapshot"
SAVE_EVERY_S: Final = 120.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Checkpoint:
    """The table of one follower and its file. `wall_clock` gives Unix time: a restart ends the monotonic clock."""

    def __init__(self, follower: FeedFollower, path: Path, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._follower = follower
        self._path = path
        self._wall_clock = wall_clock

    async def restore(self) -> None:
        """Go on where the last process ended. A file that is damaged or from the future is ignored, with a warning."""
        try:
            head, rows = await asyncio.to_thread(snapshot.load, self._path)
            age_s = self._age_of(head)
            self._follower.table.load(rows)
        except FileNotFoundError:
            return
        except (OSError, ValueError, SnapshotDamaged) as error:
            log.warning("recipients.snapshot_ignored", error=type(error).__name__)
            return
        self._follower.resume(cursor=head.cursor, age_s=age_s)
        log.info("recipients.restored", recipients=len(rows), age_s=round(age_s, 3))

    def _age_of(self, head: SnapshotHead) -> float:
        age_s = self._wall_clock() - head.synced_at
        if age_s < 0:
            raise SnapshotDamaged("written in the future: the clock was set back")
        return age_s

    async def keep(self) -> None:
        """Saves until it is cancelled."""
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            await self.save()

    async def save(self) -> None:
        """Save the table as the feed last left it; without an answer of the feed there is nothing worth saving."""
        age_s = self._follower.age_s
        if age_s == float("inf"):
            return
        table = self._follower.table
        head = SnapshotHead(cursor=self._follower.cursor, synced_at=self._wall_clock() - age_s, rows=len(table))
        rows = table.rows()
        try:
            await asyncio.to_thread(snapshot.save, self._path, head, rows)
        except OSError as error:
            log.warning("recipients.snapshot_not_saved", error=type(error).__name__, errno=error.errno)
