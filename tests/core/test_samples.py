"""Every sample is seen as its golden says, in whatever pieces it arrives."""

from __future__ import annotations

import json
from datetime import datetime
from difflib import unified_diff
from pathlib import Path

import pytest

from mailkeep.domain.clock import utc_now
from mailkeep.testing.samples import SHIPPED, sample_mails
from samples.collection import SHIPPED_FILES, Sample, all_samples, without_moments
from samples.golden import read, render, seen_in

SAMPLES = all_samples()
# The smallest pieces take a while: only small messages arrive so.
SMALL = 4_000


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_seen_as_its_golden_says(sample: Sample, tmp_path: Path) -> None:
    """After a change that was meant: see tests/data/README.md."""
    source = sample.source.read_bytes()
    golden = render(json.loads(sample.golden.read_text("utf-8"))).splitlines()
    for step in (65_536, 777, *([1, 7] if len(source) <= SMALL else [])):
        seen = render(read(source, tmp_path, step=step)).splitlines()
        difference = "\n".join(unified_diff(golden, seen, "golden", f"seen in pieces of {step}", lineterm="", n=2))
        if difference:
            pytest.fail(f"\n{difference}")


def test_there_are_as_many_samples_as_there_must_be() -> None:
    assert len(SAMPLES) >= 120


def test_no_golden_is_left_over() -> None:
    goldens = set(SAMPLES[0].golden.parents[1].glob("*/*.json"))
    assert goldens == {sample.golden for sample in SAMPLES}


def test_every_shipped_sample_is_sent_and_new_each_time() -> None:
    assert {path.stem for path in SHIPPED_FILES.glob("*.eml")} == set(SHIPPED)
    now = utc_now()
    for first, again in zip(sample_mails(), sample_mails(), strict=True):
        source = (SHIPPED_FILES / f"{first.name}.eml").read_bytes()
        assert without_moments(first.source) == without_moments(again.source) == without_moments(source)
        assert first.source != again.source
        sent = seen_in(first.source)["date"]
        assert sent is None or abs((datetime.fromisoformat(sent) - now).total_seconds()) < 60
