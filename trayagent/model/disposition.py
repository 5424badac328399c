"""The file name in a Content-Disposition header (RFC 6266), as servers really write it."""

from __future__ import annotations

import codecs
import re
from binascii import a2b_base64, a2b_qp
from itertools import count, groupby, takewhile
from operator import itemgetter
from typing import Final
from urllib.parse import quote, unquote

_PARAMETER: Final = re.compile(r'(?:^|;)\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;]*))')
"""Any parameter: what stands between the quotes of one is no other."""
_SECTION: Final = re.compile(r"filename\*(\d{1,3})(\*?)", re.ASCII)
_LONGEST: Final = 16 * 1024
"""Characters of a header that are looked at."""
_ENCODED_WORD: Final = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?]*)\?=")
"""RFC 2047 §2, with the language of RFC 2231 §5; spaces within, which are forbidden, do come."""
_CHARSET: Final = re.compile(
    r"(?:us-)?ascii|(?:utf|iso|windows|cp|ibm|koi8|gb|hz|big5|shift|sjis|euc|ks_c|johab|tis|mac|latin)[\w.:-]{0,20}",
    re.IGNORECASE | re.ASCII,
)
_CODECS: Final = re.compile(
    r"ascii|utf-8|utf-16(?:-[bl]e)?|iso8859-\d+|cp(?:125\d|437|850|852|855|866|874|932|949|950)|koi8-[rtu]"
    r"|gbk|gb2312|gb18030|hz|big5(?:hkscs)?|shift_jis|euc_(?:jp|kr)|iso2022_(?:jp|kr)|johab|tis-620|mac-\w+"
)
"""Charsets of texts; others that Python has are no charsets at all."""
_WIDER: Final = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
"""What browsers read under a charset's name (WHATWG Encoding): the larger set that everybody means."""


def from_disposition(header: str) -> str | None:
    """The raw file name of a Content-Disposition header (RFC 6266, RFC 8187), or None; not yet safe.

    `filename*` counts first, then a name in sections (`filename*0`, RFC 2231 §3), then `filename`.
    """
    plain: str | None = None
    sections: dict[int, tuple[bool, str]] = {}
    for match in _PARAMETER.finditer(header[:_LONGEST]):
        name, quoted, token = match[1].lower(), match[2], match[3]
        section = _SECTION.fullmatch(name)
        if section:
            text = token.strip() if token is not None else quoted
            sections.setdefault(int(section[1]), (bool(section[2]), text))
        elif name == "filename*":
            # A charset that nobody has, or bytes that are not of it: then the plain name is the better one.
            extended = _decode_extended(token if token is not None else quoted)
            if extended:
                return extended
        # The first of several counts, as in browsers.
        elif name == "filename" and plain is None:
            plain = _decode_plain(
                re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else _unquote(token)
            )
    return _join_sections(sections) or plain or None


def _unquote(token: str) -> str:
    """A token without single quotes around it: to RFC 9110 they belong to it, to who sends them they do not."""
    token = token.strip()
    return token[1:-1] if len(token) > 2 and token[0] == token[-1] == "'" else token


def _join_sections(sections: dict[int, tuple[bool, str]]) -> str | None:
    """A name in sections, in order up to the first gap; those with a star are percent-encoded."""
    parts = [sections[number] for number in takewhile(sections.__contains__, count())]
    if not parts or not parts[0][0]:  # only the first may name a charset
        return _decode_plain("".join(text for _, text in parts)) or None
    # Sections with and without a star may follow each other (RFC 2231 §4.1): all in one encoding, once.
    encoded = (text if star else quote(text, safe="", errors="ignore") for star, text in parts)
    return _decode_extended("".join(encoded))


def decode_percent(text: str) -> str:
    """Percent-decoded once: UTF-8, else the windows-1252 that browsers mean by Latin-1."""
    # UTF-8 first: text in windows-1252 is hardly ever valid UTF-8, but every byte is some windows-1252.
    for charset in ("utf-8", "cp1252"):
        try:
            return unquote(text, charset, "strict")
        except UnicodeDecodeError:
            continue
    return unquote(text, "latin-1")


def _decode_extended(value: str) -> str | None:
    """RFC 8187 `charset'language'percent-encoded`."""
    charset, quote, rest = value.strip().partition("'")
    _, second, encoded = rest.partition("'")
    codec = codec_of(charset)
    if not quote or not second or codec is None:
        return None
    try:
        return unquote(encoded, codec, "strict")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return None


def codec_of(charset: str) -> str | None:
    """Python's name for a charset, None for what is none."""
    if not _CHARSET.fullmatch(charset):  # Python keeps every name it was ever asked for
        return None
    try:
        name = codecs.lookup(charset).name
    except LookupError:
        return None
    return _WIDER.get(name, name) if _CODECS.fullmatch(name) else None


def _decode_words(value: str) -> str | None:
    """A text with the encoded words of RFC 2047, decoded; None if it holds none, or none that can be read."""
    pieces: list[tuple[bytes, str]] = []
    found, at = "", 0
    try:
        for match in _ENCODED_WORD.finditer(value):
            codec = codec_of(match[1])
            if codec is None:
                return None
            between = value[at : match.start()]
            if between.strip() or not pieces:  # spaces between two words only part them (§6.2)
                found += _join_words(pieces) + between
                pieces = []
            base64 = match[2] in "Bb"
            data = a2b_base64(match[3] + "==") if base64 else a2b_qp(match[3], header=True)
            pieces.append((data, codec))
            at = match.end()
        return found + _join_words(pieces) + value[at:] if at else None
    except ValueError:  # no base64, no ASCII, or not of this charset
        return None


def _join_words(pieces: list[tuple[bytes, str]]) -> str:
    """Words of one charset as one: a character may begin in one and end in the next."""
    return "".join(
        b"".join(data for data, _ in words).decode(codec)
        for codec, words in groupby(pieces, key=itemgetter(1))
    )


def _decode_plain(value: str) -> str:
    """A `filename` as servers really send it: raw bytes in UTF-8 or Latin-1, percent-encoded, or as in mail."""
    value = value.strip()
    # The form of `filename*` without its star.
    if value[:7].lower() == "utf-8''" and (extended := _decode_extended(value)):
        return extended
    words = _decode_words(value) if "=?" in value else None
    if words is not None:
        return words
    # The header came as text: as latin-1 where libraries decode it so, with surrogates where they do not.
    # Either way its bytes are tried as UTF-8, which hardly any other text happens to be.
    for charset in ("latin-1", "utf-8"):
        try:
            value = value.encode(charset, "surrogateescape").decode("utf-8")
            break
        except UnicodeError:
            continue
    else:
        value = re.sub("[\udc80-\udcff]+", lambda raw: _decode_western(raw[0]), value)
    return decode_percent(value) if "%" in value else value


def _decode_western(escaped: str) -> str:
    """Bytes that are no UTF-8 as Latin-1, by which browsers mean windows-1252."""
    raw = escaped.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
