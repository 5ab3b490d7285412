"""Requests made from the API's own description, by schemathesis: every answer must be one that the description has.

A real server on SQLite. All checks of schemathesis are on, with the exceptions that are written down at them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from json import dumps, loads
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.openapi import from_dict

from mailkeep.bootstrap import Core
from mailkeep.domain.scope import Scope, operator
from mailkeep_api.app import ROUTES
from mailkeep_api.description.document import openapi_document
from services.mailkeep import PASSWORD, Mailkeep, installed_mailkeep

FULL: Final = os.environ.get("MAILKEEP_TEST_FULL") == "1"
EXAMPLES: Final = 200 if FULL else 8
EMAIL: Final = "ada@customer.test"
SETTINGS: Final = {"MAILKEEP_AUTH__REGISTRATIONS_PER_HOUR": "1000000"}

# Which tiers there are, under which domain addresses are made, which passwords are common and what a search may say is
# decided by configuration and grammar, not by a schema: what a schema allows may be 422. If-Match may be any ETag: 412.
ACCEPTED: Final = ["2xx", "304", "401", "403", "404", "409", "412", "422", "429"]
CONFIG: Final = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": {"expected-statuses": ACCEPTED}}})

described = from_dict(openapi_document(ROUTES, server_url="http://127.0.0.1"), config=CONFIG)
# A stream that begins does not end: see tests/api/test_events.py.
schema = described.exclude(path="/api/v1/events")


@dataclass(frozen=True, slots=True)
class Server:
    """A running API, a customer who has mail, and an administrator."""

    url: str
    session: str
    admin: str

    def credentials_for(self, case: schemathesis.Case[Any]) -> dict[str, str]:
        if case.path.startswith("/api/v1/admin/"):
            return {"Authorization": f"Bearer {self.admin}"}
        return {"Authorization": f"Bearer {self.session}"}


def log_in(installation: Mailkeep) -> str:
    connection = HTTPConnection("127.0.0.1", installation.http_port, timeout=10)
    body = dumps({"email": EMAIL, "password": PASSWORD})
    connection.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
    token = loads(connection.getresponse().read())["token"]
    connection.close()
    return str(token)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with installed_mailkeep(tmp_path_factory.mktemp("described"), settings=SETTINGS) as installation:
        installation.create_customer(EMAIL)
        admin = installation.run_in_core(_admin_token)
        installation.start_api()
        yield Server(installation.url, log_in(installation), admin)


async def _admin_token(core: Core) -> str:
    token, _ = await core.service_tokens.create(operator(), "admin", {Scope.ADMIN})
    return token


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_every_operation(case: Any, server: Server) -> None:
    if isinstance(wait := (case.query or {}).get("wait"), int | float) and wait > 0:
        case.query["wait"] = min(wait, 0.05)  # as valid, and sooner over
    case.call_and_validate(base_url=server.url, headers=server.credentials_for(case))
