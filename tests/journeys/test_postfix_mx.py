"""An MX host with the shipped configuration before a backend: what it does when it cannot reach or believe it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.mx_host import BACKEND, MxHouse, mx_house, start_mx
from journeys.shipped import SENDER
from services.api import ApiClient, logged_in
from services.certificates import Authority, sha256_fingerprint
from services.daemon import wait_until
from services.mailkeep import DOMAIN


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MxHouse]:
    with mx_house(tmp_path_factory.mktemp("mx"), mx_settings={"MAILKEEP_RECIPIENTS__MAX_AGE": "5"}) as running:
        yield running


async def test_mail_reaches_the_backend_over_verified_tls_with_its_real_client(house: MxHouse) -> None:
    house.send(b"Subject: over two hosts\r\n\r\n")
    house.postfix.wait_empty()
    assert f"Verified TLS connection established to {BACKEND}" in house.postfix.log()
    async with logged_in(house.mailkeep.url, house.customer) as api:
        [message] = await named(api, "over two hosts")
        transport = (await api.call("GET", f"/api/v1/messages/{message['id']}"))["transport"]
    assert (transport["client_ip"], transport["helo"], transport["protocol"]) == ("127.0.0.1", "client.test", "ESMTP")


async def test_mail_waits_while_mxd_is_stopped_and_then_arrives(house: MxHouse) -> None:
    """The null sender's as well: to a queue that bounces, that would be mail to drop."""
    before = _deferred(house)
    assert house.mailkeep.mxd.stop() == 0
    for sender in (SENDER, ""):
        house.send(b"Subject: has waited\r\n\r\n", sender=sender)
    _wait_for_deferred(house, before + 2)
    assert len(house.postfix.queue()) == 2

    house.mailkeep.start_mxd()
    house.postfix.wait_empty()
    async with logged_in(house.mailkeep.url, house.customer) as api:
        assert len(await named(api, "has waited")) == 2
    assert "status=bounced" not in house.postfix.log()


async def test_mail_waits_while_the_backend_cannot_be_believed(house: MxHouse, tmp_path: Path) -> None:
    good = house.authority.issue(BACKEND)
    bad = {
        "another name": house.authority.issue("elsewhere.test"),
        "expired": house.authority.issue(BACKEND, days=-1),
        "an authority of its own": Authority(tmp_path / "impostor").issue(BACKEND),
        "no TLS": None,
    }
    for why, certificate in bad.items():
        house.show(certificate)
        before = _deferred(house)
        house.send(f"Subject: kept from {why}\r\n\r\n".encode())
        _wait_for_deferred(house, before + 1)
        assert house.postfix.queue() != [], why
    assert len(house.postfix.queue()) == len(bad)

    house.show(good)
    house.postfix.wait_empty()
    async with logged_in(house.mailkeep.url, house.customer) as api:
        kept = [message["subject"] for message in await api.messages() if message["subject"].startswith("kept from ")]
    assert sorted(kept) == sorted(f"kept from {why}" for why in bad)
    assert "status=bounced" not in house.postfix.log()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("relay_transport", "lmtp:inet:backend.invalid:24"),  # one mistake in a zone
        ("lmtp_tls_security_level", "none"),  # mxd answers 530
        ("lmtp_tls_chain_files", ""),  # mxd asks for a certificate
    ],
)
def test_mail_waits_after_a_mistake_of_ours(house: MxHouse, name: str, wrong: str) -> None:
    """Postfix by itself bounces mail for a backend without an address, or one that answers with a 5xx."""
    right = house.postfix.run("postconf", "-h", name).strip()
    before = _deferred(house)
    house.configure(**{name: wrong})
    house.send(b"Subject: not lost\r\n\r\n")
    _wait_for_deferred(house, before + 1)

    house.configure(**{name: right})
    house.postfix.wait_empty()
    assert house.postfix.deliveries()[-1].status == "sent"
    assert "status=bounced" not in house.postfix.log()


def test_the_backend_may_be_known_by_its_fingerprint(house: MxHouse) -> None:
    house.show(house.authority.issue(BACKEND))
    shown = sha256_fingerprint(Path(house.mailkeep.environment["MAILKEEP_LMTP__TLS_CERTIFICATE"]))
    other = sha256_fingerprint(house.authority.root)
    as_it_was = {name: house.postfix.run("postconf", "-h", name).strip() for name in _by_fingerprint(house, other)}
    before = _deferred(house)
    house.configure(**_by_fingerprint(house, other))
    house.send(b"Subject: not to another\r\n\r\n")
    _wait_for_deferred(house, before + 1)

    house.configure(**_by_fingerprint(house, shown))
    house.postfix.wait_empty()
    assert house.postfix.deliveries()[-1].status == "sent"
    house.configure(**as_it_was)


def test_an_mx_that_is_cut_off_from_the_api_takes_nothing(house: MxHouse) -> None:
    assert house.rcpt().startswith("250 ")
    assert house.mailkeep.api.stop() == 0
    wait_until(lambda: house.rcpt().startswith("450 4.4.3 "), what="still believes its old table", timeout_s=20)
    assert house.rcpt(f"nobody@{DOMAIN}").startswith("450 4.4.3 ")
    assert house.postfix.queue() == []

    house.mailkeep.start_api()
    house.wait_for_recipient()


def test_an_mx_that_starts_while_it_is_cut_off_takes_nothing(house: MxHouse) -> None:
    house.mx.mxd.stop()
    assert house.rcpt().startswith("451 4.4.3 ")  # no policy listener: Postfix's own answer
    assert house.mailkeep.api.stop() == 0
    for file in house.mx.data_dir.iterdir():
        file.unlink()
    start_mx(house.mx)
    assert house.rcpt().startswith("450 4.4.3 ")
    assert house.postfix.queue() == []

    house.mailkeep.start_api()
    house.wait_for_recipient()


async def test_what_is_refused_after_it_was_taken_makes_no_notice(house: MxHouse) -> None:
    """Not even for a sender of ours, which may be as forged as any other."""
    async with logged_in(house.mailkeep.url, house.customer) as api:
        before = [message["subject"] for message in await api.messages()]
        created = await api.create_address(local_part="short-lived")
        wait_until(lambda: house.rcpt(created["address"]).startswith("250 "), what="not accepted")
        assert house.mailkeep.mxd.stop() == 0
        for sender in (SENDER, house.customer.address, ""):
            house.send(b"Subject: too late\r\n\r\n", created["address"], sender=sender)
        await api.call("DELETE", f"/api/v1/addresses/{created['id']}", expect=204)

        house.mailkeep.start_mxd()
        house.postfix.wait_empty()
        outcomes = {(delivery.recipient, delivery.dsn) for delivery in house.postfix.deliveries()[-3:]}
        assert outcomes == {(created["address"], "5.1.1")}
        assert SENDER not in {delivery.recipient for delivery in house.postfix.deliveries()}
        assert [message["subject"] for message in await api.messages()] == before


async def named(api: ApiClient, subject: str) -> list[dict[str, object]]:
    return [message for message in await api.messages() if message["subject"] == subject]


def _by_fingerprint(house: MxHouse, fingerprint: str) -> dict[str, str]:
    """What `mailkeep postfix config` writes about TLS to a backend that is known in this way."""
    backend = f"{BACKEND}:{house.mailkeep.lmtp_port}"
    arguments = ("--mode=mx", f"--backend={backend}", f"--fingerprint={fingerprint}", "--hostname=mx.mail.test")
    lines = house.mx.output("postfix", "config", *arguments).splitlines()
    return dict(line.split(" = ") for line in lines if line.startswith(("lmtp_tls_security", "lmtp_tls_fingerprint")))


def _wait_for_deferred(house: MxHouse, attempts: int) -> None:
    wait_until(lambda: _deferred(house) >= attempts, what="Postfix has not tried")


def _deferred(house: MxHouse) -> int:
    return sum(delivery.status == "deferred" for delivery in house.postfix.deliveries())
