"""The power fails right after the 250, and a disk that cannot write: what was answered is on the disk, and only that.

The disk is a file with an ext4 in it. What the kernel has not written to the disk is not in the file, so a copy of the
file is what a machine would find after a power cut; a disk that lies about its own cache is not shown. One test
takes mxd's fsync away, to show that the others would notice.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from journeys.stored import look
from services.api import ApiClient, logged_in
from services.disk import Disk, disk, new_disk
from services.lmtp import lmtp_client
from services.mailkeep import COMMAND, Customer, Mailkeep, installed_mailkeep, wait_for_recipient
from services.required import required, required_program

MAILS = {
    "small": b"Subject: small\r\n\r\nx\r\n",
    "large": b"Subject: large\r\n\r\n" + os.urandom(100_000).hex(" ", 40).replace(" ", "\r\n").encode() + b"\r\n",
    "attached": (
        b'Subject: attached\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: application/pdf\r\n\r\n" + b"%PDF-" * 20_000 + b"\r\n--b--\r\n"
    ),
}
SYNCS = "fsync,fdatasync"


@dataclass(frozen=True, slots=True)
class Site:
    """An installation with its data on a disk of its own, and a customer with two addresses."""

    mailkeep: Mailkeep
    disk: Disk
    customer: Customer
    second: str

    @property
    def recipients(self) -> list[str]:
        return [self.customer.address, self.second]

    async def deliver(self, content: bytes) -> set[str]:
        """The codes of the replies that both recipients get."""
        async with lmtp_client(self.mailkeep.lmtp_port) as lmtp:
            return {reply[:9] for reply in await lmtp.deliver(self.recipients, content)}

    def start_mxd(self, *, injected: str = "") -> None:
        """With some of its system calls replaced by strace, `fsync:error=EIO`, if wanted."""
        self.mailkeep.mxd.command[:] = [str(COMMAND), "mxd"]
        if injected:
            calls = injected.partition(":")[0]
            strace = [required_program("strace"), "-f", "-qq", "-o/dev/null", "-e", f"trace={calls}"]
            self.mailkeep.mxd.command[:0] = [*strace, "-e", f"inject={injected}"]
        self.mailkeep.start_mxd()
        wait_for_recipient(self.mailkeep, self.customer.address)

    def cut_power(self) -> None:
        """Whatever runs is gone, and what has not been written to the disk is lost."""
        self.mailkeep.kill()

    async def found_after_the_power_cut(self, directory: Path) -> dict[str, dict[str, bytes]]:
        """The sources of what the customer can read on another machine with this disk, by subject and address."""
        image = directory / "after.img"
        self.disk.as_after_a_power_cut(image)
        with disk(image, directory / "after") as after:
            other = Mailkeep(after.path / "site")
            try:
                other.start_api()
                async with logged_in(other.url, self.customer) as inbox:
                    found = await by_subject(inbox)
                other.stop()
            finally:
                other.kill()
            stored = await look(f"sqlite+aiosqlite:///{other.data_dir / 'mailkeep.db'}", other.data_dir / "blobs")
            assert stored.half == ()
            return found


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    with ExitStack() as stack:
        made = required(stack, new_disk(tmp_path / "disk.img", tmp_path / "disk", size_bytes=64 * 1024 * 1024))
        installation = stack.enter_context(installed_mailkeep(made.path / "site"))
        customer = installation.create_customer("alice@customer.test")
        installation.start_api()
        async with logged_in(installation.url, customer) as inbox:
            second = (await inbox.create_address())["address"]
        made.sync()
        yield Site(installation, made, customer, second)


async def by_subject(inbox: ApiClient) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for message in await inbox.messages():
        addresses = found.setdefault(message["subject"], {})
        assert message["address"] not in addresses
        addresses[message["address"]] = await inbox.source(message["id"])
    return found


async def test_attack_064_what_was_answered_survives_a_power_cut(site: Site, tmp_path: Path) -> None:
    site.start_mxd()
    for content in MAILS.values():
        assert await site.deliver(content) == {"250 2.0.0"}
    site.cut_power()
    assert await site.found_after_the_power_cut(tmp_path) == {
        subject: dict.fromkeys(site.recipients, content) for subject, content in MAILS.items()
    }


async def test_attack_064_without_fsync_it_would_not(site: Site, tmp_path: Path) -> None:
    site.start_mxd(injected=f"{SYNCS}:retval=0")
    site.mailkeep.api.kill()  # whatever it writes to the database, it would sync for both
    assert await site.deliver(MAILS["small"]) == {"250 2.0.0"}
    site.cut_power()
    assert await site.found_after_the_power_cut(tmp_path) == {}


@pytest.mark.parametrize("call", SYNCS.split(","))
async def test_attack_066_a_disk_that_cannot_write_means_later(site: Site, call: str) -> None:
    """Python's fsync is that of the blobs, SQLite's is fdatasync."""
    site.start_mxd(injected=f"{call}:error=EIO")
    for content in MAILS.values():
        assert await site.deliver(content) == {"451 4.3.0"}
    assert '"event": "message.deferred"' in site.mailkeep.mxd.log()
    assert list((site.mailkeep.data_dir / "blobs" / "tmp").iterdir()) == []
    site.mailkeep.mxd.kill()
    async with logged_in(site.mailkeep.url, site.customer) as inbox:
        assert await by_subject(inbox) == {}
        site.start_mxd()
        for content in MAILS.values():
            assert await site.deliver(content) == {"250 2.0.0"}
        assert await by_subject(inbox) == {
            subject: dict.fromkeys(site.recipients, content) for subject, content in MAILS.items()
        }
