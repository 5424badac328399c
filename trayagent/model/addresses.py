"""Hosts and addresses: which lead into a private network, whatever way they are spelled."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

_IPV4_SPECIAL: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
"""IANA IPv4 special-purpose registry, multicast and reserved: spelled out, since Python versions differ."""

_IPV6_GLOBAL: Final = ipaddress.IPv6Network("2000::/3")
_IPV6_SPECIAL: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

_PRIVATE_SUFFIXES: Final = (".localhost", ".local", ".lan", ".home.arpa")
_INTERNAL_SUFFIXES: Final = (".internal", ".intranet", ".localdomain", ".corp", ".home", ".private")

MAX_HOST: Final = 253
"""Characters of a host's name (RFC 1035 §2.3.4, without the root's dot)."""
_IPV4_PART: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_DOTS: Final = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
_NAME_PUNCTUATION: Final = "\u00b7\u30fb"
_IGNORED: Final = re.compile(
    "[\u00ad\u034f\u180b-\u180d\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
"""What means nothing in a host (UTS 46)."""
_ZWNJ, _ZWJ = "\u200c", "\u200d"
_VIRAMA: Final = 9
"""The combining class of the sign that takes a letter its vowel, in the scripts of India."""
_JOINS_NEXT: Final = re.compile(
    "[\u0620\u0626\u0628\u062a-\u062e\u0633-\u063f\u0641-\u0647\u0649\u064a\u066e\u066f\u0678-\u0687"
    "\u069a-\u06bf\u06c1\u06c2\u06cc\u06ce\u06d0\u06d1\u06fa-\u06fc\u06ff\u0712-\u0714\u071a-\u071d"
    "\u071f-\u0727\u0729\u072b\u072d\u072e\u074e-\u0758\u075c-\u076a\u076d-\u0770\u0772\u0775-\u0777"
    "\u077a-\u077f\u07ca-\u07ea]"
)
"""Letters of Arabic, Syriac and N'Ko that join what follows them (Unicode's ArabicShaping, type D)."""
_JOINS_BEFORE: Final = re.compile(
    "[\u0620-\u064a\u066e-\u06d3\u06d5-\u06ff\u0710-\u077f\u07ca-\u07ea]"
)
"""Letters of those that join what is before them (types R and D)."""
_LATIN_TWINS: Final = frozenset("авекмнорстухіјѕһԁԛԝӏёүґѡԍ" + "ανορτυχικ")
"""Cyrillic and Greek letters that can pass for Latin ones."""


@lru_cache(maxsize=4096)
def is_public(ip: str) -> bool:
    """Whether an address, as the resolver or a socket gives it, is on the public internet.

    An IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) decides for it. Anything that is not an
    address is not public.
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0].strip("[]"))
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _IPV4_SPECIAL)
    # An IPv6 address that only carries an IPv4 one leads where that one leads.
    embedded = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if embedded is not None:
        return is_public(str(embedded))
    return address in _IPV6_GLOBAL and not any(address in network for network in _IPV6_SPECIAL)


@lru_cache(maxsize=4096)
def names_private(host: str) -> bool:
    """Whether a host, by its name alone, says that it is private: the `named` rule.

    That is a private IP literal in any spelling, `localhost`, a single label, or a name under
    `.local`, `.lan` or `.home.arpa`.
    """
    try:
        host = canonical_host(host)
    except ValueError:
        return False
    if is_literal(host):
        return not is_public(host)
    return "." not in host or host.endswith(_PRIVATE_SUFFIXES)


def sounds_private(host: str) -> bool:
    """As `names_private`, and names that private networks use without our rule granting them.

    For hosts that we do not resolve ourselves, because a proxy does.
    """
    return names_private(host) or host.lower().rstrip(".").endswith(_INTERNAL_SUFFIXES)


def is_literal(host: str) -> bool:
    """Whether a canonical host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)  # lists name the same few hosts again and again
def canonical_host(host: str) -> str:
    """The host as it would be connected to: ASCII, lower case, IP literals in their usual form, no brackets.

    Follows the URL standard's host parser (percent-decoding, UTS 46 mapping, IPv4 as numbers).
    Raises ValueError, with a plain reason, for a host that cannot be used.
    """
    if len(host) > 9 * MAX_HOST:  # its letters may be percent-encoded, three bytes each
        raise ValueError("the host is malformed")
    if host.startswith("["):
        return _ipv6(host)
    if host.count(":") > 1:
        return _ipv6(f"[{host}]")
    if "%" in host:
        try:
            host = unquote_to_bytes(host).decode()
        except UnicodeDecodeError as error:
            raise ValueError("the host is malformed") from error
    host = unicodedata.normalize("NFKC", host.translate(_DOTS))
    # Letter by letter: all at once, a sigma at the end of a word would become another letter.
    host = "".join(c.lower() for c in host).translate(_DOTS)
    # The root's dot, as in `example.com.`, names the same host.
    mapped = unicodedata.normalize("NFC", _IGNORED.sub("", host)).removesuffix(".")
    labels = mapped.split(".")
    # Punycode takes time that grows with the square of a label: longer ones are not looked at.
    if not all(labels) or len(mapped) > MAX_HOST:
        raise ValueError("the host is malformed")
    # A last label of digits makes it an address in numbers (`0x7f.1`, `2130706433`): resolvers take it so.
    if _IPV4_PART.fullmatch(labels[-1]):
        if len(labels) > 4:
            raise ValueError("the host is malformed")
        # The last number fills all bytes that are left: 127.1 is 127.0.0.1 (inet_aton).
        numbers = [_ipv4_number(label) for label in labels]
        last = numbers.pop()
        if any(number > 255 for number in numbers) or last >= 256 ** (4 - len(numbers)):
            raise ValueError("the host is malformed")
        value = last + sum(number << (24 - 8 * place) for place, number in enumerate(numbers))
        return str(ipaddress.IPv4Address(value))
    if not mapped.isascii():
        _refuse_lookalikes(labels)
    ascii_host = ".".join(_to_ascii(label) for label in labels)
    if len(ascii_host) > MAX_HOST or not re.fullmatch(r"[a-z0-9_.-]+", ascii_host):
        raise ValueError("the host is malformed")
    return ascii_host


def _ipv6(host: str) -> str:
    if not host.endswith("]") or "%" in host:
        raise ValueError("the host is malformed")
    try:
        address = ipaddress.IPv6Address(host[1:-1])
    except ValueError as error:
        raise ValueError("the host is malformed") from error
    return str(address.ipv4_mapped or address)


def _ipv4_number(text: str) -> int:
    """A part of an address in the ways of inet_aton: `0x7f`, `0177` and `127` are the same."""
    try:
        if text.startswith("0x"):
            return int(text[2:] or "0", 16)
        return int(text, 8 if len(text) > 1 and text.startswith("0") else 10)
    except ValueError as error:
        raise ValueError("the host is malformed") from error


def _to_ascii(label: str) -> str:
    # Letters, marks, numbers, and the symbols that emoji are made of (So, Sk).
    allowed = (
        c in _NAME_PUNCTUATION
        or c.isascii()
        or unicodedata.category(c)[0] in "LMN"
        or unicodedata.category(c) in {"So", "Sk"}
        or _is_joiner(label, place)
        for place, c in enumerate(label)
    )
    if label.isascii():
        ascii_label = label
    elif not all(allowed):
        raise ValueError("the host contains characters that no name has")
    elif unicodedata.category(label[0])[0] == "M" or not _reads_one_way(label):
        raise ValueError("the host is malformed")
    else:
        ascii_label = "xn--" + label.encode("punycode").decode("ascii")
    if len(ascii_label) > 63:
        raise ValueError("the host is malformed")
    return ascii_label


def _is_joiner(label: str, place: int) -> bool:
    """Whether it is a ZWNJ or ZWJ that changes what is seen (RFC 5892 A.1 and A.2); others only hide."""
    before, after = label[:place], label[place + 1 :]
    if label[place] not in (_ZWNJ, _ZWJ) or not before:
        return False
    if unicodedata.combining(before[-1]) == _VIRAMA:
        return True
    # Marks between the letters do not part them.
    before = next((c for c in reversed(before) if unicodedata.category(c) != "Mn"), "")
    after = next((c for c in after if unicodedata.category(c) != "Mn"), "")
    joins = _JOINS_NEXT.match(before) is not None and _JOINS_BEFORE.match(after) is not None
    return label[place] == _ZWNJ and joins


def _reads_one_way(label: str) -> bool:
    """Whether a label with letters of right-to-left scripts has nothing but what they may stand with (RFC 5893 §2)."""
    kinds = [unicodedata.bidirectional(c) for c in label]
    if not {"R", "AL"} & set(kinds):
        return True
    ends = [kind for kind in kinds if kind != "NSM"][-1]
    return (
        kinds[0] in ("R", "AL")
        and ends in ("R", "AL", "EN", "AN")
        and not {"EN", "AN"} <= set(kinds)
        and set(kinds) <= {"R", "AL", "AN", "EN", "ES", "CS", "ET", "ON", "BN", "NSM"}
    )


def _refuse_lookalikes(labels: list[str]) -> None:
    """Refuse names that pass for others: scripts mixed in a label, or a label all of look-alikes."""
    for label in labels:
        letters = [c for c in label if c.isalpha()]
        scripts = {unicodedata.name(c, "?").partition(" ")[0] for c in letters} & {
            "LATIN",
            "CYRILLIC",
            "GREEK",
        }
        twins = bool(letters) and all(c in _LATIN_TWINS for c in letters) and labels[-1].isascii()
        if len(scripts) > 1 or twins:
            raise ValueError("the host is written to look like another one")
