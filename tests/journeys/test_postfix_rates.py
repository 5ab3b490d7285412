"""An address over its hourly rate: clients are told to come back, and what Postfix has taken waits in its queue."""

from __future__ import annotations

from pathlib import Path

from journeys.shipped import SENDER, House, shipped_house
from services.api import logged_in
from services.daemon import wait_until

SETTINGS = {"MAILKEEP_TIERS__FREE__RECEIVED_PER_HOUR": "1"}


async def test_over_its_rate_mail_is_deferred_and_delivered_later(tmp_path: Path) -> None:
    with shipped_house(tmp_path, settings=SETTINGS) as house:
        recipient = house.customer.address
        with house.smtp() as first, house.smtp() as second:
            # Both are asked about while nothing has arrived yet, so Postfix takes both.
            for client in (first, second):
                assert client.mail(SENDER)[0] == 250
                assert client.rcpt(recipient)[0] == 250
            for client in (first, second):
                assert client.data(b"Subject: one an hour\r\n\r\n")[0] == 250
        wait_until(lambda: {"sent", "deferred"} <= _outcomes(house), what="not one sent and one deferred")
        [reply] = {delivery.reply for delivery in house.postfix.deliveries() if delivery.status == "deferred"}
        assert "450 4.2.1 " in reply

        with house.smtp() as third:
            assert third.mail(SENDER)[0] == 250
            code, text = third.rcpt(recipient)
        assert (code, text[:6]) == (450, b"4.2.1 ")
        assert len(house.postfix.queue()) == 1

        # An hour is long: mxd that starts again counts from nothing, as it does when an hour is over.
        assert house.mailkeep.mxd.stop() == 0
        house.mailkeep.start_mxd()
        house.postfix.wait_empty()
        async with logged_in(house.mailkeep.url, house.customer) as api:
            assert [message["subject"] for message in await api.messages()] == ["one an hour"] * 2
        assert "status=bounced" not in house.postfix.log()


def _outcomes(house: House) -> set[str]:
    return {delivery.status for delivery in house.postfix.deliveries()}
