"""How much of a message is understood. Passing a limit is a defect of the message, never a loss: the source stays."""

from typing import Final

MAX_DEPTH: Final = 50
MAX_PARTS: Final = 1_000
MAX_HEADERS: Final = 1_000
MAX_HEADER_BYTES: Final = 256 * 1024
# The stdlib reads parameters in quadratic time; no honest Content-Type comes near this.
MAX_PARAMETER_BYTES: Final = 8 * 1024
# Nor near so many; in each of a thousand parts they would take half a minute.
MAX_PARAMETERS: Final = 50
# Decoded text kept for display, over all parts of a message.
MAX_TEXT_BYTES: Final = 2 * 1024 * 1024
# Decoded attachments of a message, in all. More is refused: it is the one limit that says no.
MAX_FILES_BYTES: Final = 25 * 1024 * 1024
# Bytes of attached messages that are taken apart, each time they are: a message in a message in a message counts
# for every level that it is in.
MAX_ATTACHED_BYTES: Final = 64 * 1024 * 1024
# How much of an attached message's HTML is read for its words.
MAX_ATTACHED_HTML: Final = 256 * 1024
# Their fields that are kept, in all: a thousand messages may name a thousand people each.
MAX_ATTACHED_FIELDS: Final = 128 * 1024
MAX_REPORT_BYTES: Final = 64 * 1024
# Of all reports of a message together.
MAX_REPORTS_BYTES: Final = 512 * 1024
MAX_REPORT_BLOCKS: Final = 100
MAX_REPORT_FIELDS: Final = 50
MAX_REPORT_VALUE: Final = 1_000
# Plain text that is shown among HTML: an escaped character takes up to five.
MAX_TEXT_IN_HTML: Final = 256 * 1024
# Lines that look like a boundary and are none: each costs a look at every boundary in force.
MAX_BOUNDARY_LIKE_LINES: Final = 100_000
# A boundary line is at most 2 + 70 + 2 characters and white space (RFC 2046 section 5.1.1); be generous.
MAX_BOUNDARY_LINE: Final = 16 * 1024
# RFC 5321 section 6.3: a loop may be presumed from 100 Received fields; fewer can be a long but honest way.
MAX_RECEIVED: Final = 100
MAX_MAILBOXES: Final = 1_000
MAX_ADDRESS_HEADER: Final = 64 * 1024
MAX_SUBJECT: Final = 1_000
# What that many characters take at most, encoded (RFC 2047).
MAX_ENCODED_SUBJECT: Final = 16 * MAX_SUBJECT
MAX_NAME: Final = 1_000
MAX_MESSAGE_ID: Final = 998  # RFC 5322 section 2.1.1
MAX_FILENAME: Final = 1_000
# Of the names as they were sent, in all; the safe name of each file is kept besides.
MAX_FILENAMES: Final = 256 * 1024
MAX_SNIPPET: Final = 200
