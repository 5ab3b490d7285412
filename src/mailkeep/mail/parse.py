"""A message, understood: `MessageParser` takes its bytes as they arrive and says what a reader needs to know."""

from __future__ import annotations

import html
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import unquote
from typing import Final

import nh3
import structlog

from mailkeep.domain.mailbox import Mailbox
from mailkeep.domain.structure import MimePart
from mailkeep.errors import MailkeepError
from mailkeep.mail import headers
from mailkeep.mail.attachments import DETECT_BYTES, detect_type, media_type
from mailkeep.mail.body import Body, FileBody, FilesBudget, TextBody, TextBudget, decode_text
from mailkeep.mail.filenames import safe_name
from mailkeep.mail.limits import MAX_ENCODED_SUBJECT, MAX_MESSAGE_ID, MAX_SNIPPET, MAX_SUBJECT
from mailkeep.mail.mime import MimeParser, Part
from mailkeep.mail.spool import Spool
from mailkeep.mail.transfer import Identity, decoder_for

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_SPACE: Final = re.compile(r"\s+")
_SNIPPET_SOURCE: Final = 4 * 1024


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A part kept as a file; its bytes wait in `spool`."""

    filename: str
    declared_type: str
    detected_type: str
    size_bytes: int
    sha256: str
    disposition: str
    content_id: str
    section: str
    spool: Spool


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """What a message says. `defects` are codes, sorted.

    `queue_id` is what the last hop called the message, `received_tls` what it says of the TLS by which it came there.
    """

    headers: tuple[tuple[str, str], ...]
    senders: tuple[Mailbox, ...]
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    subject: str
    date: datetime | None
    message_id: str
    text: str | None
    html: str | None
    snippet: str
    files: tuple[ParsedFile, ...]
    defects: tuple[str, ...]
    structure: MimePart | None
    queue_id: str
    received_tls: str
    received_count: int

    @property
    def sender(self) -> Mailbox:
        """The first mailbox of From."""
        return self.senders[0] if self.senders else Mailbox("", "")


UNPARSED: Final = ParsedMessage(
    headers=(),
    senders=(),
    to=(),
    cc=(),
    reply_to=(),
    subject="",
    date=None,
    message_id="",
    text=None,
    html=None,
    snippet="",
    files=(),
    defects=("parse_failed",),
    structure=None,
    queue_id="",
    received_tls="",
    received_count=0,
)
SKIPPED: Final = replace(UNPARSED, defects=("parse_skipped",))


class MessageParser:
    """Feed it bytes in any splitting; `finish` never fails, whatever they were.

    Raises StorageUnavailable when a spool does, and MessageTooLarge for more than 25 MB of decoded files.
    Whoever makes one calls `discard` in the end.
    """

    def __init__(self, new_spool: Callable[[], Spool]) -> None:
        self._new_spool = new_spool
        self._budget = TextBudget()
        self._files = FilesBudget()
        self._spools: list[Spool] = []
        self._mime = MimeParser(self._new_body)
        self._instead: ParsedMessage | None = None

    def skip(self) -> None:
        """Take nothing apart, of all that is fed from now on."""
        self._instead = SKIPPED

    def feed(self, data: bytes) -> None:
        if self._instead is not None:
            return
        try:
            self._mime.feed_bytes(data)
        except MailkeepError:
            raise
        except Exception:  # noqa: BLE001  hostile input met a fault of ours, or of the stdlib
            self._fail()

    def finish(self) -> ParsedMessage:
        if self._instead is not None:
            return self._instead
        try:
            return self._finish()
        except MailkeepError:
            raise
        except Exception:  # noqa: BLE001  as above
            return self._fail()

    def _fail(self) -> ParsedMessage:
        """The message is kept all the same, and shown as source."""
        self._instead = UNPARSED
        log.error("parse.failed", where=traceback.format_tb(sys.exc_info()[2])[-1])
        return UNPARSED

    def _finish(self) -> ParsedMessage:
        root = self._mime.finish()
        defects = set(self._mime.defects)
        parts = list(_leaves(root))
        text, html_text, files = self._contents(parts)
        fields = tuple((name, headers.unfold(value)) for name, value in root.raw_items())
        moment = headers.date(_first(fields, "date"))
        if moment is None:
            defects.add("date_unreadable" if _first(fields, "date") else "date_missing")
        for part in parts:
            defects.update(part.body.decoder.defects if part.body else ())
            defects.update(_stdlib_defects(part))
        defects.update(_stdlib_defects(root))
        if self._budget.exceeded:
            defects.add("text_truncated")
        return ParsedMessage(
            headers=fields,
            senders=_mailboxes(fields, "from", defects),
            to=_mailboxes(fields, "to", defects),
            cc=_mailboxes(fields, "cc", defects),
            reply_to=_mailboxes(fields, "reply-to", defects),
            subject=headers.decode(_first(fields, "subject")[:MAX_ENCODED_SUBJECT])[:MAX_SUBJECT],
            date=moment,
            message_id=_first(fields, "message-id")[:MAX_MESSAGE_ID],
            text=text,
            html=html_text,
            snippet=_snippet(text, html_text),
            files=files,
            defects=tuple(sorted(defects)),
            structure=None,
            queue_id=headers.queue_id(_first(fields, "received")),
            received_tls=headers.received_tls(_first(fields, "received")),
            received_count=sum(name.lower() == "received" for name, _ in fields),
        )

    def discard(self) -> None:
        """Give up the spooled bytes that nobody stored."""
        for spool in self._spools:
            spool.discard()

    def _new_body(self, part: Part) -> Body:
        if part.get_content_maintype() == "multipart":
            # What stands before the first part is no content, unless there is no part at all.
            return TextBody(Identity(), self._budget, charset="", is_html=False)
        decoder = decoder_for(headers.unfold(str(part.get("content-transfer-encoding", ""))))
        declared = part.declared_type()
        if declared in {"text/plain", "text/html"} and _disposition(part) != "attachment" and not _filename(part):
            charset = str(part.get_param("charset", ""))
            return TextBody(decoder, self._budget, charset=charset, is_html=declared == "text/html")
        return FileBody(decoder, self._files, self._spool)

    def _spool(self) -> Spool:
        spool = self._new_spool()
        self._spools.append(spool)
        return spool

    def _contents(self, parts: list[Part]) -> tuple[str | None, str | None, tuple[ParsedFile, ...]]:
        plain = [part.body.text() for part in parts if isinstance(part.body, TextBody) and not part.body.is_html]
        marked_up = [part.body.text() for part in parts if isinstance(part.body, TextBody) and part.body.is_html]
        files = tuple(_file(part, part.body) for part in parts if isinstance(part.body, FileBody))
        return "\n".join(plain) if plain else None, "\n".join(marked_up) if marked_up else None, files


def _leaves(part: Part) -> Iterator[Part]:
    """The parts with content, in order. A multipart without parts is one: its text has nowhere else to be shown."""
    yield from (node for node in part.walk() if not node.is_multipart())


def _file(part: Part, body: FileBody) -> ParsedFile:
    declared = media_type(part.declared_type())
    name = _filename(part) or ("message.eml" if declared == "message/rfc822" else "attachment")
    return ParsedFile(
        filename=safe_name(name),
        declared_type=declared,
        detected_type=detect_type(body.spool.head(DETECT_BYTES)),
        size_bytes=body.spool.size_bytes,
        sha256=body.sha256,
        disposition=_disposition(part) if _disposition(part) in {"attachment", "inline"} else "",
        content_id=headers.unfold(str(part.get("content-id", ""))).strip("<>")[:255],
        section="",
        spool=body.spool,
    )


def _disposition(part: Part) -> str:
    return str(part.get("content-disposition", "")).partition(";")[0].strip().lower()


def _filename(part: Part) -> str:
    """The name in Content-Disposition, else in Content-Type (RFC 2183, RFC 2231), decoded; empty when there is none."""
    value = part.get_param("filename", None, "content-disposition") or part.get_param("name", None)
    if not value:
        return ""
    if isinstance(value, tuple):
        charset, _, text = value
        return decode_text(text.encode("latin-1", "replace"), charset or "")[0].strip()
    return headers.decode(headers.unfold(unquote(value))).strip()


def _stdlib_defects(part: Part) -> Iterator[str]:
    """`StartBoundaryNotFoundDefect` → `start_boundary_not_found`."""
    for defect in part.defects:
        yield re.sub(r"(?<!^)(?=[A-Z])", "_", type(defect).__name__.removesuffix("Defect")).lower()


def _first(fields: tuple[tuple[str, str], ...], name: str) -> str:
    return next((value for key, value in fields if key.lower() == name), "")


def _mailboxes(fields: tuple[tuple[str, str], ...], name: str, defects: set[str]) -> tuple[Mailbox, ...]:
    found, odd = headers.mailboxes(_first(fields, name))
    defects.update(odd)
    return found


def _snippet(text: str | None, html_text: str | None) -> str:
    """The beginning of what a reader would see, on one line."""
    source = (text or "")[:_SNIPPET_SOURCE]
    if not source.strip() and html_text:
        source = html.unescape(nh3.clean(html_text[:_SNIPPET_SOURCE], tags=set()))
    return headers.printable(_SPACE.sub(" ", source).strip())[:MAX_SNIPPET]
