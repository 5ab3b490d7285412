"""The stdlib's feed parser, fed so that bodies never pile up in it.

`email.feedparser` keeps every line of a body as a string, which costs many times the size of the message. Here the
lines that can steer it (headers, and what begins like a boundary in force) take the stock way, and all else
goes straight to the body of the part at hand. The tree is the stock parser's.

Text is latin-1 inside: a character is a byte, whatever the byte.
"""

from __future__ import annotations

import email.feedparser
import re
from collections.abc import Callable, Iterator
from email.message import Message
from email.policy import Policy, compat32
from email.utils import unquote
from typing import Any, Final

from mailkeep.domain.structure import Report
from mailkeep.mail.body import Body
from mailkeep.mail.limits import (
    MAX_BOUNDARY_LIKE_LINES,
    MAX_BOUNDARY_LINE,
    MAX_DEPTH,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_PARAMETER_BYTES,
    MAX_PARAMETERS,
    MAX_PARTS,
)

# What we build on is the stdlib's, but not in its type stubs.
_stdlib: Any = email.feedparser

# A lone CR ends a line for the stdlib; at the end of what has arrived it may be half of a CRLF.
_EOL: Final = re.compile(r"\r\n|\n|\r(?!\Z)")
_BEFORE_DASHES: Final = re.compile(r"[\r\n](?=-(?:-|\Z))")
_BREAKS: Final = ("\r\n", "\n", "\r")
# Lines that go on with headers and cannot be a boundary; what was taken is not tried again in another way.
_HEADER_LINES: Final = re.compile(r"(?>(?:[ \t]|[!-,.-9;-~][!-9;-~]*:)[^\r\n]*(?:\r\n|\n|\r(?!\Z)))*")
_SPACED_NAME: Final = re.compile(r"\A([!-,.-9;-~][!-9;-~]*)[ \t]+:")
_WITH_PARAMETERS: Final = ("content-type", "content-disposition")


class LimitPassed(Exception):
    """The rest of the message is not parsed; the message is the defect's code."""


class Part(Message):
    """A node of the tree. `body` is where its content went: None for a multipart that has parts.

    `within` is the type of the multipart that it is in, `attached` the message in a part that is one, `report` what
    a machine reports in it: see attached.py.
    """

    body: Body | None = None
    within = ""
    attached: Part | None = None
    report: Report | None = None

    def __init__(self, policy: Policy[Any] = compat32) -> None:
        super().__init__(policy)
        self._parameters: dict[str, Any] = {}

    def _get_params_preserve(self, failobj: Any, header: str) -> Any:
        """The stdlib's, which takes a header apart anew for each of its parameters; once is enough."""
        if header not in self._parameters:
            stdlib: Any = super()
            self._parameters[header] = stdlib._get_params_preserve(None, header)  # noqa: SLF001
        found = self._parameters[header]
        return failobj if found is None else found

    def parts(self) -> list[Part]:
        """The parts of a multipart; none of anything else."""
        payload: Any = self.get_payload()
        return payload if self.is_multipart() else []

    def leaves(self) -> Iterator[Part]:
        """The parts with content, in order. A multipart without parts is one: its text has nowhere else to be."""
        inner = self.parts()
        if not inner:
            yield self
        for part in inner:
            yield from part.leaves()

    def first_charset(self) -> str:
        """The charset that the first part of it names which is a text; empty for none."""
        leaf = next((leaf for leaf in self.leaves() if leaf.get_content_maintype() == "text"), None)
        return "" if leaf is None else str(leaf.get_param("charset", ""))

    def declared_type(self) -> str:
        """`maintype/subtype` as the sender declared it, in lower case, without what it was followed by."""
        return super().get_content_type().split(maxsplit=1)[0]

    def get_content_type(self) -> str:
        """For the feed parser, which descends into message/*: to its reader an attached message is a file."""
        declared = super().get_content_type()
        return "application/octet-stream" if declared.startswith("message/") else declared

    def get_param(self, param: str, failobj: Any = None, header: str = "content-type", unquote: bool = True) -> Any:
        """The stdlib raises on continuations (RFC 2231) that contradict each other; then there is no parameter."""
        try:
            return super().get_param(param, failobj, header, unquote)
        except (TypeError, ValueError):
            return failobj

    def get_boundary(self, failobj: Any = None) -> Any:
        """A boundary is ASCII (RFC 2046 section 5.1.1): the stdlib decodes it, by whatever charset it names."""
        value = self.get_param("boundary")
        boundary = value[2] if isinstance(value, tuple) else value
        return failobj if boundary is None else unquote(boundary).rstrip()


class _Lines(_stdlib.BufferedSubFile):  # type: ignore[misc]  # see _stdlib
    """What steers the parser. While a leaf is read, a line that turned out to be no boundary is its content."""

    def __init__(self) -> None:
        super().__init__()
        self.leaf: Callable[[str], None] | None = None

    def readline(self) -> Any:
        line = super().readline()
        while self.leaf is not None and isinstance(line, str) and line:
            self.leaf(line)
            line = super().readline()
        return line


class MimeParser(_stdlib.FeedParser):  # type: ignore[misc]  # see _stdlib
    """Bytes in, in any splitting; a tree of Parts out. `new_body` makes the body of a part when its headers are read.

    Never raises on any input but what the bodies raise. `defects` are codes. `parts` counts the parts, from what was
    there before on; `depth` is how deep the message itself lies in others.
    """

    def __init__(self, new_body: Callable[[Part], Body], *, parts: int = 0, depth: int = 0) -> None:
        super().__init__(Part, policy=compat32)
        self._input = _Lines()
        self._new_body = new_body
        self._body: Body | None = None
        self._root: Part | None = None
        self._separators: list[str | None] = []
        self._in_headers = True
        self._header_count = 0
        self._header_bytes = 0
        self._skipping = False
        self._at_line_start = True
        self._held = ""
        self._depth = depth
        self._boundary_like = 0
        self._after_boundary_like = False
        self._stopped = False
        self.parts = parts
        self.defects: set[str] = set()

    def feed_bytes(self, data: bytes) -> None:
        if self._stopped:
            return
        text = self._held + data.decode("latin-1")
        self._held = self._guarded(text, final=False)

    def finish(self) -> Part:
        """The root of the tree."""
        if not self._stopped and self._held:
            self._guarded(self._held, final=True)
        if not self._stopped:
            try:
                super().close()
            except LimitPassed as limit:
                self._stop(limit)
        if self._body is not None:
            self._end_body(before_boundary=False)
        return self._root if self._root is not None else Part(policy=compat32)

    def _guarded(self, text: str, *, final: bool) -> str:
        """Take what can be taken of `text`; returns the rest, which waits for more."""
        try:
            return text[self._take(text, final=final) :]
        except (LimitPassed, RecursionError) as limit:
            self._stop(limit)
            return ""

    def _stop(self, limit: Exception) -> None:
        self._stopped = True
        self.defects.add(str(limit) if isinstance(limit, LimitPassed) else "nesting_too_deep")

    def _take(self, text: str, *, final: bool) -> int:
        at = 0
        while at < len(text):
            step = self._take_headers if self._in_headers else self._take_body
            end = step(text, at, final)
            if end == at:
                break
            at = end
        return at

    def _take_headers(self, text: str, at: int, final: bool) -> int:
        """Hand over lines up to the end of a block of headers, or as far as the text goes."""
        if self._skipping:
            return self._skip_line(text, at)
        lines: list[str] = []
        start = at
        if "headers_truncated" in self.defects and (dropped := self._beyond_limit(text, at)) > at:
            return dropped
        while (end := _line_end(text, at)) is not None:
            lines.append(_modern(text[at:end], first=not self._header_count and not lines))
            at = end
            if _may_end_headers(lines[-1]):
                break
        else:
            at = self._take_header_rest(text, at, lines, final=final)
        if at > start:
            self._push([line for line in lines if self._header_fits(line)])
            # Headers may end in a boundary, without an empty line between: see _take_body.
            self._after_boundary_like = not self._in_headers and lines[-1][0] == "-"
        return at

    def _take_header_rest(self, text: str, at: int, lines: list[str], *, final: bool) -> int:
        """The last line, which has no end yet: kept back, unless there is no more to come or it is endless."""
        rest = text[at:]
        if not rest or not (final or len(rest) > MAX_HEADER_BYTES):
            return at
        self._skipping = not final and _stdlib.headerRE.match(rest) is not None
        lines.append(rest)
        return len(text)

    def _skip_line(self, text: str, at: int) -> int:
        """Drop the rest of a header line that is over the limit."""
        end = _line_end(text, at)
        self._skipping = end is None
        return len(text) if end is None else end

    def _beyond_limit(self, text: str, at: int) -> int:
        """Past the lines that nobody is to see, all at once: there may be a million of them."""
        if self._header_count <= MAX_HEADERS and self._header_bytes <= MAX_HEADER_BYTES:
            return at
        match = _HEADER_LINES.match(text, at)
        return at if match is None else match.end()

    def _header_fits(self, line: str) -> bool:
        if line in _BREAKS:
            return True
        self._header_count += line[0] not in " \t"
        self._header_bytes += len(line)
        fits = self._header_count <= MAX_HEADERS and self._header_bytes <= MAX_HEADER_BYTES
        if not fits:
            self.defects.add("headers_truncated")
        # A line that ends the headers must be seen whatever was before it.
        return fits or _may_end_headers(line)

    def _take_body(self, text: str, at: int, final: bool) -> int:
        separators = tuple(separator for separator in self._separators if separator)
        if self._after_boundary_like:
            end = self._take_line(text, at, final)
            # The end of an inner multipart may stand right before the next part of the outer one.
            again = end > at and not self._in_headers and text.startswith(separators, at)
            self._after_boundary_like = again or end == at
            return end
        start = self._next_boundary_like(text, at, separators) if separators else len(text)
        if start > at:
            self._write(text[at:start])
            return start
        end = self._take_line(text, at, final)
        # The parser reads on until a line is no boundary: only then it knows where the next part begins.
        self._after_boundary_like = end > at and not self._in_headers
        return end

    def _next_boundary_like(self, text: str, at: int, separators: tuple[str, ...]) -> int:
        """Where the next line begins that begins like a boundary in force; the end of the text when none does.

        A separator that the end of the text cuts in two counts, too: the rest may follow.
        """
        if self._at_line_start and _may_begin(text, at, separators):
            return at
        for match in _BEFORE_DASHES.finditer(text, at):
            self._count_boundary_like(1)
            if _may_begin(text, match.end(), separators):
                return match.end()
        return len(text)

    def _take_line(self, text: str, at: int, final: bool) -> int:
        """Hand one line to the stock parser."""
        end = _line_end(text, at)
        if end is None:
            if not final and len(text) - at <= MAX_BOUNDARY_LINE:
                return at
            end = len(text)
        self._at_line_start = text[end - 1] in "\r\n"
        self._after_boundary_like = False
        self._count_boundary_like(10)
        self._push([text[at:end]])
        self._skipping = self._in_headers and not self._at_line_start
        return end

    def _count_boundary_like(self, cost: int) -> None:
        self._boundary_like += cost
        if self._boundary_like > MAX_BOUNDARY_LIKE_LINES:
            raise LimitPassed("boundary_like_lines_truncated")

    def _push(self, lines: list[str]) -> None:
        self._input.pushlines(lines)
        self._call_parse()

    def _write(self, text: str) -> None:
        self._at_line_start = text[-1] in "\r\n"
        if self._body is not None:
            self._body.write(text.encode("latin-1"))

    def _new_message(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise LimitPassed("parts_truncated")
        if self._depth + len(self._msgstack) > MAX_DEPTH:
            raise LimitPassed("nesting_too_deep")
        parent: Part | None = self._cur
        super()._new_message()
        if parent is not None:
            self._cur.within = parent.declared_type()
        if self._root is None:
            self._root = self._cur
        self._separators.append(None)
        self._in_headers = True
        self._after_boundary_like = False

    def _parse_headers(self, lines: list[str]) -> None:
        super()._parse_headers(lines)
        self._header_count = self._header_bytes = 0
        part: Part = self._cur
        self._cut_parameters(part)
        self._in_headers = False
        self._at_line_start = True
        boundary = part.get_boundary() if part.get_content_maintype() == "multipart" else None
        part.body = self._body = self._new_body(part)
        if boundary is None:
            self._input.leaf = self._write
        else:
            self._separators[-1] = "--" + str(boundary)

    def _cut_parameters(self, part: Part) -> None:
        for name, value in part.raw_items():
            if name.lower() in _WITH_PARAMETERS and value != (short := _shortened(value)):
                self.defects.add("parameters_truncated")
                del part[name]
                part[name] = short

    def _pop_message(self) -> Message:
        if self._body is not None:
            self._end_body(before_boundary=len(self._msgstack) > 1)
        self._separators.pop()
        popped: Message = super()._pop_message()
        return popped

    def _end_body(self, *, before_boundary: bool) -> None:
        body, self._body = self._body, None
        self._input.leaf = None
        if body is not None:
            body.finish(before_boundary=before_boundary)


def _shortened(field: str) -> str:
    """A field's body with no more parameters than are read."""
    return ";".join(field[:MAX_PARAMETER_BYTES].split(";", MAX_PARAMETERS)[:MAX_PARAMETERS])


def _modern(line: str, *, first: bool) -> str:
    """A header line as it is written today: older ones may have white space before the colon (RFC 5322 section 4.5).

    `first`: of its block, where a gateway may have left the mark of an mbox, quoted.
    """
    if not line.startswith("From ") and _stdlib.headerRE.match(line):
        return line
    if first and line.startswith(">From "):
        return line[1:]
    return _SPACED_NAME.sub(r"\1:", line, count=1)


def _line_end(text: str, at: int) -> int | None:
    match = _EOL.search(text, at)
    return None if match is None else match.end()


def _may_end_headers(line: str) -> bool:
    return line in _BREAKS or line[0] == "-" or _stdlib.headerRE.match(line) is None


def _may_begin(text: str, at: int, separators: tuple[str, ...]) -> bool:
    if text.startswith(separators, at):
        return True
    rest = text[at : at + max(map(len, separators))]
    return at + len(rest) == len(text) and any(separator.startswith(rest) for separator in separators)
