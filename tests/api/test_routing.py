"""A route says who may call it, or it does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from mailkeep.domain.scope import Scope
from mailkeep_api.routing import PUBLIC, Call, Route, Routes
from mailkeep_api.schemas.accounts import Credentials
from mailkeep_api.schemas.messages import MessageChange
from mailkeep_api.schemas.shapes import StatusOut


async def answer(call: Call, thing_id: str, body: Credentials) -> StatusOut:
    del call, thing_id, body
    return StatusOut()


DECLARATION: dict[str, Any] = {
    "method": "POST",
    "path": "/things/{thing_id}",
    "handler": answer,
    "scope": Scope.ACCOUNT_READ,
    "audit": "thing.make",
    "returns": StatusOut,
    "body": Credentials,
}


@pytest.mark.parametrize("scope", [Scope.ACCOUNT_READ, PUBLIC])
def test_a_complete_declaration_is_a_route(scope: object) -> None:
    assert Route(**{**DECLARATION, "scope": scope}).path_parameters == ("thing_id",)


@pytest.mark.parametrize(
    "change",
    [
        {"scope": None},
        {"scope": "account:read"},
        {"audit": ""},
        {"path": "/things"},
        {"path": "/things/{another_id}"},
        {"body": None},
        {"body": MessageChange},
        {"query": Credentials},
    ],
)
def test_a_wrong_declaration_is_a_type_error(change: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Route(**{**DECLARATION, **change})


def test_a_route_without_a_scope_cannot_be_declared() -> None:
    routes = Routes("/api/v1", tag="things")
    undeclared: dict[str, Any] = {"audit": "thing.view", "returns": StatusOut}
    with pytest.raises(TypeError):
        routes.get("/things", **undeclared)(answer)
    assert list(routes) == []
