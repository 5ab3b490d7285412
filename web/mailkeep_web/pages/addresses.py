"""/addresses: make addresses, name them, switch them off and on, delete them."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.errors import Conflict, InvalidInput, LimitReached, NameReserved
from mailkeep_web.forms import WHOLE_FORM, Form, read_form
from mailkeep_web.mail_list import MAX_ADDRESSES
from mailkeep_web.pages.address import address_page
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit, see_other

routes: Final = Routes()

_TAKEN: Final = "This address exists already. Choose another name, or leave the field empty for a random one."
_LOCAL_PART: Final = "Use letters, digits, dots and hyphens; no “+”, which separates a tag from the name."
_RESERVED: Final = "This name is kept for whoever runs the domain. Choose another, or leave the field empty."
_LABEL: Final = "This label is too long, or holds characters that cannot be shown."
_LIMIT: Final = "Your plan allows no more addresses. Delete one to make room."
_LIMIT_OF_ACTIVE: Final = "Your plan allows no more active addresses. Switch another one off to make room."
_OTHER: Final = "Something in this form is not right. Check it and send it again."


@routes.member("GET", "/addresses", audit="address.list")
async def show(visit: MemberVisit) -> web.StreamResponse:
    return await _page(visit, Form())


@routes.member("POST", "/addresses", audit="address.create")
async def create(visit: MemberVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        await visit.core.addresses.create(
            visit.actor, local_part=form.value("local_part") or None, label=form.value("label")
        )
    except Conflict:
        return await _page(visit, form.with_error("local_part", _TAKEN), status=422)
    except LimitReached:
        return await _page(visit, form.with_error(WHOLE_FORM, _LIMIT), status=422)
    except NameReserved:
        return await _page(visit, form.with_error("local_part", _RESERVED), status=422)
    except InvalidInput as error:
        return await _page(visit, form.with_error(*_wrong(error.field)), status=422)
    return see_other("/addresses?done=created")


@routes.member("POST", "/addresses/{address_id}/label", audit="address.update")
async def relabel(visit: MemberVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        await visit.core.addresses.update(visit.actor, _address_id(visit), label=form.value("label"))
    except InvalidInput:
        if _is_from_its_page(form):
            return await address_page(visit, form.with_error("label", _LABEL), status=422)
        wrong = Form(values={_label_of(visit): form.value("label")}).with_error(_label_of(visit), _LABEL)
        return await _page(visit, wrong, status=422)
    return see_other(_back(visit, form, "labelled"))


@routes.member("POST", "/addresses/{address_id}/activate", audit="address.update")
async def activate(visit: MemberVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        await visit.core.addresses.update(visit.actor, _address_id(visit), active=True)
    except LimitReached:
        show_again = address_page if _is_from_its_page(form) else _page
        return await show_again(visit, form.with_error(WHOLE_FORM, _LIMIT_OF_ACTIVE), status=422)
    return see_other(_back(visit, form, "activated"))


@routes.member("POST", "/addresses/{address_id}/deactivate", audit="address.update")
async def deactivate(visit: MemberVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    await visit.core.addresses.update(visit.actor, _address_id(visit), active=False)
    return see_other(_back(visit, form, "deactivated"))


@routes.member("POST", "/addresses/{address_id}/delete", audit="address.delete")
async def delete(visit: MemberVisit) -> web.StreamResponse:
    await visit.core.addresses.delete(visit.actor, _address_id(visit))
    return see_other("/addresses?done=deleted")


def _is_from_its_page(form: Form) -> bool:
    return form.value("back") == "address"


def _back(visit: MemberVisit, form: Form, done: str) -> str:
    """The page that the form was on: the list, or the address's own."""
    return f"/addresses{f'/{_address_id(visit)}' if _is_from_its_page(form) else ''}?done={done}"


def _wrong(field: str | None) -> tuple[str, str]:
    """The field of the form at fault, and what to do about it."""
    if field in {"local_part", "address"}:
        return "local_part", _LOCAL_PART
    return ("label", _LABEL) if field == "label" else (WHOLE_FORM, _OTHER)


def _address_id(visit: MemberVisit) -> str:
    return visit.request.match_info["address_id"]


def _label_of(visit: MemberVisit) -> str:
    """The name of the label field of one address among many on the page."""
    return f"label-{_address_id(visit)}"


async def _page(visit: MemberVisit, form: Form, *, status: int = 200) -> web.Response:
    addresses, _ = await visit.core.addresses.list(visit.actor, limit=MAX_ADDRESSES)
    account = await visit.core.accounts.get(visit.actor)
    context = {
        "addresses": addresses,
        "limit": visit.settings.tier(account.tier).addresses,
        "domain": visit.settings.mail.domain,
        "form": form,
        "done": visit.request.query.get("done"),
    }
    return await visit.member_page("addresses.html", context, status=status)
