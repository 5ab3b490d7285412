"""Plots of what was used by day: bars in a box of 1000 by 100, drawn as SVG without a style of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from mailkeep.domain.usage import UsageDay
from mailkeep_web.words import plural, size

WIDTH = 1000
HEIGHT = 100
_GAP = 0.2  # of the room that a day has


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's; `words` say what it shows."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars on one scale, of which `top` is the highest value. `words` say all of it in a sentence."""

    name: str
    title: str
    total: str
    top: str
    words: str
    bars: Sequence[Bar]


def day_words(day: date) -> str:
    """`24 Nov 2026`."""
    return f"{day.day} {day:%b %Y}"


def plots(days: Sequence[UsageDay]) -> list[Plot]:
    """Of messages, bytes and refusals. A day without any has a bar without height."""
    return [
        _plot("messages", "Messages", days, [day.messages for day in days], lambda n: plural(n, "message", "messages")),
        _plot("bytes", "Received", days, [day.bytes for day in days], size),
        _plot("refusals", "Refused", days, [day.refusals for day in days], lambda n: plural(n, "refusal", "refusals")),
    ]


def _plot(name: str, title: str, days: Sequence[UsageDay], values: Sequence[int], say: Callable[[int], str]) -> Plot:
    top, room = max(values), WIDTH / len(values)
    bars = [
        _bar(number * room, room, value / top if top else 0, f"{day_words(day.day)}: {say(value)}")
        for number, (day, value) in enumerate(zip(days, values, strict=True))
    ]
    words = (
        f"{title} by day, {plural(len(days), 'day', 'days')} to {day_words(days[-1].day)}: {say(sum(values))} in all"
    )
    if top:
        words += f", most on {day_words(days[values.index(top)].day)} with {say(top)}"
    return Plot(name, title, say(sum(values)), say(top), words, bars)


def _bar(x: float, room: float, share: float, words: str) -> Bar:
    # What is there at all can be seen.
    height = max(HEIGHT * share, 1.5) if share else 0
    return Bar(round(x + room * _GAP / 2, 2), round(HEIGHT - height, 2), round(room * (1 - _GAP), 2), height, words)
