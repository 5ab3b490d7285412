"""One transaction for two customers: an answer each, one content, and a wall between them."""

from __future__ import annotations

from journeys.stored import look
from services.api import ApiClient, logged_in
from services.lmtp import lmtp_client
from services.mailkeep import Customer, Mailkeep, wait_for_recipient


async def test_two_customers_share_a_content_and_see_their_own_message_alone(
    running: Mailkeep, customer: Customer, inbox: ApiClient, database_url: str
) -> None:
    bob = running.create_customer("bob@customer.test")
    wait_for_recipient(running, bob.address)

    async with lmtp_client(running.lmtp_port) as lmtp:
        replies = await lmtp.deliver([customer.address, bob.address], b"Subject: for both\r\n\r\nhello\r\n")

    assert [reply[:9] for reply in replies] == ["250 2.0.0", "250 2.0.0"]
    assert customer.address in replies[0]
    assert bob.address in replies[1]
    stored = await look(database_url, running.data_dir / "blobs")
    assert (stored.contents, stored.messages, stored.half) == (1, 2, ())

    async with logged_in(running.url, bob) as bobs_inbox:
        [hers] = await inbox.messages()
        [his] = await bobs_inbox.messages()
        for reader, own, foreign, address in (
            (inbox, hers, his, customer.address),
            (bobs_inbox, his, hers, bob.address),
        ):
            message = await reader.call("GET", f"/api/v1/messages/{own['id']}")
            assert message["envelope"]["rcpt_to"] == [address]
            await reader.call("GET", f"/api/v1/messages/{foreign['id']}", expect=404)
            await reader.call("GET", f"/api/v1/messages/{foreign['id']}/source", expect=404)
            await reader.call("DELETE", f"/api/v1/messages/{foreign['id']}", expect=404)
