"""A message, understood: `MessageParser` takes its bytes as they arrive and says what a reader needs to know."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace

import structlog

from mailkeep.domain.structure import MimePart
from mailkeep.errors import MailkeepError
from mailkeep.mail import headers
from mailkeep.mail.attached import Attached
from mailkeep.mail.attachments import DETECT_BYTES, detect_type
from mailkeep.mail.bodies import Bodies
from mailkeep.mail.body import Body, FileBody, FilesBudget, TextBudget
from mailkeep.mail.display import Texts, snippet
from mailkeep.mail.fields import Fields
from mailkeep.mail.filenames import safe_name
from mailkeep.mail.mime import MimeParser, Part
from mailkeep.mail.outline import Outline
from mailkeep.mail.parsed import SKIPPED, UNPARSED, ParsedFile, ParsedMessage
from mailkeep.mail.parts import filename, name_for
from mailkeep.mail.spool import Spool
from mailkeep.mail.transfer import Decoder

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class MessageParser:
    """Feed it bytes in any splitting; `finish` never fails, whatever they were.

    Raises StorageUnavailable when a spool does, and MessageTooLarge for more than 25 MB of decoded files.
    Whoever makes one calls `discard` in the end.
    """

    def __init__(self, new_spool: Callable[[], Spool]) -> None:
        self._new_spool = new_spool
        self._texts_budget = TextBudget()
        self._files_budget = FilesBudget()
        self._spools: list[Spool] = []
        self._mime = MimeParser(Bodies(self._texts_budget, self._new_file).make)
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

    def discard(self) -> None:
        """Give up the spooled bytes that nobody stored."""
        for spool in self._spools:
            spool.discard()

    def _fail(self) -> ParsedMessage:
        """The message is kept all the same, and shown as source."""
        self._instead = UNPARSED
        log.error("parse.failed", where=traceback.format_tb(sys.exc_info()[2])[-1])
        return UNPARSED

    def _finish(self) -> ParsedMessage:
        root = self._mime.finish()
        attached = Attached(self._texts_budget, self._spool, parts=self._mime.parts)
        attached.read(root)
        texts, fields = Texts(), Fields(root)
        outline = Outline(texts)
        structure = outline.draw(root)
        text, html = texts.plain(root), texts.html(root)
        parsed = ParsedMessage(
            headers=fields.all,
            senders=fields.senders(),
            to=fields.mailboxes("to"),
            cc=fields.mailboxes("cc"),
            reply_to=fields.mailboxes("reply-to"),
            subject=fields.subject(),
            date=fields.date(),
            message_id=fields.message_id(),
            text=text,
            html=html,
            snippet=snippet(text, html),
            files=tuple(_files(root, structure)),
            defects=(),
            structure=structure,
            queue_id=headers.queue_id(fields.first("received")),
            received_tls=headers.received_tls(fields.first("received")),
            received_count=len(fields.every("received")),
        )
        defects = self._mime.defects | attached.defects | outline.defects | fields.defects
        if self._texts_budget.exceeded:
            defects.add("text_truncated")
        return replace(parsed, defects=tuple(sorted(defects)))

    def _new_file(self, part: Part, decoder: Decoder) -> Body:
        return FileBody(decoder, self._files_budget, self._spool)

    def _spool(self) -> Spool:
        spool = self._new_spool()
        self._spools.append(spool)
        return spool


def _files(part: Part, node: MimePart) -> Iterator[ParsedFile]:
    """The parts of the message itself that are kept as files; what is in an attached message is in its file."""
    if isinstance(part.body, FileBody):
        yield _file(part, part.body, node)
    for inner, inner_node in zip(part.parts(), node.parts, strict=False):
        yield from _files(inner, inner_node)


def _file(part: Part, body: FileBody, node: MimePart) -> ParsedFile:
    return ParsedFile(
        filename=safe_name(filename(part) or name_for(part, node.role)),
        declared_type=node.media_type,
        detected_type=detect_type(body.spool.head(DETECT_BYTES)),
        size_bytes=node.size_bytes,
        sha256=body.sha256,
        disposition=node.disposition if node.disposition in {"attachment", "inline"} else "",
        content_id=node.content_id,
        section=node.section,
        spool=body.spool,
    )
