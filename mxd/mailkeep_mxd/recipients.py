"""The decision about one recipient, from the table in memory.

It fails closed. What the table does not hold as active is never accepted, and when the feed has not answered for
`recipients.max_age` nothing is, known or not: refused for now, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailkeep.domain.address import split_subaddress
from mailkeep.services.ingest import AcceptedRecipient
from mailkeep_mxd import replies
from mailkeep_mxd.follower import FeedFollower
from mailkeep_mxd.rates import Rates
from mailkeep_mxd.refusals import Origin, RefusalLog
from mailkeep_mxd.replies import Reply


class RecipientDirectory:
    """What RCPT and Postfix's policy requests ask. What is refused to an address that exists is told to its owner."""

    def __init__(self, follower: FeedFollower, rates: Rates, refusals: RefusalLog) -> None:
        self._follower = follower
        self._rates = rates
        self._refusals = refusals

    async def decide(self, canonical: str, *, as_given: str, origin: Origin) -> AcceptedRecipient | Reply:
        """Whether a recipient would be accepted: looked up by its canonical spelling, kept in the given one."""
        found = await self._known(canonical, as_given, origin)
        if isinstance(found, Reply) or await self._rates.has_room(found.recipient):
            return found
        return self._refused(found, replies.RATE_EXCEEDED, origin)

    async def accept(self, canonical: str, *, as_given: str, origin: Origin) -> AcceptedRecipient | Reply:
        """`decide` for a transaction: what it accepts counts against the address's hour until `release`."""
        found = await self._known(canonical, as_given, origin)
        if isinstance(found, Reply) or await self._rates.hold(found.recipient):
            return found
        return self._refused(found, replies.RATE_EXCEEDED, origin)

    def release(self, accepted: Iterable[AcceptedRecipient]) -> None:
        """The transaction that accepted these is over."""
        for recipient in accepted:
            self._rates.release(recipient.recipient.address_id)

    async def settle(
        self, recipients: Sequence[AcceptedRecipient], outcomes: Sequence[Exception | None], origin: Origin
    ) -> None:
        """What became of a message: it counts where it was stored, and where it was not, that is told."""
        stored = []
        for recipient, outcome in zip(recipients, outcomes, strict=True):
            if outcome is None:
                stored.append(recipient.recipient)
            else:
                self._refusals.note(recipient, replies.reply_to(outcome), origin)
        await self._rates.count(stored)

    async def _known(self, canonical: str, as_given: str, origin: Origin) -> AcceptedRecipient | Reply:
        """All but the rate. A miss is checked before it is refused: the address may have been created a moment ago."""
        found = self._find(canonical, as_given)
        if not self._follower.is_usable:
            return self._refused(found, replies.RECIPIENTS_UNKNOWN, origin)
        if found is None:
            if not await self._follower.pull():
                return replies.RECIPIENTS_UNKNOWN
            found = self._find(canonical, as_given)
        if found is None:
            return replies.NO_SUCH_RECIPIENT
        if not found.recipient.active:
            return self._refused(found, replies.INACTIVE_RECIPIENT, origin)
        if found.recipient.over_quota:
            return self._refused(found, replies.RECIPIENT_OVER_QUOTA, origin)
        return found

    def _refused(self, found: AcceptedRecipient | None, reply: Reply, origin: Origin) -> Reply:
        if found is not None:
            self._refusals.note(found, reply, origin)
        return reply

    def _find(self, canonical: str, as_given: str) -> AcceptedRecipient | None:
        """The address itself, else the one of which it is a subaddress (RFC 5233)."""
        recipient = self._follower.table.get(canonical)
        if recipient is not None:
            return AcceptedRecipient(address=as_given, tag=None, recipient=recipient)
        address, tag = split_subaddress(canonical)
        recipient = self._follower.table.get(address) if tag is not None else None
        return None if recipient is None else AcceptedRecipient(address=as_given, tag=tag, recipient=recipient)
