"""Every SOCKS scheme that the settings allow works, and the proxy resolves the names."""

from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served
from tests.servers.socks_proxy import SocksProxy
from tests.transfer.rig import noise, transferring
from trayagent.model.settings import NetworkSettings

BODY, NAME = noise(3_000_000), "media.example.com"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
async def test_every_scheme_of_the_settings_works(tmp_path: Path, scheme: str) -> None:
    async with Lying() as server, SocksProxy() as proxy:
        server.at("/f.bin", Served(BODY))
        network = NetworkSettings(proxy=proxy.url.replace("socks5", scheme))
        async with transferring(tmp_path, network=network) as rig:
            await rig.get(f"http://{NAME}:{server.port}/f.bin")
        assert rig.files() == {"f.bin": BODY}
        assert proxy.asked == [("name", NAME, server.port)]
