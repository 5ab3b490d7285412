"""Where bytes are kept: nobody who sends mail chooses it (attack cases 58 and 59)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from core.conftest import Customer, deliver
from hostile_names import SENDABLE_NAMES, mail_with_hostile_names
from mailkeep.bootstrap import Core

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
SOURCE = re.compile(rf"sources/\d{{4}}/\d\d/\d\d/{UUID}\.eml\.zst")
ATTACHMENT = re.compile(rf"attachments/[0-9a-f]{{2}}/[0-9a-f]{{16}}-{UUID}-[A-Za-z0-9][A-Za-z0-9._-]{{0,79}}")

TRAVERSING = b"""\
Message-ID: </../../../etc/passwd@x>
From: <../../a@sender.test>
MIME-Version: 1.0
Content-Type: multipart/related; boundary="/../../b"

--/../../b
Content-Type: image/../png; name="../../../etc/cron.d/x"
Content-ID: </../../../etc/shadow>
Content-Disposition: inline; filename="..\\..\\windows\\win.ini"

x
--/../../b--
""".replace(b"\n", b"\r\n")


def blobs_of(core: Core) -> list[str]:
    root = core.settings.blob_dir
    return [str(path.relative_to(root)) for path in sorted(root.rglob("*")) if path.is_file()]


def names_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


async def test_attack_059_no_word_of_a_sender_is_part_of_a_path(core: Core, alice: Customer, tmp_path: Path) -> None:
    recipient = alice.recipient()
    tagged = replace(recipient, address=f"x/../../y+/../z@{recipient.address.partition('@')[2]}")
    for mail in (mail_with_hostile_names(), TRAVERSING):
        assert await deliver(core, mail, tagged, queue_id="mx/../../../etc/4XyZ1234abcd") == [None]
    keys = blobs_of(core)
    assert len([key for key in keys if SOURCE.fullmatch(key)]) == 2
    assert len([key for key in keys if ATTACHMENT.fullmatch(key)]) == len(SENDABLE_NAMES) + 1
    assert [key for key in keys if not (SOURCE.fullmatch(key) or ATTACHMENT.fullmatch(key))] == []
    # Whatever else there is was made by the core itself, and all of it where it belongs.
    assert names_in(tmp_path) <= {"data", "mailkeep.db", "mailkeep.db-wal", "mailkeep.db-shm"}
    message = (await alice.messages())[-1]
    assert await alice.source(message) == TRAVERSING
