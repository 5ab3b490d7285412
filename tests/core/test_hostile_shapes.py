"""Messages built to be quadratic are read in a time that grows with their size (attack cases 33 to 48).

What they take at 5 MB, and how long they keep the event loop, is measured by `make bench ARGS=--hostile-mail=5`.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.hostile_mail import HEAD, SHAPES
from core.parsing import parse


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hostile_shape_is_read_in_time(tmp_path: Path, shape: str, *, full_size: bool) -> None:
    content = HEAD + SHAPES[shape](5_000_000 if full_size else 500_000)
    started = time.process_time()
    parsed = parse(content, tmp_path)
    # Each takes a second or so of CPU at most; done naively, minutes.
    assert time.process_time() - started < 20
    assert "parse_failed" not in parsed.defects
