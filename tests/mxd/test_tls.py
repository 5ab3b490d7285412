"""STARTTLS (RFC 3207): what it protects, what it forgets, and whom it lets in."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import uvloop
from pydantic import ValidationError
from structlog.testing import capture_logs

from mailkeep.config import Settings
from mailkeep.domain.scope import Actor
from mailkeep.errors import ConfigurationError
from mailkeep_mxd.listeners import RunningMxd
from mxd.conversation import Conversation, Line, conversation
from mxd.house import House, open_door, open_house, settings_for
from services.certificates import Authority, Certificate
from services.required import required_program

LOOPS: Final = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
OPENING: tuple[Line, ...] = (("LHLO mta.test", "250-door.test"), ("STARTTLS", "220 2.0.0"))

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    required_program("openssl")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("door.test")


@pytest.fixture
def trusting(authority: Authority) -> ssl.SSLContext:
    """What a client with a proper configuration uses."""
    return ssl.create_default_context(cafile=authority.root)


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test on asyncio's own loop, and on the one that production uses."""

    def run(test: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(test)

    return run


def settings_with(certificate: Certificate, directory: Path, **lmtp: Any) -> Settings:
    files = {"tls_certificate": certificate.certificate, "tls_key": certificate.key}
    return settings_for(directory, lmtp={"tls": "optional", **files, **lmtp})


@asynccontextmanager
async def secured_house(
    furnished: tuple[Path, Actor], directory: Path, certificate: Certificate, **lmtp: Any
) -> AsyncIterator[tuple[House, RunningMxd]]:
    """Of a test that chooses its own event loop."""
    furniture, actor = furnished
    shutil.copytree(furniture, directory, dirs_exist_ok=True)
    async with (
        open_house(directory, actor) as house,
        open_door(settings_with(certificate, directory, **lmtp), house) as mxd,
    ):
        yield house, mxd


@asynccontextmanager
async def greeted(mxd: RunningMxd) -> AsyncIterator[Conversation]:
    async with conversation(mxd.lmtp) as talk:
        await talk.hear("220 door.test")
        yield talk


def test_mail_by_tls_is_stored_whole_and_knows_its_tls(
    run: Run, furnished: tuple[Path, Actor], tmp_path: Path, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    async def test() -> None:
        async with secured_house(furnished, tmp_path, certificate) as (house, mxd), greeted(mxd) as talk:
            await talk.play(OPENING)
            await talk.start_tls(trusting)
            await talk.play([("LHLO mta.test", "250-door.test"), ("MAIL FROM:<s@x.test> SIZE=2000000", "250")])
            await talk.play([("RCPT TO:<a@here.test>", "250"), ("DATA", "354")])
            content = b"Subject: sealed\r\n\r\n" + b"..dot\r\n" * 200_000
            await talk.say_raw(content.replace(b"\r\n.", b"\r\n..") + b".\r\n" + b"NOOP\r\n" * 1000 + b"QUIT\r\n")
            await talk.hear("250 2.0.0 <a@here.test> stored", *["250 2.0.0 ok"] * 1000, "221 2.0.0", "")
            (message,) = await house.messages()
            assert await house.source(message) == content
            detail = await house.core.inbox.read(house.actor, message.id)
            assert detail.transport.tls.startswith("TLSv1.3 TLS_")
            assert detail.transport.protocol == "LMTP"

    run(test())


def test_attack_016_what_is_injected_before_the_handshake_is_never_run(
    run: Run, furnished: tuple[Path, Actor], tmp_path: Path, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    async def test() -> None:
        async with secured_house(furnished, tmp_path, certificate) as (house, mxd), greeted(mxd) as talk:
            await talk.play(OPENING[:1])
            with capture_logs() as logs:
                await talk.say_raw(
                    b"STARTTLS\r\nLHLO evil.test\r\n"
                    b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<a@here.test>\r\nDATA\r\nx\r\n.\r\n"
                )
                await talk.hear("220 2.0.0")
                await talk.start_tls(trusting)
                await talk.play([("RCPT TO:<a@here.test>", "503 5.5.1 greet first"), ("NOOP", "250 2.0.0 ok")])
            assert [entry["event"] for entry in logs].count("session.injected") == 1
            assert await house.messages() == []

    run(test())


def test_a_client_that_fails_to_shake_hands_leaves_its_place(
    run: Run, furnished: tuple[Path, Actor], tmp_path: Path, certificate: Certificate
) -> None:
    async def test() -> None:
        async with secured_house(furnished, tmp_path, certificate, max_connections=1) as (_, mxd):
            with capture_logs() as logs:
                async with greeted(mxd) as talk:
                    await talk.play(OPENING)
                    await talk.say("MAIL FROM:<in.the@clear.test>")
                    assert b"250" not in await talk.rest_of_bytes()
                await place_is_free(mxd)
                async with greeted(mxd) as talk:
                    await talk.play(OPENING)
                    talk.vanish()
                await place_is_free(mxd)
            assert {entry["log_level"] for entry in logs} <= {"debug", "info", "warning"}

    run(test())


NO_HANDSHAKES: Final = (
    b"\0",
    b"\x16\x03\x01\xff\xff" + b"\0" * 70_000,
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    b"\x15\x03\x03\x00\x02\x02\x28",  # an alert
    b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",  # SSL 2.0
    b"GET / HTTP/1.1\r\n\r\n",
    b"\xff" * 300_000,
)


def test_what_is_no_handshake_ends_the_connection_and_is_no_fault(
    run: Run, furnished: tuple[Path, Actor], tmp_path: Path, certificate: Certificate
) -> None:
    async def test() -> None:
        async with secured_house(furnished, tmp_path, certificate, max_connections=1) as (_, mxd):
            with capture_logs() as logs:
                for garbage in NO_HANDSHAKES:
                    async with greeted(mxd) as talk:
                        await talk.play(OPENING)
                        with contextlib.suppress(OSError):
                            await talk.say_raw(garbage)
                            talk.finish_saying()
                        assert b"250" not in await talk.rest_of_bytes()
                    await place_is_free(mxd)
            assert {entry["log_level"] for entry in logs} <= {"debug", "info", "warning"}
            assert [entry["event"] for entry in logs].count("session.tls_failed") == len(NO_HANDSHAKES)

    run(test())


async def place_is_free(mxd: RunningMxd) -> None:
    async with asyncio.timeout(5):
        while True:
            async with conversation(mxd.lmtp) as talk:
                if (await talk.reply()).startswith("220"):
                    return
            await asyncio.sleep(0.02)


async def test_nothing_said_before_tls_is_known_after_it(
    house: House, tmp_path: Path, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    async with open_door(settings_with(certificate, tmp_path), house) as mxd, greeted(mxd) as talk:
        await talk.say("LHLO mta.test")
        assert "250-STARTTLS" in (await talk.reply()).split("\n")
        await talk.play([("XFORWARD NAME=before.test ADDR=192.0.2.1 IDENT=4Xbefore1", "250")])
        await talk.play([("MAIL FROM:<>", "250"), ("STARTTLS", "503 5.5.1"), ("RSET", "250")])
        await talk.play([("STARTTLS now", "501 5.5.4"), ("STARTTLS", "220 2.0.0")])
        await talk.start_tls(trusting)
        await talk.play([("MAIL FROM:<>", "503 5.5.1"), ("STARTTLS", "503 5.5.1")])
        await talk.say("LHLO mta.test")
        assert "STARTTLS" not in await talk.reply()
        await talk.play([("MAIL FROM:<>", "250"), ("RCPT TO:<a@here.test>", "250"), ("DATA", "354"), (".", "250")])
        detail = await house.core.inbox.read(house.actor, (await house.messages())[0].id)
        assert (detail.transport.client_ip, detail.transport.client_name) == ("127.0.0.1", "")


async def test_tls_needs_a_greeting_that_knows_extensions(
    house: House, tmp_path: Path, certificate: Certificate
) -> None:
    async with open_door(settings_with(certificate, tmp_path), house) as mxd, conversation(mxd.smtp) as talk:
        await talk.play([("STARTTLS", "220 ", "503 5.5.1"), ("HELO mta.test", "250"), ("STARTTLS", "503 5.5.1")])
        await talk.play([("EHLO mta.test", "250-door.test"), ("STARTTLS", "220 2.0.0")])


async def test_where_tls_is_required_nothing_goes_without_it(
    house: House, tmp_path: Path, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    async with open_door(settings_with(certificate, tmp_path, tls="required"), house) as mxd, greeted(mxd) as talk:
        await talk.play([("NOOP", "250"), ("LHLO mta.test", "250-door.test")])
        said = (
            "MAIL FROM:<>",
            "RCPT TO:<a@here.test>",
            "RSET",
            "VRFY a",
            "HELP",
            "XFORWARD NAME=x",
            "AUTH PLAIN",
            "FOO",
        )
        await talk.play([(line, "530 5.7.0") for line in said])
        await talk.play([("EHLO mta.test", "500 5.5.1"), ("DATA", "530 5.7.0"), ("STARTTLS", "220")])
        await talk.start_tls(trusting)
        await talk.play([("LHLO mta.test", "250-"), ("MAIL FROM:<>", "250"), ("QUIT", "221", "")])
    async with open_door(settings_with(certificate, tmp_path, tls="required"), house) as mxd, greeted(mxd) as talk:
        await talk.say_raw(b"LHLO x\r\nMAIL FROM:<>\r\nDATA\r\nMAIL FROM:<smuggled@x.test>\r\n.\r\n")
        await talk.hear("250-", "530", "530", "421 4.7.0", "")


async def test_without_a_certificate_it_is_not_offered(lmtp: Conversation) -> None:
    await lmtp.play([("STARTTLS", "502 5.5.1")])


async def test_clients_are_known_by_their_certificates(
    house: House, tmp_path: Path, authority: Authority, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    mx, stranger = authority.issue("mx.test"), Authority(tmp_path / "other", name="Another").issue("mx.test")
    settings = settings_with(certificate, tmp_path, tls="required", tls_client_ca=authority.root)
    async with open_door(settings, house) as mxd:
        for impostor in (None, stranger):
            context = ssl.create_default_context(cafile=authority.root)
            if impostor is not None:
                context.load_cert_chain(impostor.certificate, impostor.key)
            async with greeted(mxd) as talk:
                await talk.play(OPENING)
                # In TLS 1.3 a client is done before the server has looked at its certificate.
                with contextlib.suppress(ssl.SSLError, ConnectionError):
                    await talk.start_tls(context)
                    await talk.say("LHLO mta.test")
                assert await talk.rest_of_bytes() == b""
        trusting.load_cert_chain(mx.certificate, mx.key)
        async with greeted(mxd) as talk:
            await talk.play(OPENING)
            await talk.start_tls(trusting)
            await talk.play([("LHLO mta.test", "250-door.test"), ("MAIL FROM:<>", "250")])


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
        (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA"),  # no authenticated encryption
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_refused(
    house: House, tmp_path: Path, certificate: Certificate, version: ssl.TLSVersion, ciphers: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    async with open_door(settings_with(certificate, tmp_path), house) as mxd, greeted(mxd) as talk:
        await talk.play(OPENING)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await talk.start_tls(context)


async def test_a_renewed_certificate_is_used_from_the_next_handshake_on(
    house: House, tmp_path: Path, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    successor = Authority(tmp_path / "renewed")
    renewed = successor.issue("door.test")
    placed = Certificate(tmp_path / "key", tmp_path / "certificate", tmp_path / "chain")
    shutil.copy(certificate.key, placed.key)
    shutil.copy(certificate.certificate, placed.certificate)
    trusting.load_verify_locations(successor.root)

    async def presented(mxd: RunningMxd) -> bytes:
        async with greeted(mxd) as talk:
            await talk.play(OPENING)
            return (await talk.start_tls(trusting)).getpeercert(binary_form=True) or b""

    async with open_door(settings_with(placed, tmp_path), house) as mxd:
        first = await presented(mxd)
        shutil.copy(renewed.certificate, placed.certificate)  # and for a moment it does not fit its key
        assert await presented(mxd) == first
        shutil.copy(renewed.key, placed.key)
        second = await presented(mxd)
        assert second != first
        placed.certificate.unlink()
        assert await presented(mxd) == second


@pytest.mark.parametrize("wrong", ["certificate", "key", "client_ca", "passphrase"])
async def test_what_cannot_be_used_is_said_at_start(
    house: House, tmp_path: Path, certificate: Certificate, wrong: str
) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no PEM\n")
    if wrong == "passphrase":
        bad.write_text(certificate.key.read_text().replace("BEGIN PRIVATE KEY", "BEGIN ENCRYPTED PRIVATE KEY"))
    option = {"certificate": "tls_certificate", "client_ca": "tls_client_ca"}.get(wrong, "tls_key")
    with pytest.raises(ConfigurationError, match=r"lmtp\.tls_certificate") as caught:
        async with open_door(settings_with(certificate, tmp_path, **{option: bad}), house):
            pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lmtp", [{"tls": "optional"}, {"tls": "required", "tls_key": "k"}, {"tls_client_ca": "ca"}])
def test_settings_that_contradict_each_other(tmp_path: Path, lmtp: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="needs"):
        settings_for(tmp_path, lmtp=lmtp)
