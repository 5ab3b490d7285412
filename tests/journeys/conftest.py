"""Mail in through the doors, out through the API: every process is real and apart from the others."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.api import ApiClient, logged_in
from services.mailkeep import Customer, Mailkeep, wait_for_recipient


@pytest.fixture
def customer(mailkeep: Mailkeep) -> Customer:
    """A customer with a first address."""
    return mailkeep.create_customer("alice@customer.test")


@pytest.fixture
def running(mailkeep: Mailkeep, customer: Customer) -> Mailkeep:
    """The API and mxd, which knows the customer's address."""
    mailkeep.start()
    wait_for_recipient(mailkeep, customer.address)
    return mailkeep


@pytest.fixture
async def inbox(running: Mailkeep, customer: Customer) -> AsyncIterator[ApiClient]:
    """The API as the customer."""
    async with logged_in(running.url, customer) as client:
        yield client
