"""What is odd about a link, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep.domain.message import LinkWarning

_TEXTS: Final[Mapping[LinkWarning, str]] = {
    LinkWarning.OTHER_HOST: "The text names another domain than the link leads to.",
    LinkWarning.OTHER_MAILBOX: "The text names another mailbox than the link writes to.",
    LinkWarning.USER_INFO: "What stands before the @ is no site, though it may look like one.",
    LinkWarning.LOOK_ALIKE: "The name of the site looks like another one: some letters are of another alphabet.",
    LinkWarning.INTERNATIONAL: "The name of the site has letters beyond a to z.",
}


def link_warning_words(warning: LinkWarning) -> str:
    return _TEXTS[warning]
