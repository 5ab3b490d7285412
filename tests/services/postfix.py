"""A Postfix of our own: private configuration and queue, SMTP on one port, mail of one domain goes to mxd by LMTP.

It runs either a small configuration that retries at once and looks at nothing, or the one that Mailkeep ships.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.daemon import (
    Daemon,
    ServiceFailed,
    ServiceMissing,
    accepts_connections,
    find_program,
    free_port,
    kill_group,
    wait_until,
)

# Retries come within a second or two, so that a test of a failure is short. Nothing is delivered here, nothing looks
# up names, and bytes pass as they are (no line length limit, no added headers but Received).
FLUSH_AFTER_S: Final = 10

MAIN_CF: Final = """\
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/mail.log
maillog_file_prefixes = {directory}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mta.test
mydestination =
alias_maps =
alias_database =
local_transport = error:nothing is delivered here
default_transport = error:only {domain} is relayed
relay_domains = {domain}
relay_recipient_maps =
relay_transport = lmtp:inet:127.0.0.1:{lmtp_port}
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = {policy}
smtpd_peername_lookup = no
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
local_header_rewrite_clients =
in_flow_delay = 0
message_size_limit = 104857600
mailbox_size_limit = 0
header_size_limit = 1048576
enable_long_queue_ids = yes
lmtp_send_xforward_command = yes
lmtp_line_length_limit = 0
lmtp_destination_concurrency_limit = 20
lmtp_destination_concurrency_failed_cohort_limit = 0
lmtp_connect_timeout = 5s
transport_retry_time = 1s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
"""

# No service runs in a chroot: the queue has no copy of what a chroot needs.
MASTER_CF: Final = """\
127.0.0.1:{smtp_port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - 40 lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""

# What a test changes in the shipped configuration: where it lives, and how long it waits. The rest is what is tested.
SHIPPED_OVERRIDES: Final = {
    "queue_directory": "{directory}/queue",
    "data_directory": "{directory}/data",
    "maillog_file": "{directory}/mail.log",
    "maillog_file_prefixes": "{directory}",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "postscreen_greet_wait": "1s",
    "smtpd_error_sleep_time": "0",
    "lmtp_destination_concurrency_failed_cohort_limit": "0",
    "transport_retry_time": "1s",
    "queue_run_delay": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
}

_DELIVERY: Final = re.compile(r"(\w+): to=<([^>]*)>.* dsn=([\d.]+), status=(\w+) \((.*)\)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One line of Postfix's log about one recipient: status is sent, deferred or bounced; reply is what mxd said."""

    queue_id: str
    recipient: str
    dsn: str
    status: str
    reply: str


class Postfix:
    """A started Postfix: SMTP on `port`, its deliveries in `deliveries()`, what waits in `queue()`."""

    def __init__(self, directory: Path, configure: Configure) -> None:
        self.port = free_port()
        self.directory = directory
        self.configuration = directory / "etc"
        self.configuration.mkdir()
        (directory / "queue").mkdir()
        configure(self)
        self.daemon = Daemon(
            [find_program("postfix"), "-c", self.configuration, "start-fg"], log_path=directory / "postfix.out"
        )

    def start(self) -> None:
        """Raises ServiceFailed, with Postfix's log."""
        self.daemon.start()
        self.daemon.wait_ready(lambda: accepts_connections(self.port))

    def stop(self) -> None:
        self.run("postfix", "stop")
        self.daemon.stop()

    def kill(self) -> None:
        """SIGKILL to all of it. The master has a process group of its own."""
        pid_file = self.directory / "queue/pid/master.pid"
        if pid_file.exists() and self.daemon.running:
            kill_group(int(pid_file.read_text()))
        self.daemon.kill()

    def log(self) -> str:
        path = self.directory / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def deliveries(self) -> list[Delivery]:
        """Every attempt so far, in order."""
        return [Delivery(*found.groups()) for found in _DELIVERY.finditer(self.log())]

    def queue(self) -> list[str]:
        """The ids of the mail that Postfix still holds.

        A file that moves from one queue to the next while they are listed is in none of them, so an empty list is asked
        for twice.
        """
        return self._listed() or self._listed()

    def _listed(self) -> list[str]:
        lines = self.run("postqueue", "-j").splitlines()
        return [str(json.loads(line)["queue_id"]) for line in lines]

    def flush(self) -> None:
        """Try everything in the queue now."""
        self.run("postqueue", "-f")

    def wait_empty(self, *, timeout_s: float = 60) -> None:
        """The log is whole then. Raises ServiceFailed when mail is left in the queue.

        What Postfix finds "still being delivered" when its turn comes, it looks at again after five minutes: so it is
        told to look at everything.
        """
        asked_at = time.monotonic()

        def is_empty() -> bool:
            nonlocal asked_at
            if not self.queue():
                return True
            if time.monotonic() - asked_at > FLUSH_AFTER_S:
                asked_at = time.monotonic()
                with suppress(subprocess.CalledProcessError):  # its queue manager is busy: later then
                    self.flush()
            return False

        wait_until(is_empty, what="Postfix still holds mail", timeout_s=timeout_s)
        self.catch_up()

    def catch_up(self) -> None:
        """Wait until all that has happened stands in the log: postlogd writes it a moment later, in order."""
        mark = f"caught up {secrets.token_hex(8)}"
        self.run("postlog", mark)
        wait_until(lambda: mark in self.log(), what="the log does not catch up")

    def run(self, program: str, *arguments: str) -> str:
        """What a command of Postfix prints about this instance. Raises CalledProcessError."""
        command = [find_program(program), "-c", str(self.configuration), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


Configure = Callable[[Postfix], None]


def small_configuration(*, domain: str, lmtp_port: int, policy_port: int | None = None) -> Configure:
    """What most tests need of a Postfix. Without `policy_port` it asks nobody about recipients."""
    policy = "" if policy_port is None else f"check_policy_service inet:127.0.0.1:{policy_port}"

    def configure(postfix: Postfix) -> None:
        main_cf = MAIN_CF.format(directory=postfix.directory, domain=domain, lmtp_port=lmtp_port, policy=policy)
        (postfix.configuration / "main.cf").write_text(main_cf)
        (postfix.configuration / "master.cf").write_text(MASTER_CF.format(smtp_port=postfix.port))

    return configure


def shipped_configuration(generate: Callable[[Path], object], *, overrides: Mapping[str, str]) -> Configure:
    """What `generate` writes into a directory, moved to loopback and hurried; `overrides` are for main.cf."""

    def configure(postfix: Postfix) -> None:
        generate(postfix.configuration)
        changed = {**SHIPPED_OVERRIDES, **overrides}
        assignments = [f"{name}={value.format(directory=postfix.directory)}" for name, value in changed.items()]
        postfix.run("postconf", "-e", *assignments)
        master_cf = postfix.configuration / "master.cf"
        text, replaced = re.subn(r"^smtp  ", f"127.0.0.1:{postfix.port}  ", master_cf.read_text(), flags=re.MULTILINE)
        if replaced != 1:
            raise ServiceFailed(f"{replaced} services named smtp in the shipped master.cf")
        master_cf.write_text(text)

    return configure


@contextmanager
def running_postfix(configure: Configure) -> Iterator[Postfix]:
    """A started Postfix, ended and removed at the end. Raises ServiceMissing, ServiceFailed."""
    if os.geteuid() != 0:
        raise ServiceMissing("Postfix starts as root only")
    find_program("postfix")
    directory = Path(tempfile.mkdtemp(prefix="mailkeep-postfix-"))
    directory.chmod(0o755)  # Postfix's daemons run as the user postfix
    try:
        server = Postfix(directory, configure)
        try:
            server.start()
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(directory)
