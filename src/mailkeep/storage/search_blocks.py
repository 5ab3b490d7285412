"""Blocks: the words of BLOCK consecutive messages of an account, turned round: word → messages, in a few rows.

A message's place in its block is its slot, `seq % BLOCK`. A row holds the words of one bucket (a hash of the word), as
lines of `word letter-and-slots …`, slots in hexadecimal: `order b0007ff s07`. So a word costs one small row a block,
and the rows of one bucket of an account lie next to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from zlib import crc32

import zstandard

BLOCK: Final = 256  # a slot is one byte
BUCKETS: Final = 256
# Every block has this row, whatever its words: by it one sees that the block is there.
MARK: Final = 0
_MAX_ROW: Final = 64 * 1024 * 1024


def block_of(seq: int) -> int:
    return seq // BLOCK


def complete_blocks(message_seq: int) -> int:
    """How many blocks of an account get no more messages, when it has given out this seq."""
    return (message_seq + 1) // BLOCK


def bucket_of(word: str) -> int:
    return crc32(word.encode()) % BUCKETS


def pack(text: str) -> bytes:
    return zstandard.compress(text.encode(), 1)


def unpack(packed: bytes) -> str:
    return zstandard.decompress(packed, _MAX_ROW).decode()


def build_block(entries: Mapping[int, bytes]) -> dict[int, bytes]:
    """Bucket → packed words, from seq → packed entry. Empty when there are no messages. Takes long: use a thread."""
    buckets: list[list[str]] = [[] for _ in range(BUCKETS)]
    for word, slots in _slots_of_words(entries).items():
        buckets[bucket_of(word)].append(f"{word} {' '.join(letter + at.hex() for letter, at in slots.items())}\n")
    if not entries:
        return {}
    return {number: pack("".join(["\n", *lines])) for number, lines in enumerate(buckets) if lines or number == MARK}


def _slots_of_words(entries: Mapping[int, bytes]) -> dict[str, dict[str, bytearray]]:
    found: dict[str, dict[str, bytearray]] = {}
    for seq in sorted(entries):
        for letter, words in _words_by_letter(unpack(entries[seq])).items():
            for word in words:
                found.setdefault(word, {}).setdefault(letter, bytearray()).append(seq % BLOCK)
    return found


def _words_by_letter(entry: str) -> dict[str, set[str]]:
    words: dict[str, set[str]] = {}
    for line in entry.splitlines():
        words.setdefault(line[0], set()).update(line[2:].split())
    return words


def slots_in(rows: Mapping[int, str], word: str, letters: Iterable[str]) -> set[int]:
    """The slots of the messages that have the word in one of these fields. `rows`: bucket → unpacked words."""
    row = rows.get(bucket_of(word), "")
    start = row.find(f"\n{word} ")
    if start < 0:
        return set()
    _, *fields = row[start + 1 : row.index("\n", start + 1)].split(" ")
    return {slot for field in fields if field[0] in letters for slot in bytes.fromhex(field[1:])}
