"""Every page, as those see it who may: to be looked at by axe-core, and by people (`make screenshots`).

Whoever adds a page names it here; `test_every_page_is_in_the_list` fails until then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from playwright.async_api import BrowserContext, Page

from mailkeep.domain.scope import Scope, operator
from web.browsers import context_of, open_chromium
from web.site import Visitor, html_mail, mail_with_file, open_site, plain_mail, site_settings, visitor_of
from web.view_mails import bounce_mail, hops_mail


@dataclass(frozen=True)
class Seen:
    """A page as somebody sees it: `by` is nobody, newcomer (no mail yet), ada (with mail) or root.

    `sent` are fields of its last form, which is sent first: the page is then what comes back. `repeated` is more of
    what has been looked at already, as a selector.
    """

    by: str
    path: str
    sent: Mapping[str, str] = field(default_factory=dict)
    repeated: str = ""

    def __str__(self) -> str:
        return f"{self.by} {self.path}{' sent' if self.sent else ''}"


WHO: Final = ("nobody", "newcomer", "ada", "root")
MORE_OF_THE_REFERENCE: Final = ".reference section:nth-of-type(n+3), .reference .operation:nth-of-type(n+4)"
# {html}, {text}, {bounce}, {hops}: a message of that kind; {address}: an address.
SEEN: Final = (
    Seen("nobody", "/"),
    Seen("nobody", "/pricing"),
    Seen("nobody", "/privacy"),
    Seen("newcomer", "/terms"),
    Seen("nobody", "/styleguide"),
    Seen("nobody", "/register"),
    Seen("nobody", "/register", {"email": "nothing", "password": "short"}),
    Seen("nobody", "/login"),
    Seen("nobody", "/login?done=registered"),
    Seen("nobody", "/login", {"email": "nobody@example.org", "password": "wrong"}),
    Seen("nobody", "/docs/api", repeated=MORE_OF_THE_REFERENCE),
    Seen("nobody", "/nothing/here"),
    Seen("newcomer", "/inbox"),
    Seen("newcomer", "/nothing/here"),
    Seen("ada", "/inbox"),
    Seen("ada", "/inbox?address={address}&done=message-deleted"),
    Seen("ada", "/inbox?q=from:"),
    Seen("ada", "/inbox?q=nowhere-to-be-found"),
    Seen("ada", "/messages/{html}"),
    Seen("ada", "/messages/{html}?tab=attachments"),
    Seen("ada", "/messages/{text}?tab=text"),
    Seen("ada", "/messages/{text}?tab=source"),
    Seen("ada", "/messages/{bounce}?tab=structure"),
    Seen("ada", "/messages/{hops}?tab=headers"),
    Seen("ada", "/messages/{hops}?tab=delivery"),
    Seen("ada", "/addresses"),
    Seen("ada", "/addresses?done=created"),
    Seen("ada", "/addresses/{address}"),
    Seen("ada", "/addresses/{address}", {"label": "x" * 100}),
    Seen("ada", "/addresses/{address}/diagnosis"),
    Seen("nobody", "/admin/login"),
    Seen("nobody", "/admin/login", {"token": "mk_not_one"}),
    Seen("root", "/admin"),
    Seen("root", "/admin?email=x"),
    Seen("root", "/admin/accounts/{account}"),
    Seen("root", "/admin/accounts/{account}", {"email": "bob@example.org"}),
    Seen("root", "/admin/audit"),
    Seen("root", "/admin/tokens"),
    Seen("root", "/admin/stats"),
    Seen("ada", "/billing"),
    Seen("ada", "/settings"),
    Seen("ada", "/settings", {"current": "not it", "new": "short"}),
    Seen("ada", "/usage"),
    Seen("ada", "/settings/sessions"),
    Seen("ada", "/settings/export"),
    Seen("ada", "/settings/delete"),
    Seen("ada", "/settings/delete", {"email": "bob@example.org", "password": "wrong"}),
    Seen("ada", "/tokens"),
    Seen("ada", "/tokens", {"name": " "}),
    Seen("ada", "/tokens", {"name": "from a page"}),
    Seen("ada", "/audit"),
    Seen("ada", "/audit?from=yesterday&actor=%27"),
)
# What is no page: parts of one, files, streams, and the sender's own document, which is for its sender to write well.
NO_PAGES: Final = {
    "/.well-known/security.txt",
    "/robots.txt",
    "/inbox/rows",
    "/inbox/events",
    "/addresses/{address_id}/qr.svg",
    "/audit/export",
    "/settings/export/archive",
    "/settings/export/events",
    "/messages/{message_id}/html",
    "/messages/{message_id}/html.txt",
    "/messages/{message_id}/print",
    "/messages/{message_id}/source",
    "/messages/{message_id}/attachments.zip",
    "/messages/{message_id}/attachments/{attachment_id}",
}
HTML: Final = '<h1>Welcome</h1><p>Click <a href="https://shop.example/">here</a><img src="https://shop.example/p.gif">'


@dataclass(frozen=True)
class Site:
    """A browser for each who looks, and what stands for the names in a path."""

    url: str
    contexts: Mapping[str, BrowserContext]
    ids: Mapping[str, str]


@asynccontextmanager
async def open_all_pages(directory: Path) -> AsyncIterator[Site]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(open_site(site_settings(directory, site={"styleguide": True})))
        visitors = {who: await stack.enter_async_context(visitor_of(world)) for who in WHO}
        await visitors["newcomer"].register("newcomer@example.org")
        await visitors["ada"].register("ada@example.org")
        ids = await gather(visitors["ada"])
        root, _ = await world.core.service_tokens.create(operator(), "root", {Scope.ADMIN})
        assert (await visitors["root"].post("/admin/login", {"token": root})).status == 303
        chromium = await stack.enter_async_context(open_chromium())
        contexts = {
            who: await stack.enter_async_context(context_of(chromium, visitor)) for who, visitor in visitors.items()
        }
        yield Site(world.url, contexts, ids)


async def gather(ada: Visitor) -> dict[str, str]:
    """Mail of every kind, and an address that is switched off."""
    mails = {
        "html": html_mail(HTML, "An order"),
        "text": mail_with_file("a.pdf", "application/pdf", "x"),
        "bounce": bounce_mail(),
        "hops": hops_mail(),
    }
    ids = {name: (await ada.receive(mail)).id for name, mail in mails.items()}
    await ada.receive(plain_mail("Unread"), tag="ci-42")
    ids["account"] = (await ada.address()).account_id
    ids["address"] = (await ada.address()).id
    await ada.post("/addresses", {"local_part": "switched-off", "label": "Old"})
    await ada.post(f"/addresses/{(await ada.address()).id}/deactivate")
    return ids


async def send(page: Page, fields: Mapping[str, str]) -> None:
    """Past what the browser itself would check."""
    form = page.locator("main form").last
    for name, value in fields.items():
        await form.locator(f"[name={name}]").fill(value)
    async with page.expect_navigation():
        await form.evaluate("form => { form.noValidate = true; form.requestSubmit(); }")
