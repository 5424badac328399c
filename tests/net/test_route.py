"""Whether this machine has any way to the internet."""

from __future__ import annotations

import socket

import pytest

from trayagent.net import route


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost:80", "[::1]:80", "nas:80", "x.lan:80"])
def test_hosts_nearby_need_no_internet(host: str) -> None:
    """A server on this machine that refuses has nothing to do with being offline."""
    assert not route.is_offline(host)


def test_no_route_anywhere_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only then; one of the two families is enough to be online."""
    monkeypatch.setattr(route, "_has_route", lambda family, address: False)
    assert route.is_offline("example.com:443")
    monkeypatch.setattr(route, "_has_route", lambda family, address: family == socket.AF_INET6)
    assert not route.is_offline("example.com:443")
