"""Names of files in mail, and what becomes of them (attack cases 58 and 59)."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile_names import HOSTILE_NAMES, HostileName
from mailkeep.mail.filenames import MAX_NAME_BYTES, safe_name, stored_name, unique_names, visible_name

SENT = [name.sent for name in HOSTILE_NAMES]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=str)
def test_attack_058_saved_and_shown(name: HostileName) -> None:
    assert safe_name(name.sent) == name.saved
    assert visible_name(name.sent) == name.seen


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=str)
def test_attack_058_on_disk_a_name_is_a_file_in_its_directory(name: HostileName, tmp_path: Path) -> None:
    for given_name in (safe_name(name.sent), stored_name(name.sent), stored_name(safe_name(name.sent))):
        path = tmp_path / given_name
        path.write_bytes(b"x")
        assert [entry.name for entry in tmp_path.iterdir()] == [given_name]
        path.unlink()


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=str)
def test_attack_059_a_key_of_the_blob_store_is_plain_ascii(name: HostileName) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", stored_name(safe_name(name.sent)))


@settings(deadline=None)
@given(st.text(max_size=400))
def test_a_safe_name_stays_what_it_is(sent: str) -> None:
    name = safe_name(sent)
    assert safe_name(name) == name
    assert 0 < len(name.encode()) <= MAX_NAME_BYTES
    assert name.strip(". ") == name
    assert not set(name) & set('/\\<>:"|?*')
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cf", "Cs"}


def test_names_side_by_side_differ_on_every_file_system() -> None:
    sent = ["a.txt", "a.txt", "A.TXT", "a (2).txt", "b/a.txt", "é.txt", "e\u0301.txt", "n", "N", "straße", "STRASSE"]
    assert unique_names(sent, taken=["n"]) == [
        *("a.txt", "a (2).txt", "A (3).TXT", "a (2) (2).txt", "a (4).txt", "é.txt", "e\u0301 (2).txt"),
        *("n (2)", "N (3)", "straße", "STRASSE (2)"),
    ]


def test_a_thousand_files_of_one_name() -> None:
    names = unique_names(["x" * 300 + ".pdf"] * 1_000)
    assert len({name.casefold() for name in names}) == 1_000
    assert max(len(name.encode()) for name in names) <= 255


def test_attack_058_unique_names_are_safe() -> None:
    names = unique_names(SENT)
    assert len({name.casefold() for name in names}) == len(names)
    assert all("/" not in name and name not in {".", ".."} for name in names)
