"""What values must mean beyond their type: sizes, durations, addresses, folders that keep apart."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from trayagent.model import units, urls
from trayagent.model.errors import DownloadError
from trayagent.model.settings import Config, SourceSettings
from trayagent.settings.schema import Raw, unknown

_QUALITY: Final = re.compile(r"best|worst|audio|\d{3,4}p?")
_HOST_PORT: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):\d{1,5}")
_PROXIES: Final = ("http", "https", "socks4", "socks5", "socks5h")
_JSON_TABLES: Final = {
    "list": ("url", "query", "page_size"),
    "page": ("items", "next", "style"),
    "item": ("id", "name", "kind", "created", "size", "sha256", "url"),
    "fetch": ("url", "base64", "fallback"),
    "auth": ("headers", "query"),
}
"""Tables of a json source -> their keys."""
_STYLES: Final = ("cursor", "page", "offset", "next_url", "link_header")


def broken(config: Config) -> Iterator[tuple[str, str]]:
    """Every rule a config breaks: (key, sentence); its folders must be absolute already."""
    for name in ("speed_limit", "max_size", "keep_free"):
        yield from _parsed(f"downloads.{name}", getattr(config.downloads, name), units.parse_size)
    yield from _parsed("network.first_byte", config.network.first_byte, units.parse_duration)
    for entry in config.network.allow:
        if host_port(entry) is None:
            yield "network.allow", f'network.allow holds "{entry}"; write each entry as host:port.'
    yield from _proxy(config.network.proxy)
    if not _QUALITY.fullmatch(config.sites.quality):
        wrong = config.sites.quality
        yield (
            "sites.quality",
            f'sites.quality is "{wrong}", but must be best, worst, audio or a height like 1080.',
        )
    yield from _folders(config)
    names = [source.name for source in config.sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "sources", f"Two sources are named {name}; each needs a name of its own."
    for source in config.sources:
        yield from _source(source)


def host_port(entry: str) -> str | None:
    """An entry of `network.allow` as hosts are compared, None if it is none."""
    try:
        return urls.authority(f"http://{entry}") if _HOST_PORT.fullmatch(entry) else None
    except DownloadError:
        return None


def _parsed(key: str, text: str, parse: Callable[[str], object]) -> Iterator[tuple[str, str]]:
    try:
        parse(text)
    except ValueError as error:
        yield key, f"{key}: {error}."


def _proxy(proxy: str) -> Iterator[tuple[str, str]]:
    if not proxy:
        return
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in _PROXIES and bool(parts.hostname and parts.port)
    except ValueError:
        usable = False
    if not usable:
        yield (
            "network.proxy",
            "network.proxy must look like http://host:port or socks5://host:port.",
        )


def _folders(config: Config) -> Iterator[tuple[str, str]]:
    drop = config.drop.folder
    for key, folder in (
        ("downloads.folder", config.downloads.folder),
        ("library.folder", config.library.folder),
    ):
        if _overlap(drop, folder):
            yield "drop.folder", f"drop.folder ({drop}) may not overlap {key} ({folder}); move one."


def _overlap(one: str, other: str) -> bool:
    a, b = (Path(os.path.normcase(os.path.realpath(folder))) for folder in (one, other))
    return a.is_relative_to(b) or b.is_relative_to(a)


def _source(source: SourceSettings) -> Iterator[tuple[str, str]]:
    key = f"sources.{source.name}"
    if source.every:
        yield from _parsed(f"{key}.every", source.every, units.parse_duration)
    yield from _parsed(f"{key}.page_delay", source.page_delay, units.parse_range)
    for name in ("labs_base", "media_base") if source.type == "flow" else ("base",):
        yield from _web_address(f"{key}.{name}", getattr(source, name))
    if source.type == "json":
        yield from _json_source(source, key)


def _web_address(key: str, url: str) -> Iterator[tuple[str, str]]:
    try:
        urls.check(url)
    except DownloadError:
        yield key, f'{key} is "{url}", but must be an http:// or https:// address.'


def _json_source(source: SourceSettings, key: str) -> Iterator[tuple[str, str]]:
    for name, known in _JSON_TABLES.items():
        for inner, value in getattr(source, name).items():
            if inner not in known:
                candidates = [f"{key}.{name}.{one}" for one in known]
                yield key, unknown(f"{key}.{name}.{inner}", Raw(value, "config.toml"), candidates)
    for name, inner in (("list", "url"), ("page", "items"), ("item", "id")):
        if not isinstance(getattr(source, name).get(inner), str):
            yield key, f"{key}.{name} needs a text named {inner}."
    for name, inner in (("list", "query"), ("auth", "headers"), ("auth", "query")):
        if not isinstance(getattr(source, name).get(inner, {}), dict):
            yield key, f"{key}.{name}.{inner} must be a table."
    style = source.page.get("style", "cursor")
    if style not in _STYLES:
        yield key, f'{key}.page.style is "{style}", but must be one of {", ".join(_STYLES)}.'
    if not source.fetch.get("url") and not source.item.get("url"):
        yield key, f"{key} needs fetch.url or item.url, to know where the files are."
