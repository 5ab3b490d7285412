"""The filters of an audit log, from the query of its page: what was typed, what it means, what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from mailkeep.domain.audit import AuditQuery
from mailkeep_api.ids import is_id
from mailkeep_api.schemas.audit import AuditFilter
from mailkeep_web.forms import Form
from mailkeep_web.links_of_lists import with_query

PAGE_SIZE: Final = 50
CUSTOMERS_FIELDS: Final = ("action", "outcome", "actor", "resource", "from", "to")
PLATFORM_FIELDS: Final = (*CUSTOMERS_FIELDS, "account")
_TEXTS: Final = {
    "action": "There is no deed of this name.",
    "outcome": "There is no outcome of this name.",
    "actor": "An id has letters, digits, - and _ only. Click on somebody in the list to see what they did.",
    "account": "An id has letters, digits, - and _ only.",
    "resource": "An id has letters, digits, - and _ only.",
    "from": "Write a day as 2026-11-24.",
    "to": "Write a day as 2026-11-24.",
}


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """`query` is None when something is wrong; the form says what."""

    form: Form
    query: AuditQuery | None

    def link(self, path: str, **more: str | None) -> str:
        """A link that keeps these filters, with others changed; None takes one away."""
        return with_query(path, {**self.form.values, **more})

    @property
    def is_filtered(self) -> bool:
        return any(self.form.values.values())


def read_search(request: web.Request, *, before: str | None, fields: Sequence[str] = CUSTOMERS_FIELDS) -> AuditSearch:
    """`from` and `to` are days in UTC, both included."""
    form = Form(values={name: request.query.get(name, "").strip() for name in fields})
    form, since = _day(form, "from")
    form, last = _day(form, "to")
    if form.value("account") and not is_id(form.value("account")):
        form = form.with_error("account", _TEXTS["account"])
    wanted = {name: form.value(name) or None for name in ("action", "outcome", "actor", "resource")}
    try:
        found = AuditFilter.model_validate(wanted).query(limit=PAGE_SIZE, before=before)
    except ValidationError as error:
        for each in error.errors():
            name = str(each["loc"][0])
            form = form.with_error(name, _TEXTS[name])
    if form.errors:
        return AuditSearch(form, None)
    return AuditSearch(form, replace(found, since=since, until=_after(last)))


def _day(form: Form, name: str) -> tuple[Form, datetime | None]:
    if not form.value(name):
        return form, None
    try:
        return form, datetime.combine(date.fromisoformat(form.value(name)), time(), UTC)
    except ValueError:
        return form.with_error(name, _TEXTS[name]), None


def _after(last: datetime | None) -> datetime | None:
    """The beginning of the day after; none after the last day that there is."""
    return None if last is None or last.date() == date.max else last + timedelta(days=1)


def choices(known: Mapping[str, str], chosen: str) -> Mapping[str, str]:
    """What a list offers, with what was chosen by a link although it is not offered."""
    return known if not chosen or chosen in known else {**known, chosen: chosen}
