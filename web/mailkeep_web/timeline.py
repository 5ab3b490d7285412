"""The way of a message, drawn: each hop a bar on one scale of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from mailkeep.domain.hop import Hop, Route
from mailkeep_web.words import duration


@dataclass(frozen=True, slots=True)
class Step:
    """A hop; where its bar begins and how long it is, in hundredths of the whole time; its delay in words.

    `facts` are the lesser ones: protocol, encryption, id and the like.
    """

    hop: Hop
    begin: float
    length: float
    delay: str
    facts: tuple[str, ...]


def timeline(route: Route) -> list[Step]:
    """A hop whose clock is behind, or that names no time, has a bar without length."""
    delays = [max(hop.delay_s or 0, 0) for hop in route.hops]
    total = sum(delays)
    begins = accumulate(delays, initial=0.0)
    return [
        Step(hop, _percent(begin, total), _percent(delay, total), _words(hop), tuple(_facts(hop)))
        for hop, begin, delay in zip(route.hops, begins, delays, strict=False)
    ]


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 2) if whole else 0


def _words(hop: Hop) -> str:
    if hop.delay_s is None:
        return ""
    if hop.clocks_disagree:
        return f"{duration(-hop.delay_s)} before the hop before it: their clocks disagree"
    return f"after {duration(hop.delay_s)}"


def _facts(hop: Hop) -> Iterator[str]:
    if hop.protocol:
        yield hop.protocol
    if hop.encrypted:
        yield " ".join(filter(None, ["encrypted", hop.tls_version, hop.tls_cipher]))
    else:
        yield "not said to be encrypted"
    for name, value in (("via", hop.via), ("id", hop.id), ("for", hop.recipient)):
        if value:
            yield f"{name} {value}"
