"""What a bucket's process is opened with, put together from the settings just before it starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from trayagent.model.addresses import canonical_host
from trayagent.model.bucket_address import BucketAddress
from trayagent.model.errors import DownloadError
from trayagent.model.settings import Config
from trayagent.net.address_policy import AddressPolicy, addresses_of
from trayagent.targets.bucket import BucketAccess
from trayagent.targets.credentials import bucket_options
from trayagent.targets.folder import InThread


async def bucket_access(
    config: Config,
    secret: Callable[[str], Awaitable[str]],
    environ: Mapping[str, str],
    in_thread: InThread,
) -> BucketAccess:
    """Raises DownloadError: no key is set, or the endpoint may not be asked.

    `secret` tells what `env:NAME` or `keyring:NAME` in the settings stands for.
    """
    move = config.move
    access_key, secret_key = await secret(move.access_key), await secret(move.secret)
    options: dict[str, str] = await in_thread(
        lambda: bucket_options(
            BucketAddress.parse(move.to).scheme,
            environ,
            Path.home(),
            access_key=access_key,
            secret=secret_key,
            endpoint=move.endpoint,
            region=move.region,
        )
    )
    if config.network.proxy and not config.network.proxy.startswith("http://"):
        # Never around the proxy: that may be all that hides where somebody is.
        raise DownloadError("bucket_refused", "network.proxy is none that obstore can use")
    endpoint = urlsplit(options.get("endpoint", ""))
    if endpoint.hostname:
        usual_port = 80 if endpoint.scheme == "http" else 443
        await _check_address(config, endpoint.hostname, endpoint.port or usual_port)
    return BucketAccess(options, endpoint.scheme == "http", config.network.proxy)


async def _check_address(config: Config, hostname: str, port: int) -> None:
    """Raise DownloadError `blocked_address` where the settings forbid it.

    obstore looks the name up once more when it connects, and follows redirects of the store by itself: what
    they lead to is not judged.
    """
    host = canonical_host(hostname)
    policy = AddressPolicy(config.network)
    # The endpoint in the settings is the user's own word.
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    policy.check(host, port, {pair})
    if config.network.proxy:
        return
    try:
        for address in await addresses_of(host, port):
            policy.admit(host, port, address)
    except OSError as error:
        raise DownloadError("bucket_away", "its name is not known") from error
