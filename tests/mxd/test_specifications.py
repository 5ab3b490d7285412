"""docs/SPECIFICATIONS.md names nothing that does not exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = (ROOT / "docs" / "SPECIFICATIONS.md").read_text()


def test_the_tests_that_it_names_exist() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", DOCUMENT))
    assert len(named) > 40
    assert [name for name in sorted(named) if f"def {name}(" not in written] == []


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
