"""Why mail does not arrive, in words for whoever waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailkeep.domain.diagnosis import Obstacle

_OBSTACLES: Final[Mapping[Obstacle, tuple[str, str]]] = {
    Obstacle.ACCOUNT_SUSPENDED: (
        "The account is suspended: all its mail is refused.",
        "Ask whoever runs this service.",
    ),
    Obstacle.ADDRESS_INACTIVE: ("The address is switched off: its mail is refused.", "Switch it on, above."),
    Obstacle.STORAGE_FULL: (
        "The account has no storage left: senders are told to try again later.",
        "Delete messages, or change to a larger plan.",
    ),
    Obstacle.RATE_REACHED: (
        "The address has received in the last hour what the plan allows: senders are told to try again later.",
        "Wait, use several addresses, or change to a larger plan.",
    ),
}
# By the enhanced status code of the reply (RFC 3463), which is what mxd decides by (mailkeep_mxd/replies.py).
_REFUSALS: Final[Mapping[str, str]] = {
    "5.2.1": "The address was switched off, or the account suspended.",
    "5.1.1": "The address was not there, or deleted, as far as the receiver knew.",
    "4.2.1": "The address had received in the hour before what the plan allows.",
    "4.2.2": "The account had no storage left.",
    "4.3.0": "The service could not take it at that moment.",
    "4.3.1": "Too much mail was arriving at that moment.",
    "4.3.2": "The service was shutting down or starting.",
    "4.4.3": "The receiver could not check its addresses at that moment.",
    "4.5.3": "The mail had too many recipients at once.",
    "5.3.4": "The mail was larger than this service takes.",
    "5.4.6": "The mail had passed through so many servers that it was in a loop.",
    "5.7.1": "Malware was found in the mail.",
}
_OTHER: Final = "The receiver did not take it."
_AGAIN: Final = "Its sender tries again by itself."
_FOR_GOOD: Final = "Its sender was told that it failed."


def obstacle_words(obstacle: Obstacle) -> tuple[str, str]:
    """What it is, and what to do."""
    return _OBSTACLES[obstacle]


def refusal_words(status: str) -> str:
    """Of a reply's enhanced status: why, and whether the mail comes again (RFC 3463 section 3.1)."""
    return f"{_REFUSALS.get(status, _OTHER)} {_AGAIN if status.startswith('4') else _FOR_GOOD}"
