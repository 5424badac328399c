"""Private hosts are reached only when the user named them, public names only at public addresses."""

from __future__ import annotations

import socket

import pytest

from trayagent.model.errors import DownloadError
from trayagent.model.settings import NetworkSettings
from trayagent.net import address_policy
from trayagent.net.address_policy import AddressPolicy

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "a.localhost",
        "::1",
        "169.254.169.254",
        "10.1.2.3",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "nas",
        "nas.local",
        "nas.lan",
        "nas.home.arpa",
    ],
)
def test_private_hosts_need_to_be_named(host: str) -> None:
    pair = f"[{host}]:80" if ":" in host else f"{host}:80"
    named = AddressPolicy(NetworkSettings())
    with pytest.raises(DownloadError) as failed:
        named.check(host, 80, NOBODY)
    assert failed.value.code == "blocked_address"
    assert pair in failed.value.message, "what to write into network.allow"
    with pytest.raises(DownloadError):
        named.check(host, 80, {pair.replace(":80", ":81")})
    named.check(host, 80, {pair})
    with pytest.raises(DownloadError):
        AddressPolicy(NetworkSettings(private_addresses="refuse")).check(host, 80, {pair})
    AddressPolicy(NetworkSettings(private_addresses="refuse", allow=(pair,))).check(
        host, 80, NOBODY
    )
    AddressPolicy(NetworkSettings(private_addresses="allow")).check(host, 80, NOBODY)


@pytest.mark.parametrize("host", ["example.com", "93.184.216.34", "2606:4700::1111"])
def test_public_hosts_need_nothing(host: str) -> None:
    AddressPolicy(NetworkSettings(private_addresses="refuse")).check(host, 443, NOBODY)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "a.localhost", "::1", "0.0.0.0", "::ffff:127.0.0.1"]
)
def test_we_never_talk_to_ourselves(host: str) -> None:
    policy = AddressPolicy(NetworkSettings(private_addresses="allow"), own_ports={17830})
    with pytest.raises(DownloadError):
        policy.check(host, 17830, {f"{host}:17830"})
    with pytest.raises(DownloadError):
        policy.admit("innocent.example", 17830, "127.0.0.1")
    policy.check(host, 17831, NOBODY)


@pytest.mark.parametrize(
    ("address", "fine"),
    [
        ("93.184.216.34", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("64:ff9b::a00:1", False),
    ],
)
def test_a_public_name_leads_to_public_addresses_only(address: str, fine: bool) -> None:
    policy = AddressPolicy(NetworkSettings())
    if fine:
        policy.admit("example.com", 80, address)
    else:
        with pytest.raises(DownloadError, match=r"example\.com:80"):
            policy.admit("example.com", 80, address)
    policy.admit("nas.local", 80, "192.168.0.7")


@pytest.mark.parametrize("host", ["nas.internal", "x.corp", "router.home", "a.localdomain"])
def test_behind_a_proxy_names_of_private_networks_are_private(host: str) -> None:
    """Nobody here resolves them, so their addresses cannot be looked at."""
    proxied = AddressPolicy(NetworkSettings(proxy="socks5://127.0.0.1:1080"))
    with pytest.raises(DownloadError):
        proxied.check(host, 80, NOBODY)
    proxied.check(host, 80, {f"{host}:80"})
    AddressPolicy(NetworkSettings()).check(host, 80, NOBODY)


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:80", "[::1]:80", "nas:80", "x.lan:80"])
def test_hosts_nearby_need_no_internet(host: str) -> None:
    """A server on this machine that refuses has nothing to do with being offline."""
    assert not address_policy.is_offline(host)


def test_no_route_anywhere_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then; one of the two families is enough to be online."""
    monkeypatch.setattr(address_policy, "_has_route", lambda family, address: False)
    assert address_policy.is_offline("example.com:443")
    monkeypatch.setattr(
        address_policy, "_has_route", lambda family, address: family == socket.AF_INET6
    )
    assert not address_policy.is_offline("example.com:443")
