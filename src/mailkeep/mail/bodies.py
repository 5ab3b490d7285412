"""Which body a part gets when its headers have been read: text is held for display, all else is a file."""

from __future__ import annotations

from collections.abc import Callable

from mailkeep.mail.body import Body, TextBody, TextBudget
from mailkeep.mail.mime import Part
from mailkeep.mail.parts import charset, encoding, is_text
from mailkeep.mail.transfer import Decoder, Identity, decoder_for


class Bodies:
    """Makes bodies. Texts share a budget; `new_file` makes the body of what is no text for display."""

    def __init__(self, budget: TextBudget, new_file: Callable[[Part, Decoder], Body]) -> None:
        self._budget = budget
        self._new_file = new_file

    def make(self, part: Part) -> Body:
        if part.get_content_maintype() == "multipart":
            # What stands before the first part is no content, unless there is no part at all.
            return TextBody(Identity(), self._budget, charset="", is_html=False)
        decoder = decoder_for(encoding(part))
        if is_text(part):
            return TextBody(decoder, self._budget, charset=charset(part), is_html=part.declared_type() == "text/html")
        return self._new_file(part, decoder)
