"""The shipped Postfix without mxd: it takes nothing; and it has limits for each client."""

from __future__ import annotations

import smtplib
import socket
from pathlib import Path

from journeys.shipped import CLIENT, SENDER, shipped_postfix
from services.mailkeep import DOMAIN, Mailkeep
from services.postfix import Postfix

RECIPIENT = f"anybody@{DOMAIN}"


def client_of(postfix: Postfix) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", postfix.port, local_hostname=CLIENT, timeout=30)
    client.ehlo()
    return client


def test_without_the_policy_listener_every_recipient_is_deferred(tmp_path: Path) -> None:
    with shipped_postfix(Mailkeep(tmp_path), "--mode=one-machine") as postfix:
        with client_of(postfix) as client:
            assert client.mail(SENDER)[0] == 250
            code, text = client.rcpt(RECIPIENT)
            assert (code, b"4.4.3" in text) == (451, True), text
            assert client.docmd("DATA")[0] in {503, 554}
        assert postfix.queue() == []


def test_who_talks_before_the_greeting_is_refused(tmp_path: Path) -> None:
    with shipped_postfix(Mailkeep(tmp_path), "--mode=one-machine") as postfix:
        with socket.create_connection(("127.0.0.1", postfix.port), timeout=30) as connection:
            commands = f"EHLO early.test\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{RECIPIENT}>\r\nQUIT\r\n"
            connection.sendall(commands.encode())
            replies = b"".join(iter(lambda: connection.recv(4_096), b"")).decode()
        assert "550 5.5.1 Protocol error" in replies or "521 5.5.1 Protocol error" in replies, replies
        postfix.catch_up()
        assert "PREGREET" in postfix.log()


def test_one_client_gets_no_more_than_its_share(tmp_path: Path) -> None:
    """Loopback is a client like any other: the limits are lowered here, and nothing else."""
    limits = {"connection_count": "2", "message_rate": "3", "recipient_rate": "2", "connection_rate": "5"}
    overrides = {f"smtpd_client_{name}_limit": value for name, value in limits.items()}
    with shipped_postfix(Mailkeep(tmp_path), "--mode=one-machine", overrides=overrides) as postfix:
        with client_of(postfix) as first:
            assert first.mail(SENDER)[0] == 250
            codes = [first.rcpt(RECIPIENT) for _ in range(3)]
            assert [code for code, _ in codes] == [451, 451, 450]
            assert b"too many recipients" in codes[-1][1]
            with client_of(postfix):
                assert _refused(postfix) == 421  # a third at a time
            first.rset()
            assert [first.mail(SENDER)[0], first.rset()[0], first.mail(SENDER)[0], first.rset()[0]] == [250] * 4
            assert first.mail(SENDER)[0] == 450
        outcomes = [_refused(postfix) for _ in range(4)]
        assert outcomes[-1] == 421
        postfix.catch_up()
        log = postfix.log()
    for what in (
        "Connection concurrency",
        "Connection rate",
        "Message delivery request rate",
        "Recipient address rate",
    ):
        assert f"{what} limit exceeded" in log, what


def _refused(postfix: Postfix) -> int:
    """The code of a greeting that is none; 220 for one that is."""
    try:
        with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname=CLIENT, timeout=30):
            return 220
    except smtplib.SMTPConnectError as error:
        return error.smtp_code
