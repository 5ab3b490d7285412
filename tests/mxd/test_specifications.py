"""docs/SPECIFICATIONS.md names nothing that does not exist, and no attack on the receiver is without a test."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WRITTEN: Final = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
DOCUMENT: Final = (ROOT / "docs" / "SPECIFICATIONS.md").read_text()


def test_the_tests_that_it_names_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", DOCUMENT))
    assert len(named) > 40
    assert [name for name in sorted(named) if f"def {name}(" not in WRITTEN] == []


def test_the_files_that_it_names_exist() -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|md))`", DOCUMENT))
    assert len(named) > 30
    assert [
        name for name in sorted(named) if not ((ROOT / "mxd/mailkeep_mxd" / name).is_file() or (ROOT / name).is_file())
    ] == []


def test_the_settings_that_it_names_exist() -> None:
    configured = (ROOT / "src/mailkeep/config.py").read_text()
    named = set(re.findall(r"`lmtp\.(\w+)", DOCUMENT))
    assert [name for name in sorted(named) if f"    {name}: " not in configured] == []


def test_every_attack_on_the_receiver_has_a_test_with_its_number() -> None:
    """Protocol and replies, then faults of what is below; 68 is about S3."""
    names = re.findall(r"def test_attack_((?:\d{3}_)+)", WRITTEN)
    tested = {int(number) for name in names for number in name.split("_") if number}
    assert {*range(1, 33), 63, 64, 65, 66, 67, 69, 70} - tested == set()
