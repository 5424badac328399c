"""What a bucket's process is opened with: addresses are judged, and no way leads around the proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from trayagent.model.errors import DownloadError
from trayagent.model.settings import Config, MoveSettings, NetworkSettings
from trayagent.targets.bucket import BucketAccess
from trayagent.targets.bucket_access import bucket_access

SECRETS = {"keyring:bucket": "the word", "AKID": "AKID", "": ""}


async def at_once(act: Callable[[], Any]) -> Any:
    return act()


async def secret_of(text: str) -> str:
    return SECRETS[text]


async def opened(network: NetworkSettings, endpoint: str = "http://127.0.0.1:9000") -> BucketAccess:
    move = MoveSettings("s3://films", endpoint, "", "AKID", "keyring:bucket")
    return await bucket_access(Config(move=move, network=network), secret_of, {}, at_once)


async def test_it_holds_the_secret_and_does_not_show_it() -> None:
    access = await opened(NetworkSettings())
    assert access.is_plain
    assert access.options == {
        "access_key_id": "AKID",
        "secret_access_key": "the word",
        "endpoint": "http://127.0.0.1:9000",
    }
    assert "the word" not in repr(access)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
async def test_an_endpoint_of_ones_own_network_follows_the_settings(host: str) -> None:
    """Named in the settings it is a person's own word; `refuse` counts for that, too."""
    endpoint = f"http://{host}:9000"
    rules: tuple[Literal["named", "allow"], ...] = ("named", "allow")
    for rule in rules:
        await opened(NetworkSettings(private_addresses=rule), endpoint)
    with pytest.raises(DownloadError) as refused:
        await opened(NetworkSettings(private_addresses="refuse"), endpoint)
    assert refused.value.code == "blocked_address"


async def test_a_proxy_is_used_or_nothing_is() -> None:
    access = await opened(NetworkSettings(proxy="http://127.0.0.1:3128"))
    assert access.proxy == "http://127.0.0.1:3128"
    with pytest.raises(DownloadError) as refused:
        await opened(NetworkSettings(proxy="socks5://127.0.0.1:1080"))
    assert refused.value.code == "bucket_refused"
