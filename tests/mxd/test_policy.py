"""Postfix's policy requests."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from mailkeep.errors import ConfigurationError
from mailkeep_mxd import policy
from mailkeep_mxd.feed import LocalSource
from mailkeep_mxd.listeners import RunningMxd, run_mxd
from mailkeep_mxd.recipients import RecipientDirectory
from mxd.house import House, open_door, settings_for


def request(recipient: str, state: str = "RCPT", **attributes: str) -> str:
    lines = {"request": "smtpd_access_policy", "protocol_state": state, "recipient": recipient, **attributes}
    return "".join(f"{name}={value}\n" for name, value in lines.items()) + "\n"


async def ask(mxd: RunningMxd, *requests: str | bytes) -> list[str]:
    """The actions on one connection, until it is closed."""
    host, port = mxd.policy.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"".join(text.encode() if isinstance(text, str) else text for text in requests))
    writer.write_eof()
    answer = bytearray()
    with contextlib.suppress(ConnectionResetError):  # it was closed over what it did not read
        while piece := await asyncio.wait_for(reader.read(4096), 10):
            answer += piece
    writer.close()
    with contextlib.suppress(ConnectionResetError):
        await writer.wait_closed()
    return answer.decode().split("\n\n")[:-1]


async def test_the_same_decisions_as_at_rcpt(house: House, tmp_path: Path) -> None:
    off = await house.address("off@here.test")
    await house.core.addresses.update(house.actor, off.id, active=False)
    async with open_door(settings_for(tmp_path), house) as mxd:
        actions = await ask(
            mxd,
            request("a@here.test", sender="x@y.test", size="100"),
            request("A+tag@Here.Test"),
            request("off@here.test"),
            request("nobody@here.test"),
            request("no address"),
            request("", state="DATA"),
            request("nobody@here.test", state="MAIL"),
        )
    assert actions == [
        "action=DUNNO",
        "action=DUNNO",
        "action=550 5.2.1 this address receives no mail at present",
        "action=550 5.1.1 no such address here",
        "action=550 5.1.1 no such address here",
        "action=DUNNO",
        "action=DUNNO",
    ]


MALFORMED = (
    b"\n",
    b"hello\n\n",
    b"request=other\nrecipient=a@here.test\n\n",
    b"request=smtpd_access_policy\nrecipient=\xff\n\n",
    b"request=smtpd_access_policy\nx=" + b"y" * 40_000 + b"\n\n",
    b"request=smtpd_access_policy\n" + b"x=y\n" * 40_000 + b"\n",
    b"request=smtpd_access_policy\n" + b"".join(b"x%d=y\n" % n for n in range(200)) + b"\n",
    b"request=smtpd_access_policy\nrecipient=a@here.test\n",
)


async def test_a_malformed_request_closes_the_connection(mxd: RunningMxd) -> None:
    for malformed in MALFORMED:
        actions = await ask(mxd, request("a@here.test"), malformed, request("a@here.test"))
        assert actions == ["action=DUNNO"], malformed[:50]


async def test_what_takes_longer_than_five_seconds_is_given_up(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert policy.REQUEST_TIMEOUT_S == 5
    monkeypatch.setattr(policy, "REQUEST_TIMEOUT_S", 0.3)
    async with open_door(settings_for(tmp_path), house) as mxd:
        host, port = mxd.policy.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"request=smtpd_access_policy\nrecipient=a@here.test\n")  # and no empty line
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        with monkeypatch.context() as slow:
            slow.setattr(RecipientDirectory, "decide", never)
            assert await ask(mxd, request("a@here.test")) == [
                "action=DEFER_IF_PERMIT 4.4.3 recipients cannot be checked at present, try again later"
            ]
        assert await ask(mxd, request("a@here.test")) == ["action=DUNNO"]


async def never(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


async def test_it_runs_alone_without_a_database(house: House, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lmtp={"enabled": False})
    async with run_mxd(settings, None, LocalSource(house.core.recipients), smtp=False) as mxd:
        assert mxd.lmtp == mxd.smtp == ""
        assert await ask(mxd, request("a@here.test")) == ["action=DUNNO"]


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", ":0", "mail.example.org:0"])
async def test_it_is_for_this_machine_only(house: House, tmp_path: Path, listen: str) -> None:
    settings = settings_for(tmp_path, policy={"listen": listen})
    with pytest.raises(ConfigurationError, match=r"policy\.listen"):
        async with run_mxd(settings, house.core, LocalSource(house.core.recipients), smtp=False):
            pass
