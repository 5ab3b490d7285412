"""/billing: the plan of the account, paying for a larger one, and the way to Stripe's pages."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from mailkeep.domain.billing import BillingView, Interval
from mailkeep.errors import AlreadySubscribed, BillingOff, InvalidInput, NotSubscribed, PaymentsUnavailable
from mailkeep_web.forms import read_form
from mailkeep_web.routing import Routes
from mailkeep_web.visit import MemberVisit

routes: Final = Routes()

_DOWN: Final = (
    "Stripe, which takes the payments, does not answer. Nothing was changed or charged: try again in a while."
)
_CHANGED: Final = "The plan has changed since this page was made. This is how it is now."


@routes.member("GET", "/billing", audit="billing.view")
async def show(visit: MemberVisit) -> web.StreamResponse:
    """Whoever comes back from paying sees it at once: Stripe is asked, not waited for."""
    if "paid" not in visit.request.query:
        return await _page(visit)
    try:
        await visit.core.billing.look(visit.actor)
    except PaymentsUnavailable:
        return await _page(visit, notice=_DOWN, status=503)
    except BillingOff:
        return await _page(visit)
    return await _page(visit)


@routes.member("POST", "/billing/checkout", audit="billing.checkout")
async def checkout(visit: MemberVisit) -> web.StreamResponse:
    form = await read_form(visit.request)
    try:
        url = await visit.core.billing.checkout(visit.actor, _interval(form.value("interval")))
    except (AlreadySubscribed, InvalidInput):
        return await _page(visit, notice=_CHANGED, status=409)
    except PaymentsUnavailable:
        return await _page(visit, notice=_DOWN, status=503)
    return await _onward(visit, url, "Stripe takes the payment. Your card is seen by Stripe alone, never by Mailkeep.")


@routes.member("POST", "/billing/portal", audit="billing.portal")
async def portal(visit: MemberVisit) -> web.StreamResponse:
    try:
        url = await visit.core.billing.portal(visit.actor)
    except NotSubscribed:
        return await _page(visit, notice=_CHANGED, status=409)
    except PaymentsUnavailable:
        return await _page(visit, notice=_DOWN, status=503)
    return await _onward(visit, url, "Card, invoices and cancelling are on Stripe's own page.")


def _interval(text: str) -> Interval:
    """Raises InvalidInput."""
    try:
        return Interval(text)
    except ValueError as error:
        raise InvalidInput("not offered", field="interval") from error


async def _page(visit: MemberVisit, *, notice: str = "", status: int = 200) -> web.Response:
    account = await visit.core.accounts.get(visit.actor)
    view: BillingView | None = None
    if visit.settings.billing.enabled:
        view = await visit.core.billing.view(visit.actor)
    context = {
        "tier": visit.settings.tier(account.tier),
        "account": account,
        "view": view,
        "sold": visit.settings.billing,
        "notice": notice,
    }
    return await visit.member_page("billing.html", context, status=status)


async def _onward(visit: MemberVisit, url: str, words: str) -> web.Response:
    """A page that leads on by itself. No redirect: our forms may go nowhere else (form-action of the CSP)."""
    response = await visit.member_page("billing_onward.html", {"url": url, "words": words})
    response.headers["Refresh"] = f"0; url={url}"
    return response
