"""Where the samples are: those written for the tests, and those that the package ships."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MESSAGES: Final = Path(__file__).parents[1] / "data" / "messages"
SHIPPED_FILES: Final = Path(__file__).parents[2] / "src" / "mailkeep" / "testing" / "samples"
_NEW: Final = re.compile(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000|(?m:^Message-ID: [^\r]*)")


@dataclass(frozen=True, slots=True)
class Sample:
    """A message and its golden. `name` is `<family>/<name>`."""

    name: str
    source: Path
    golden: Path


def all_samples() -> list[Sample]:
    """In the order of their names. The goldens of the shipped ones stay here: no wheel needs them."""
    found = [_sample(path, path.parent.name) for path in MESSAGES.glob("*/*.eml")]
    found += [_sample(path, "shipped") for path in SHIPPED_FILES.glob("*.eml")]
    return sorted(found, key=lambda sample: sample.name)


def _sample(source: Path, family: str) -> Sample:
    return Sample(f"{family}/{source.stem}", source, MESSAGES / family / f"{source.stem}.json")


def without_moments(source: bytes) -> bytes:
    """A shipped message without what is new each time that it is sent."""
    head, _, body = source.partition(b"\r\n\r\n")
    return _NEW.sub(b"", head) + body
