"""The table of who may call what, read from authorisation.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("authorisation.md")
EVERYBODY: Final = "everybody"


@dataclass(frozen=True, slots=True)
class Row:
    """What one route answers. `roles`: viewer, member, owner. `scopes`: with which scope alone a token may."""

    route: str
    public: bool
    roles: frozenset[str]
    scopes: frozenset[str]
    anothers: str


def read_table() -> dict[str, Row]:
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| `")]
    rows = [_row([cell.strip() for cell in line.strip("|").split("|")]) for line in lines]
    return {row.route: row for row in rows}


def _row(cells: list[str]) -> Row:
    route, roles, scopes, anothers = cells
    return Row(
        route=route.strip("`"),
        public=roles == EVERYBODY,
        roles=frozenset(roles.split()) if roles not in (EVERYBODY, "-") else frozenset(),
        scopes=frozenset(scopes.split()) - {"-"},
        anothers=anothers,
    )
