"""The recipient table and its snapshot."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep.domain.ids import new_id
from mailkeep.domain.recipient import Recipient
from mailkeep_mxd import snapshot
from mailkeep_mxd.snapshot import SnapshotDamaged, SnapshotHead
from mailkeep_mxd.table import RecipientTable


def recipient(address: str = "a@here.test", **changes: object) -> Recipient:
    row = Recipient(address, address_id=new_id(), account_id=new_id(), active=True, per_hour=100, over_quota=False)
    return replace(row, **changes)  # type: ignore[arg-type]  # the tests' own keywords


IDS = st.one_of(st.uuids().map(str), st.text(st.characters(codec="utf-8"), min_size=1, max_size=36))


@given(IDS, IDS, st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_a_row_comes_back_as_it_was(
    address_id: str, account_id: str, active: bool, over_quota: bool, per_hour: int
) -> None:
    row = Recipient("ä@here.test", address_id, account_id, active, per_hour, over_quota)
    table = RecipientTable()
    table.apply([row])
    assert table.get("ä@here.test") == row


def test_tombstones_take_addresses_out() -> None:
    table = RecipientTable()
    table.apply([recipient("a@here.test"), recipient("b@here.test")])
    table.apply([recipient("a@here.test", deleted=True), recipient("never@here.test", deleted=True)])
    assert table.get("a@here.test") is None
    assert len(table) == 1


def test_a_full_sync_sweeps_what_it_did_not_bring_even_after_one_that_broke_off() -> None:
    table = RecipientTable()
    table.apply([recipient("old@here.test"), recipient("kept@here.test")])
    table.begin_sync()
    table.apply([recipient("old@here.test")])
    table.begin_sync()  # the first one broke off
    table.apply([recipient("kept@here.test"), recipient("new@here.test")])
    assert table.get("old@here.test") is not None  # it answers while it is renewed
    table.end_sync()
    assert table.get("old@here.test") is None
    assert len(table) == 2


def test_a_million_recipients_take_less_than_250_mb() -> None:
    rows = 2**14
    tracemalloc.start()
    try:
        table = RecipientTable()
        for number in range(rows):
            table.apply([recipient(f"project-{number:08d}.sign-up@here.test")])
        taken, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert sum(len(row) for _, row in table.rows()) > rows
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A dict grows in steps; with so many rows it is about as full as with a million.
    assert peak / rows < 250
    assert taken / rows < 230


def test_a_snapshot_comes_back_whole(tmp_path: Path) -> None:
    table, restored = RecipientTable(), RecipientTable()
    rows = [recipient(f"{number}@here.test", active=number % 2 == 0) for number in range(2000)]
    table.apply(rows)
    head = SnapshotHead(cursor=7, synced_at=1_700_000_000.5, rows=len(table))
    path = tmp_path / "new" / "recipients.snapshot"
    snapshot.save(path, head, table.rows())
    snapshot.save(path, head, table.rows())
    found, packed = snapshot.load(path)
    restored.load(packed)
    assert found == head
    assert [restored.get(row.address) for row in rows] == rows
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "html", "longer", "other version"])
def test_a_damaged_snapshot_is_not_believed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "recipients.snapshot"
    table = RecipientTable()
    table.apply([recipient()])
    snapshot.save(path, SnapshotHead(cursor=7, synced_at=1.0, rows=1), table.rows())
    good = path.read_bytes()
    path.write_bytes(
        {
            "cut": good[:-1],
            "flipped": good[:60] + bytes((good[60] ^ 1,)) + good[61:],
            "empty": b"",
            "html": b"<html>" * 20,
            "longer": good + b"x",
            "other version": good.replace(b"recipients 1", b"recipients 2"),
        }[damage]
    )
    with pytest.raises(SnapshotDamaged):
        snapshot.load(path)
