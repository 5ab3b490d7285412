"""Charsets by the names that mail gives them, and text that is not in the one it names."""

from __future__ import annotations

import codecs
import encodings
import re
from encodings.aliases import aliases
from typing import Final

# Codecs of Python that are no charset of mail, and utf-7, which hides markup from whoever checks the bytes.
_NOT_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs"}
)
# Names that mail uses and Python does not know (https://encoding.spec.whatwg.org/#names-and-labels).
_SPELLINGS: Final = {
    "8859_1": "iso8859_1",
    "cn_big5": "big5",
    "cp_850": "cp850",
    "cseucpkdfmtjapanese": "euc_jp",
    "cseuckr": "euc_kr",
    "csgb2312": "gb2312",
    "csisolatin9": "iso8859_15",
    "csiso88596e": "iso8859_6",
    "csiso88596i": "iso8859_6",
    "csiso88598e": "iso8859_8",
    "csiso88598i": "iso8859_8",
    "csksc56011987": "euc_kr",
    "csmacintosh": "mac_roman",
    "csunicode": "utf_16",
    "dos_874": "cp874",
    "gb_2312": "gb2312",
    "gb_2312_80": "gb2312",
    "iso88591": "iso8859_1",
    "iso88592": "iso8859_2",
    "iso_10646_ucs_2": "utf_16",
    "iso_8859_6_e": "iso8859_6",
    "iso_8859_6_i": "iso8859_6",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "iso_ir_149": "euc_kr",
    "koi": "koi8_r",
    "koi8": "koi8_r",
    "koi8_ru": "koi8_u",
    "ks_c_5601_1989": "euc_kr",
    "ksc_5601": "euc_kr",
    "logical": "iso8859_8",
    "mac": "mac_roman",
    "sun_eu_greek": "iso8859_7",
    "ucs_2": "utf_16",
    "unicode": "utf_16",
    "unicode11utf8": "utf_8",
    "unicode20utf8": "utf_8",
    "unicode_1_1_utf_8": "utf_8",
    "visual": "iso8859_8",
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "windows_949": "cp949",
    "x_cp1250": "cp1250",
    "x_cp1251": "cp1251",
    "x_cp1252": "cp1252",
    "x_cp1253": "cp1253",
    "x_cp1254": "cp1254",
    "x_cp1256": "cp1256",
    "x_euc_jp": "euc_jp",
    "x_gbk": "gbk",
    "x_mac_cyrillic": "mac_cyrillic",
    "x_mac_roman": "mac_roman",
    "x_mac_ukrainian": "mac_cyrillic",
    "x_sjis": "cp932",
    "x_unicode20utf8": "utf_8",
    "x_x_big5": "big5",
}
# In these, bytes that are ASCII are no letters: that a text is valid UTF-8 says nothing.
_NOT_ASCII: Final = ("iso2022", "hz", "utf-16", "utf-32")
# What senders write into text that they call by the narrower name; readers take the wider one for it
# (https://encoding.spec.whatwg.org/#names-and-labels).
_WIDER: Final = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso2022_jp": "iso2022_jp_ext",
    "big5": "big5hkscs",
}
# The names by which Python knows its codecs; the last ones have no alias.
_CHARSETS: Final = frozenset(aliases) | frozenset(aliases.values()) | {"cp874", "koi8_t", "koi8_u", "utf_8_sig"}
# What may follow a name: a comment (RFC 2045 section 5.1), or what somebody thought was one.
_AFTER_NAME: Final = re.compile(r"(?<=\S)[\s(].*", re.DOTALL)


def decode_text(data: bytes, charset: str) -> tuple[str, bool]:
    """Bytes as text: by the declared charset, else UTF-8, else windows-1252. False when the declaration was wrong."""
    declared = _known_charset(charset)
    declared = _WIDER.get(declared, declared) if declared is not None else None
    for name in filter(None, (declared, "utf-8")):
        try:
            return data.decode(name), name == declared
        except UnicodeError:
            if name.startswith(_NOT_ASCII) and (text := _mostly(data, name)):
                return text, False
    guesses = (_mostly(data, name) for name in (declared, "utf-8") if name is not None)
    return next(filter(None, guesses), data.decode("cp1252", "replace")), False


def _mostly(data: bytes, charset: str) -> str:
    """The text, when a few bytes only are wrong: fewer than there are letters that show the charset to be right."""
    try:
        text = data.decode(charset, "replace")
    except UnicodeError:
        return ""
    wrong = text.count("\ufffd")
    plain = 0 if charset.startswith(_NOT_ASCII) else len(text.encode("ascii", "ignore"))
    return text if wrong < len(text) - plain - wrong else ""


def _known_charset(charset: str) -> str | None:
    # The interpreter keeps every name that it was asked for, for ever: it is asked for those that exist, in one
    # spelling.
    name_alone = _AFTER_NAME.sub("", charset.strip().lower())
    wanted = encodings.normalize_encoding(name_alone).replace(".", "_") or "ascii"
    wanted = _SPELLINGS.get(wanted, wanted)
    if wanted not in _CHARSETS:
        return None
    try:
        name = codecs.lookup(wanted).name
        b"a".decode(name)
    except UnicodeError:
        return name  # a letter alone is no text in it, but it is a charset
    except LookupError:
        return None
    return None if name.replace("_", "-") in _NOT_CHARSETS else name
