"""Requests made from the API's own description, by schemathesis: every answer must be one that the description has.

A real server on SQLite. All checks of schemathesis are on, with the exceptions that are written down at them.
"""

from __future__ import annotations

import os
import smtplib
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Flaky
from schemathesis.core.failures import FailureGroup
from schemathesis.openapi import from_dict

from mailkeep.bootstrap import Core
from mailkeep.domain.scope import Scope, operator
from mailkeep_api.app import ROUTES
from mailkeep_api.description.document import openapi_document
from services.mailkeep import PASSWORD, Mailkeep, installed_mailkeep

FULL: Final = os.environ.get("MAILKEEP_TEST_FULL") == "1"
EXAMPLES: Final = 200 if FULL else 5
SEQUENCES: Final = 200 if FULL else 5
STEPS: Final = 20 if FULL else 8
EMAIL: Final = "ada@customer.test"
SETTINGS: Final = {"MAILKEEP_AUTH__REGISTRATIONS_PER_HOUR": "1000000"}
# What can end the log-in that asks: each has a customer of its own.
ENDING: Final = ("log_out", "end_session", "end_sessions", "change_password", "delete_account")
# In a sequence these would lock out the customer of all the steps that follow.
NOT_IN_SEQUENCES: Final = (*ENDING, "update_account_entry", "delete_account_entry")

# Which tiers there are, under which domain addresses are made, which passwords are common and what a search may say is
# decided by configuration and grammar, not by a schema: what a schema allows may be 422. If-Match may be any ETag: 412.
ACCEPTED: Final = ["2xx", "304", "401", "403", "404", "409", "412", "422", "429"]
CONFIG: Final = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}})

described = from_dict(openapi_document(ROUTES, server_url="http://127.0.0.1"), config=CONFIG)
# A stream that begins does not end: see tests/api/test_events.py.
schema = described.exclude(path="/api/v1/events")


@dataclass(frozen=True, slots=True)
class Server:
    """A running API, a customer who has mail, customers whose log-ins end, and an administrator."""

    url: str
    session: str
    endings: dict[str, list[str]]
    admin: str

    def credentials_for(self, case: schemathesis.Case[Any]) -> dict[str, str]:
        name = case.operation.definition.raw["operationId"]
        token = self.admin if case.path.startswith("/api/v1/admin/") else self.session
        if name in ENDING:
            sessions = self.endings[name]
            token = sessions.pop() if len(sessions) > 1 else sessions[0]
        return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with installed_mailkeep(tmp_path_factory.mktemp("described"), settings=SETTINGS) as installation:
        ada = installation.create_customer(EMAIL)
        for name in ENDING:
            installation.create_customer(f"{name}@customer.test")
        admin, (session, endings) = installation.run_in_core(_admin_token), installation.run_in_core(_sessions)
        installation.start_serve()
        receive(installation, ada.address, session)
        yield Server(installation.url, session, endings, admin)


async def _admin_token(core: Core) -> str:
    token, _ = await core.service_tokens.create(operator(), "admin", {Scope.ADMIN})
    return token


async def _sessions(core: Core) -> tuple[str, dict[str, list[str]]]:
    async def some(email: str, count: int) -> list[str]:
        user = await core.accounts.authenticate(email, PASSWORD)
        return [(await core.sessions.open(user)).token for _ in range(count)]

    (session,) = await some(EMAIL, 1)
    return session, {name: await some(f"{name}@customer.test", 4 * EXAMPLES) for name in ENDING}


def receive(installation: Mailkeep, address: str, session: str) -> None:
    """Two messages, one with an attachment, in the inbox."""
    for subject in ("one", "two"):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "shop@example.org", address, subject
        mail.set_content("Hello.")
        mail.add_alternative("<p>Hello.</p>", subtype="html")
        if subject == "two":
            mail.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="invoice.pdf")
        with smtplib.SMTP("127.0.0.1", installation.smtp_port) as client:
            client.send_message(mail)
    deadline = time.monotonic() + 20
    headers = {"Authorization": f"Bearer {session}"}
    while len(requests.get(f"{installation.url}/api/v1/messages", headers=headers, timeout=10).json()["items"]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,  # other things run on this machine
    derandomize=not FULL,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_every_operation(case: Any, server: Server) -> None:
    if isinstance(wait := (case.query or {}).get("wait"), int | float) and wait > 0:
        case.query["wait"] = min(wait, 0.05)  # as valid, and sooner over
    case.call_and_validate(base_url=server.url, headers=server.credentials_for(case))


@pytest.mark.timeout(3600 if FULL else 120)
def test_sequences_of_operations(server: Server) -> None:
    """What one operation gives is what the next one asks about: ids of addresses, messages, tokens."""
    within = schema.exclude(operation_id=list(NOT_IN_SEQUENCES))
    machine = within.as_state_machine()
    asked: set[tuple[str, int]] = set()
    failures: list[BaseException] = []

    class Sequence(machine):  # type: ignore[misc, valid-type]  # made while the program runs
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"base_url": server.url, "headers": server.credentials_for(case)}

        def after_call(self, response: Any, case: Any) -> None:
            asked.add((case.operation.label, response.status_code))

        def validate_response(self, response: Any, case: Any, *arguments: Any, **options: Any) -> None:
            """Failures are kept, and not raised: hypothesis would repeat the sequence to make it shorter."""
            try:
                super().validate_response(response, case, *arguments, **options)
            except FailureGroup as failure:
                failures.append(failure)

    # The server remembers the sequences before, so that the same one can go otherwise: hypothesis stops then.
    with suppress(Flaky):
        Sequence.run(
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=not FULL,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
        )
    assert failures == []
    assert any(status in {200, 201} for _, status in asked)
