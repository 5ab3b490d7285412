"""The views of a message: all that the API gives of it by its id alone, those included that are made later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.world import World

ONE: Final = "/api/v1/messages/{message_id}"
# What a message may not have.
_PARTS: Final = {f"{ONE}/html": "html", f"{ONE}/text": "text", f"{ONE}/attachments.zip": "attachments"}


async def views_of(world: World) -> list[str]:
    """The paths, as the description of the API has them."""
    paths: dict[str, Any] = (await world.ask("GET", "/api/v1/openapi.json")).json["paths"]
    found = [path for path, methods in paths.items() if path.startswith(ONE) and "get" in methods]
    views = [path for path in found if path.count("{") == 1]
    assert {f"{ONE}{view}" for view in ("", "/source", "/html", "/text", "/headers", "/structure")} <= set(views)
    return views


def may_be_missing(path: str, shown: Mapping[str, Any]) -> bool:
    """Whether a view has nothing to show of a message; `shown` is the message as the API or a golden has it."""
    return path in _PARTS and not shown[_PARTS[path]]
