"""The decision about one recipient, from the table in memory.

It fails closed. What the table does not hold as active is never accepted, and when the feed has not answered for
`recipients.max_age` nothing is, known or not: refused for now, so that nothing is lost.
"""

from __future__ import annotations

from mailkeep.domain.address import split_subaddress
from mailkeep.services.ingest import AcceptedRecipient
from mailkeep_mxd import replies
from mailkeep_mxd.follower import FeedFollower
from mailkeep_mxd.replies import Reply


class RecipientDirectory:
    """What RCPT and Postfix's policy requests ask."""

    def __init__(self, follower: FeedFollower) -> None:
        self._follower = follower

    async def decide(self, canonical: str, *, as_given: str) -> AcceptedRecipient | Reply:
        """Whether a recipient is accepted: looked up by its canonical spelling, kept in the given one.

        A miss is checked before it is refused, because the address may have been created a moment ago.
        """
        if not self._follower.is_usable:
            return replies.RECIPIENTS_UNKNOWN
        found = self._find(canonical, as_given)
        if found is None:
            if not await self._follower.pull():
                return replies.RECIPIENTS_UNKNOWN
            found = self._find(canonical, as_given)
        if found is None:
            return replies.NO_SUCH_RECIPIENT
        if not found.recipient.active:
            return replies.INACTIVE_RECIPIENT
        return replies.RECIPIENT_OVER_QUOTA if found.recipient.over_quota else found

    def _find(self, canonical: str, as_given: str) -> AcceptedRecipient | None:
        """The address itself, else the one of which it is a subaddress (RFC 5233)."""
        recipient = self._follower.table.get(canonical)
        if recipient is not None:
            return AcceptedRecipient(address=as_given, tag=None, recipient=recipient)
        address, tag = split_subaddress(canonical)
        recipient = self._follower.table.get(address) if tag is not None else None
        return None if recipient is None else AcceptedRecipient(address=as_given, tag=tag, recipient=recipient)
