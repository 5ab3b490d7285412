"""`mailkeep scan check`: whether clamd really looks at all that is accepted."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack

import pytest

from services.clamd import FOUND, running_clamd
from services.mailkeep import COMMAND
from services.required import required


def check(**scan: str) -> subprocess.CompletedProcess[str]:
    environment = {f"MAILKEEP_SCAN__{key.upper()}": value for key, value in scan.items()}
    return subprocess.run(
        [COMMAND, "scan", "check"], env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_all_of_it_is_scanned() -> None:
    with ExitStack() as stack:
        clamd = required(stack, running_clamd(AlertExceedsMax="yes"))
        for place in (clamd.place, clamd.unix_place):
            done = check(mode="quarantine", clamd=place)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(
                f"clamd at {place} found {FOUND} in a mail of 36,700,160 bytes, and Heuristics.Limits.Exceeded"
            )


@pytest.mark.parametrize(
    ("limits", "advice"),
    [
        # As Debian ships it.
        ({"StreamMaxLength": "25M", "MaxFileSize": "25M", "MaxScanSize": "100M"}, "StreamMaxLength"),
        ({"StreamMaxLength": "50M", "MaxFileSize": "25M", "MaxScanSize": "100M"}, "MaxFileSize and MaxScanSize"),
        ({"StreamMaxLength": "50M", "MaxFileSize": "50M", "MaxScanSize": "20M"}, "MaxFileSize and MaxScanSize"),
        ({"StreamMaxLength": "50M", "MaxFileSize": "50M", "MaxScanSize": "150M"}, "AlertExceedsMax to yes"),
    ],
)
def test_limits_that_are_too_low_are_named(limits: dict[str, str], advice: str) -> None:
    with ExitStack() as stack:
        done = check(mode="reject", clamd=required(stack, running_clamd(**limits)).place)
    assert (done.returncode, done.stdout) == (2, "")
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1


def test_nobody_there_and_nothing_to_do() -> None:
    assert "cannot be reached" in check(mode="reject", clamd="127.0.0.1:1").stderr
    assert "scan.mode is off" in check().stderr
