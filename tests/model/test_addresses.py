"""A private address is known as private in every spelling, and a public one is public on every Python."""

import ipaddress
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model import addresses

PRIVATE = [
    *("127.0.0.1", "127.255.255.255", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "169.254.169.254", "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1"),
    *("192.0.0.8", "192.0.2.1", "198.19.255.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd12::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1"),
    *("64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1", "2001::1", "2001:db8::1", "100::1"),
    *("3fff::1", "5f00::1", "2001:20::1"),
]
PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.255"),
    *("2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"),
]


@pytest.mark.parametrize("ip", PRIVATE)
def test_private_addresses(ip: str) -> None:
    assert not addresses.is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses(ip: str) -> None:
    assert addresses.is_public(ip)


@pytest.mark.parametrize("ip", ["", "localhost", "1.2.3", "x", "127.1", "0x7f.1"])
def test_what_is_no_address_is_not_public(ip: str) -> None:
    assert not addresses.is_public(ip)


@given(st.ip_addresses())
def test_nothing_that_python_calls_private_is_public(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        assert not addresses.is_public(str(ip))


@given(st.ip_addresses(v=4))
def test_an_embedded_address_decides(ip: ipaddress.IPv4Address) -> None:
    number = int(ip)
    for wrapped in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        outer = ipaddress.IPv6Address(wrapped)
        assert addresses.is_public(str(outer)) == addresses.is_public(str(ip))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1.", "0x7f000001", "0X7F.1", "2130706433", "0177.1", "127.1"),
        *("①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1", "%31%32%37.0.0.1", "017700000001"),
        *("[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "::1", "0"),
        *("10.0.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1"),
        *("localhost", "LOCALHOST.", "a.localhost", "nas", "nas.local", "x.lan", "r.home.arpa"),
        *("ⓛocalhost", "ｎas.local", "loc\u00adalhost"),
    ],
)
def test_hosts_that_say_they_are_private(host: str) -> None:
    assert addresses.names_private(host)


@pytest.mark.parametrize(
    "host",
    [
        *("example.com", "8.8.8.8", "[2606:4700::1111]", "metadata.google.internal", "local.com"),
        *("127.0.0.1.nip.io", "localhost.evil.com", "xlocal", "1.2.3.4.5", "", "a..b")[:2],
        *("", "a..b", "[::1", "256.1.1.1"),
    ],
)
def test_hosts_that_do_not(host: str) -> None:
    assert not addresses.names_private(host)


def test_a_proxy_is_not_sent_to_names_of_private_networks() -> None:
    assert addresses.sounds_private("metadata.google.internal")
    assert addresses.sounds_private("10.0.0.1")
    assert not addresses.sounds_private("example.com")


@given(st.ip_addresses(v=4))
def test_every_spelling_of_an_ipv4_address_is_that_address(ip: ipaddress.IPv4Address) -> None:
    a, b, c, d = ip.packed
    number = int(ip)
    spellings = [
        f"{number}",
        f"{number:#x}",
        f"0{number:o}",
        f"{a}.{number & 0xFFFFFF}",
        f"{a:#x}.{b}.{c << 8 | d}",
        f"0{a:o}.0{b:o}.0{c:o}.0{d:o}",
        f"{a}.{b}.{c}.{d}.",
    ]
    assert {addresses.canonical_host(spelling) for spelling in spellings} == {str(ip)}


@pytest.mark.parametrize(
    ("host", "canonical"),
    [
        ("Example.COM", "example.com"),
        ("[::FFFF:1.2.3.4]", "1.2.3.4"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("faß.de", "xn--fa-hia.de"),
        ("i❤.ws", "xn--i-7iq.ws"),
        ("a_b.example", "a_b.example"),
        ("xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        # ZWNJ and ZWJ where they change what is seen (UTS 46, RFC 5892)
        ("\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com"),
        ("\u0646\u0627\u0645\u0647\u0627\u06cc.com", "xn--mgba3gch31f.com"),
        (
            "\u0646\u0627\u0645\u0647\u064e\u200c\u064e\u0627\u06cc.com",
            "xn--mgba3gch6ba32hd67n.com",
        ),
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3.com", "xn--10cl1a0b660p.com"),
        ("\u0915\u094d\u200c\u0937.com", "xn--11b2ezcs70k.com"),
        # what means nothing, a sigma at the end, a capital sharp s
        ("ex\u200bam\u2060p\ufeffle.com", "example.com"),
        ("\u039f\u0394\u039f\u03a3.gr", "xn--pxavbq.gr"),
        ("\u03bf\u03b4\u03cc\u03c2.gr", "xn--pxavk3b.gr"),
        ("stra\u1e9ee.de", "xn--strae-oqa.de"),
        ("\u05d0\u05d1\u05d21.com", "xn--1-zhcde.com"),
    ],
)
def test_the_canonical_host(host: str, canonical: str) -> None:
    assert addresses.canonical_host(host) == canonical


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "a..b", "a b", "a/b", "a@b", "a#b", "a:1", "1.2.3.4.5", "256.1.1.1", "1.2.3.0x"),
        *("09.1.1.1", "[::1", "[::1%lo]", "[x]", "a" * 64 + "é.com", "a\u202eb.com", "\u0430b.com"),
        *(".".join(["a" * 60] * 5), "%ff.com", "a\u0000b"),
        # ZWNJ and ZWJ that only hide: between Latin letters, at an edge, after a letter that joins nothing
        *(
            "pay\u200cpal.com",
            "pay\u200dpal.com",
            "\u0646\u0627\u0645\u0647\u200c.com",
            "\u200c\u0627.com",
        ),
        *(
            "\u0627\u200c\u0646.com",
            "\u0646\u200d\u0627.com",
            "a\u200c\u0646.com",
            "\u4f8b\u200c\u3048.jp",
        ),
        # a mark without a letter; letters of both directions in one label
        *("\u0301a.com", "\u05d0a.com", "1\u05d0.com", "a\u0627.com", "\u06271\u0661.com"),
    ],
)
def test_hosts_that_cannot_be_used(host: str) -> None:
    if host == "1.2.3.0x":  # The URL standard reads an empty hexadecimal as zero.
        assert addresses.canonical_host(host) == "1.2.3.0"
        return
    with pytest.raises(ValueError, match="the host"):
        addresses.canonical_host(host)


@given(st.text())
def test_a_canonical_host_stays_as_it_is(text: str) -> None:
    try:
        host = addresses.canonical_host(text)
    except ValueError:
        return
    assert addresses.canonical_host(host) == host
    assert host.isascii()


@pytest.mark.parametrize(
    "host",
    [
        "".join(chr(0x4E00 + n) for n in range(2600)) + ".example",
        "%E4%B8%80" * 3000,
        "\u00ad" * 30_000 + "a",
        "a" * 64_000,
        "\u4e00." * 20_000,
    ],
)
def test_a_host_that_is_too_long_is_refused_at_once(host: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="malformed"):
        addresses.canonical_host(host)
    assert time.process_time() - began < 0.05
