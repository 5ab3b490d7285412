"""Templates: Jinja2 with everything escaped, and a name that is not defined is an error, not a gap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from mailkeep.domain.clock import rfc3339
from mailkeep.mail.defects import defect_words
from mailkeep.mail.links import links_of_text
from mailkeep_web import words
from mailkeep_web.audit_words import action_words, actor_words, outcome_words
from mailkeep_web.devices import device
from mailkeep_web.links import link_warning_words
from mailkeep_web.parts import part_facts, role_words
from mailkeep_web.plots import day_words
from mailkeep_web.receiving_words import obstacle_words, refusal_words
from mailkeep_web.reports import report_shown
from mailkeep_web.search_words import SUGGESTIONS
from mailkeep_web.security import PAGE_HEADERS
from mailkeep_web.token_words import scope_words


class Templates:
    """The templates of every page. `static_url` gives the address of a static file."""

    def __init__(self, static_url: Callable[[str], str]) -> None:
        self._environment = Environment(
            loader=PackageLoader("mailkeep_web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals["static"] = static_url
        self._environment.globals["search_suggestions"] = SUGGESTIONS
        self._environment.filters.update(
            defect=defect_words,
            age=words.age,
            ago=words.ago,
            utc=words.utc,
            day=words.day,
            date=day_words,
            rfc3339=rfc3339,
            size=words.size,
            linked=links_of_text,
            link_warning=link_warning_words,
            duration=words.duration,
            header_lines=words.header_lines,
            sender_label=words.sender_label,
            plural=words.plural,
            report=report_shown,
            role=role_words,
            user_role=words.user_role,
            device=device,
            scope_words=scope_words,
            action_words=action_words,
            outcome_words=outcome_words,
            actor_words=actor_words,
            obstacle_words=obstacle_words,
            refusal_words=refusal_words,
            facts=part_facts,
        )

    def html(self, template: str, context: Mapping[str, object]) -> str:
        return self._environment.get_template(template).render(context)

    def response(self, template: str, context: Mapping[str, object], *, status: int) -> web.Response:
        body = self.html(template, context)
        # A subject can hold half a surrogate pair that arrived as bytes; no encoding of the page has one.
        return web.Response(
            status=status,
            body=body.encode("utf-8", errors="replace"),
            content_type="text/html",
            charset="utf-8",
            headers=PAGE_HEADERS,
        )


TEMPLATES: Final = web.AppKey("templates", Templates)
