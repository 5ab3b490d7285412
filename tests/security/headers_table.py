"""The tables of security headers, read from headers.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("headers.md")
EVERYWHERE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Server": "mailkeep",
}
FOR_PROGRAMS: Final = ("/api/", "/problems/", "/healthz", "/readyz")


@dataclass(frozen=True, slots=True)
class HeadersTable:
    """`kinds`: the headers of each kind of answer; `routes`: the kind of what a route answers when it succeeds."""

    kinds: Mapping[str, Mapping[str, str]]
    routes: Mapping[str, str]

    def expected(self, route: str, status: int) -> Mapping[str, str]:
        return {**self.kinds[self._kind(route, status)], **EVERYWHERE}

    def _kind(self, route: str, status: int) -> str:
        if 300 <= status < 400 and status != 304:
            return "data"
        if status < 400 and route in self.routes:
            return self.routes[route]
        return "data" if route.startswith(FOR_PROGRAMS) else "page"


def read_headers_table() -> HeadersTable:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLE.read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    names, *kinds = [row for row in rows if len(row) > 2]
    return HeadersTable(
        kinds={kind: dict(zip(names[1:], values, strict=True)) for kind, *values in kinds},
        routes={row[0].strip("`"): row[1] for row in rows if row[0].startswith("`")},
    )
