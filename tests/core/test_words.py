"""Words as the index and a query both see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailkeep.domain.words import MAX_WORD, characters_of, shortened, words_of

CASES = [
    ("Hello, World!", ["hello", "world"]),
    ("order_17 a-b x@y.z", ["order", "17", "a", "b", "x", "y", "z"]),
    ("don't", ["don", "t"]),
    ("Façade ÉTÉ Ångström", ["facade", "ete", "angstrom"]),
    ("Straße ﬁnal", ["strasse", "final"]),
    ("Ёлка ΑΘΉΝΑ", ["елка", "αθηνα"]),
    ("\uff46\uff55\uff4c\uff4c\u3000\uff37", ["full", "w"]),
    ("你好吗", ["你好", "好吗"]),
    ("好", ["好"]),
    ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
    ("ガ", ["ガ"]),
    ("第1回abc", ["第", "1", "回", "abc"]),
    ("한국어 메일", ["한국어", "메일"]),
    ("\u0628\u0650\u0633\u0652\u0645", ["بسم"]),
    ("\ud800a", ["a"]),
    ("", []),
    ("%_*\"'()", []),
]


@pytest.mark.parametrize(("text", "words"), CASES, ids=[ascii(text) for text, _ in CASES])
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_single_characters_of_what_is_cut_into_pairs() -> None:
    assert characters_of("你好吗 abc 好") == ["你", "好", "吗"]


@given(st.text(max_size=300))
def test_no_word_breaks_a_line_of_the_index(text: str) -> None:
    for word in words_of(text) + characters_of(text):
        assert word
        assert not set(word) & set(" \n\r\t=")


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=300))
def test_the_quick_way_for_ascii_is_the_same_way(text: str) -> None:
    assert words_of(text) == words_of(text + " é")[:-1]


def test_a_long_word_ends_in_its_hash() -> None:
    one, other = shortened("x" * 500 + "a"), shortened("x" * 500 + "b")
    assert len(one) == len(other) == MAX_WORD
    assert one != other
    assert shortened("short " + "y" * MAX_WORD) == "short " + "y" * MAX_WORD
