"""Port 25 with the shipped configuration: no smuggling, nothing carried over STARTTLS (attack cases 12 to 16, 31)."""

from __future__ import annotations

import itertools
import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from typing import Final

import pytest

from journeys.shipped import HOSTNAME, SENDER, House, shipped_house
from services.api import logged_in
from services.certificates import Authority
from services.required import required_program

# Nothing but <CR><LF>.<CR><LF> ends a message.
FAKE_ENDS: Final = [
    b"\n.\n",
    b"\n.\r",
    b"\r.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
]
# With BDAT a length says where the message ends, and so the true end of DATA is content as well.
INSIDE_BDAT: Final = [*FAKE_ENDS, b"\r\n.\r\n"]

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    required_program("openssl")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[House]:
    arguments = ("--mode=one-machine", f"--tls-chain={authority.issue(HOSTNAME).chain}")
    with shipped_house(tmp_path_factory.mktemp("wire"), arguments=arguments) as running:
        yield running


@pytest.mark.parametrize("fake_end", FAKE_ENDS, ids=repr)
async def test_attack_015_data_is_one_message(house: House, fake_end: bytes) -> None:
    subject, content = _two_in_one(house, fake_end)
    with _ready_for_content(house) as client:
        assert client.docmd("DATA")[0] == 354
        client.send(content + b"\r\n.\r\n")
        _require_one_reply(client)
    await _require_stored_once(house, subject)


@pytest.mark.parametrize("fake_end", INSIDE_BDAT, ids=repr)
@pytest.mark.parametrize("cut", ["whole", "in the middle"])
async def test_attack_015_bdat_is_one_message(house: House, fake_end: bytes, cut: str) -> None:
    subject, content = _two_in_one(house, fake_end)
    at = content.index(fake_end) + 1 if cut == "in the middle" else 0
    with _ready_for_content(house) as client:
        if at:
            client.send(b"BDAT %d\r\n" % at + content[:at])
            assert client.getreply()[0] == 250
        client.send(b"BDAT %d LAST\r\n" % (len(content) - at) + content[at:])
        _require_one_reply(client)
    await _require_stored_once(house, subject)


@pytest.mark.parametrize("injected", ["MAIL FROM:<injected@client.test>", "EHLO injected.test", "NOOP"])
def test_attack_016_nothing_from_before_starttls_is_run_after_it(
    house: House, authority: Authority, injected: str
) -> None:
    context = ssl.create_default_context(cafile=str(authority.root))
    with house.smtp() as client:
        assert client.docmd("AUTH PLAIN AGEAYg==")[0] in {500, 502, 503}
        client.send(f"STARTTLS\r\n{injected}\r\n".encode())
        code, text = client.getreply()
        if code == 220:
            assert client.sock is not None
            client.sock = context.wrap_socket(client.sock, server_hostname=HOSTNAME)
            client.file = None
            # An injected command that was run would answer first, and MAIL would have opened a transaction.
            assert client.docmd(f"RCPT TO:<{house.customer.address}>")[0] == 503
            assert client.docmd("EHLO client.test")[1].startswith(HOSTNAME.encode())
            assert client.docmd(f"RCPT TO:<{house.customer.address}>")[0] == 503
        else:
            assert (code, text[:5]) in {(554, b"5.5.0"), (503, b"5.5.0")}, (code, text)


def test_mail_comes_in_over_tls_of_today_and_no_older(house: House, authority: Authority) -> None:
    context = ssl.create_default_context(cafile=str(authority.root))
    with house.smtp() as client:
        client._host = HOSTNAME  # type: ignore[attr-defined]  # the name that smtplib verifies
        assert client.starttls(context=context)[0] == 220
        assert client.sendmail(SENDER, [house.customer.address], b"Subject: over TLS\r\n\r\n") == {}
    house.postfix.wait_empty()

    for version, works in {"-tls1": False, "-tls1_1": False, "-tls1_2": True, "-tls1_3": True}.items():
        command = [required_program("openssl"), "s_client", "-starttls", "smtp", version, "-cipher", "ALL:@SECLEVEL=0",
                   "-connect", f"127.0.0.1:{house.postfix.port}"]  # fmt: skip
        done = subprocess.run(command, input="QUIT\n", capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode == 0) is works, done.stdout + done.stderr


async def test_attack_031_mail_in_utf8_is_stored_and_an_address_in_utf8_is_refused_at_rcpt(house: House) -> None:
    content = "Subject: Grüße aus Köln\r\nFrom: Jürgen <jürgen@müller.test>\r\n\r\nSchöne Grüße\r\n".encode()
    with house.smtp() as client:
        client.sendmail("jürgen@müller.test", [house.customer.address], content, ["SMTPUTF8", "BODY=8BITMIME"])
        assert client.docmd("MAIL FROM:<sender@client.test> SMTPUTF8")[0] == 250
        client.putcmd("RCPT TO:<jürgen@mail.test>")
        assert client.getreply()[0] == 550
    house.postfix.wait_empty()
    async with logged_in(house.mailkeep.url, house.customer) as api:
        [message] = [m for m in await api.messages() if m["subject"] == "Grüße aus Köln"]
        assert (await api.source(message["id"])).endswith(content)
        details = await api.call("GET", f"/api/v1/messages/{message['id']}")
    assert details["envelope"]["mail_from"] == "jürgen@müller.test"
    assert "status=bounced" not in house.postfix.log()


def test_postfix_has_nothing_to_warn_of(house: House) -> None:
    """After all of the above: no process ended badly, no parameter was wrong."""
    house.postfix.catch_up()
    warnings = [line for line in house.postfix.log().splitlines() if "warning:" in line or "fatal:" in line]
    assert [line for line in warnings if "TLS library problem" not in line] == []  # clients of an older TLS


def _two_in_one(house: House, fake_end: bytes) -> tuple[str, bytes]:
    """A mail that holds a fake end and a second envelope; and the subject of the first."""
    subject = f"outer {next(_numbers)}"
    inner = f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{house.customer.address}>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled"
    return subject, f"Subject: {subject}\r\n\r\nfirst".encode() + fake_end + inner.encode()


def _ready_for_content(house: House) -> smtplib.SMTP:
    client = house.smtp()
    assert client.mail(SENDER)[0] == 250
    assert client.rcpt(house.customer.address)[0] == 250
    return client


def _require_one_reply(client: smtplib.SMTP) -> None:
    """To the message; the next one is to QUIT."""
    assert client.getreply()[0] == 250
    assert client.docmd("QUIT")[0] == 221


async def _require_stored_once(house: House, subject: str) -> None:
    house.postfix.wait_empty()
    assert "status=bounced" not in house.postfix.log()
    async with logged_in(house.mailkeep.url, house.customer) as client:
        subjects = [message["subject"] for message in await client.messages()]
    assert subjects.count(subject) == 1
    assert "smuggled" not in subjects
