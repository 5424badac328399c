"""Rules that no type can express: for sizes, durations, addresses, and folders.

`broken_rules` holds for every Config, wherever its values come from. `check_folders` holds for changes
that come through the HTTP interface. Who may change settings there could else choose `~/.ssh` for
downloads, and a page would write the keys that open this account. In the file itself a person may
name any folder.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, Final
from urllib.parse import urlsplit

from trayagent.model import schedule, units, urls
from trayagent.model.bucket_address import BucketAddress, is_bucket
from trayagent.model.downloads import QUALITY
from trayagent.model.errors import ConfigError, DownloadError
from trayagent.model.folder_rules import FolderRules
from trayagent.model.settings import Config, EngineSettings, SourceSettings
from trayagent.settings.json_source import broken_table_rules

_HOST_PORT: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):\d{1,5}")
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\[\]:-]{1,255}")
_SITE: Final = re.compile(r"[^\s/:@\[\]*?]+\.[^\s/:@\[\]*?]+")
_PROXIES: Final = ("http", "https", "socks4", "socks5", "socks5h")
_FOLDER_KEYS: Final = frozenset({"folder", "to"})
"""Keys of the settings whose values are folders; those of the table `folders` are, too."""
_SYSTEM_FOLDERS: Final = {
    "linux": "/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /opt /proc /run /sbin /sys /usr /var",
    "darwin": "/Applications /Library /System /bin /cores /dev /etc /opt /private/etc /private/var /sbin /usr /var",
}
_USER_FOLDERS: Final = ("/run/media", "/run/user", "/private/var/folders")
"""They lie below the system's, but are a user's or everybody's."""
_WINDOWS_VARIABLES: Final = (
    "SystemRoot",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "ProgramData",
    "APPDATA",
    "LOCALAPPDATA",
)
"""They name the system's folders, and those where programs keep their data."""


def broken_rules(config: Config) -> Iterator[tuple[str, str]]:
    """Every rule that a config breaks: (key, sentence). Its folders must be absolute already."""
    for name in ("speed_limit", "max_size", "keep_free"):
        text = getattr(config.downloads, name)
        yield from _check_text(f"downloads.{name}", text, units.parse_size)
    yield from _check_text("network.first_byte", config.network.first_byte, _some_time)
    for entry in config.network.allow:
        if host_port(entry) is None:
            yield "network.allow", f'network.allow holds "{entry}"; write each entry as host:port.'
    for origin in config.hook.aria2_origins:
        # `null` is the origin of every sandboxed frame, whoever made it.
        if not _ORIGIN.fullmatch(origin):
            yield (
                "hook.aria2_origins",
                f'hook.aria2_origins holds "{origin}"; write each entry like http://127.0.0.1:8090.',
            )
    if config.network.proxy and not _is_proxy(config.network.proxy):
        problem = "network.proxy must look like http://host:port or socks5://host:port."
        yield "network.proxy", problem
    quality = config.sites.quality
    if not QUALITY.fullmatch(quality):
        problem = (
            f'sites.quality is "{quality}", but must be best, worst, audio or a height like 1080.'
        )
        yield "sites.quality", problem
    yield from _check_schedule(config)
    yield from _check_folder_rules(config)
    # A download that lands in the drop folder would be read as a list. Compared through links, and in
    # one case where the system has no other.
    drop = config.drop.folder
    for key, folder in (
        ("downloads.folder", config.downloads.folder),
        ("library.folder", config.library.folder),
    ):
        one, other = (Path(os.path.normcase(os.path.realpath(path))) for path in (drop, folder))
        if one.is_relative_to(other) or other.is_relative_to(one):
            yield "drop.folder", f"drop.folder ({drop}) may not overlap {key} ({folder}); move one."
    # A name stands for its source everywhere: in the store, among the secrets, as a folder.
    names = [source.name for source in config.sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "sources", f"Two sources are named {name}; each needs a name of its own."
    for source in config.sources:
        yield from _check_source(source)
    yield from _check_engines(config.engines)
    yield from _check_outputs(config)


def _check_schedule(config: Config) -> Iterator[tuple[str, str]]:
    limit, hours, days = config.schedule.limit, config.schedule.hours, config.schedule.days
    if limit:
        yield from _check_text("schedule.limit", limit, units.parse_size)
    if hours:
        yield from _check_text("schedule.hours", hours, schedule.parse_hours)
        if not limit:
            yield "schedule.limit", "schedule.limit must say how fast, since there are hours."
    yield from _check_text("schedule.days", days, schedule.parse_days)


def _check_folder_rules(config: Config) -> Iterator[tuple[str, str]]:
    downloads = Path(config.downloads.folder)
    folders = FolderRules.of(config.folders, downloads)
    drop = Path(os.path.normcase(os.path.realpath(config.drop.folder)))
    for name, folder in (*folders.by_type.items(), *folders.by_site.items()):
        path = Path(os.path.normcase(os.path.realpath(folder)))
        if drop.is_relative_to(path) or path.is_relative_to(drop):
            yield f"folders.{name}", f"folders.{name} ({folder}) may not overlap the drop folder."
        if not folder.is_absolute():  # `D:films` begins at where the process stands on that drive
            yield f"folders.{name}", f'folders.{name} is "{folder}"; write it as a full path.'
            continue
        # `..` leads out of the downloads folder, and whoever wants that can say where to.
        if folder.is_relative_to(downloads) and ".." in folder.relative_to(downloads).parts:
            where = os.path.relpath(folder, downloads)
            problem = f'folders.{name} is "{where}", but must be inside the downloads folder or a full path.'
            yield f"folders.{name}", problem
    for host in config.folders.sites:
        if not _SITE.fullmatch(host):
            yield "folders.sites", f'folders holds "{host}"; write a site like example.com.'


def host_port(entry: str) -> str | None:
    """An entry of `network.allow` as hosts are compared, None if it is none."""
    # The parser of URLs knows best what a host is, and writes it as it will be compared.
    try:
        return urls.authority(f"http://{entry}") if _HOST_PORT.fullmatch(entry) else None
    except DownloadError:
        return None


def _check_text(key: str, text: str, parse: Callable[[str], object]) -> Iterator[tuple[str, str]]:
    try:
        parse(text)
    except ValueError as error:
        yield key, f"{key}: {error}."


def _some_time(text: str) -> None:
    """Raises ValueError for what is no duration, or none at all: every answer would come too late."""
    if not units.parse_duration(text):
        raise ValueError(f"{text!r} is no time at all; write it like 30s, 15m or 6h")


def _is_proxy(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy)
        return parts.scheme in _PROXIES and bool(parts.hostname and parts.port)
    except ValueError:  # `port` reads it: not every text is a number below 65536
        return False


def _check_source(source: SourceSettings) -> Iterator[tuple[str, str]]:
    key = f"sources.{source.name}"
    if source.every:
        yield from _check_text(f"{key}.every", source.every, _some_time)
    yield from _check_text(f"{key}.page_delay", source.page_delay, units.parse_range)
    for name in ("labs_base", "media_base") if source.type == "flow" else ("base",):
        url = getattr(source, name)
        try:
            urls.check(url)
        except DownloadError:
            problem = f'{key}.{name} is "{url}", but must be an http:// or https:// address.'
            yield f"{key}.{name}", problem
    if source.type == "json":
        yield from ((key, sentence) for sentence in broken_table_rules(source, key))


def _check_outputs(config: Config) -> Iterator[tuple[str, str]]:
    if config.history.keep:
        yield from _check_text("history.keep", config.history.keep, units.parse_duration)
    if config.hooks.url:
        yield from _check_text("hooks.url", config.hooks.url, _web_address)
    to = config.move.to
    if is_bucket(to):
        yield from _check_text("move.to", to, BucketAddress.parse)
        yield from _check_endpoint(config)
        return
    for name in ("endpoint", "region", "access_key", "secret"):
        if getattr(config.move, name):
            yield f"move.{name}", f"move.{name} is for a bucket, but move.to names none."
    if to and not Path(to).is_absolute():
        yield "move.to", f'move.to is "{to}", but must be a full path.'
    for key in ("downloads", "drop"):
        folder = getattr(config, key).folder
        # What was moved there would be taken for a download, or read as a list.
        if to and (Path(to).is_relative_to(folder) or Path(folder).is_relative_to(to)):
            yield "move.to", f"move.to ({to}) may not overlap {key}.folder ({folder}); move one."


def _check_endpoint(config: Config) -> Iterator[tuple[str, str]]:
    move = config.move
    if move.endpoint:
        yield from _check_text("move.endpoint", move.endpoint, _web_address)
    if move.endpoint and not move.to.startswith("s3://"):
        yield "move.endpoint", "move.endpoint is for s3:// addresses."
    if bool(move.access_key) != bool(move.secret):
        yield "move.secret", "move.access_key and move.secret belong together."


def _web_address(text: str) -> str:
    """Raises ValueError for what is none, or holds a user and password."""
    try:
        if urls.split_userinfo(urls.check(text))[1] is None:
            return text
    except DownloadError as error:
        raise ValueError("it must be an http:// or https:// address") from error
    raise ValueError("it may hold no user and password")


def _check_engines(engines: Sequence[EngineSettings]) -> Iterator[tuple[str, str]]:
    names = [engine.name for engine in engines]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "engines", f"Two engines are named {name}; each needs a name of its own."
    for engine in engines:
        key = f"engines.{engine.name}"
        if engine.name == "here":
            yield key, "No engine may be named here: that word means this program."
        try:
            has_user = urls.split_userinfo(urls.check(engine.url))[1] is not None
        except DownloadError:
            problem = f'{key}.url is "{engine.url}", but must be like http://nas.lan:6800/jsonrpc.'
            yield f"{key}.url", problem
        else:
            if has_user:
                yield f"{key}.url", f"{key}.url may hold no user and password; use {key}.secret."
        if engine.mounted and not Path(engine.mounted).is_absolute():
            yield f"{key}.mounted", f"{key}.mounted must be a full path."
        if engine.mounted and not engine.folder:
            yield f"{key}.folder", f"{key}.folder must say which of its folders is mounted here."


def check_folders(changes: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError for a folder in `changes` that may not be chosen; one that is so `now` may stay."""
    problems = [
        f"{key} may not be {folder}: it is a hidden folder, or the system's. Edit config.toml yourself."
        for key, folder in _folders_in(changes)
        if _value_at(now, key) != folder and not is_bucket(folder) and is_forbidden_folder(folder)
    ]
    if problems:
        raise ConfigError(problems)


def is_forbidden_folder(
    folder: str, environ: Mapping[str, str] = os.environ, system: str = sys.platform
) -> bool:
    """Whether a folder, as written or as its links lead, is hidden, the system's, a whole disk, or none at all."""
    if "\0" in folder:  # no system has such a name, and looking it up raises ValueError
        return True
    if system == "win32" and _has_hidden_meaning(folder):
        return True
    if not folder.startswith("~") and not Path(folder).is_absolute():  # inside the downloads folder
        return any(part.startswith(".") for part in Path(folder).parts)
    # `..` is taken out of the text before links are followed: that is how it will be written down.
    written = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111
    for path in (written, Path(os.path.realpath(written))):
        home = Path.home()
        parts = path.relative_to(home).parts if path.is_relative_to(home) else path.parts[1:]
        # Only what is hidden inside the home: the home itself may lie in a hidden folder.
        if any(part.startswith(".") for part in parts) or _is_system_folder(path, environ, system):
            return True
    return False


def _has_hidden_meaning(folder: str) -> bool:
    """Whether Windows finds a folder by other rules than its text shows.

    1. `\\\\?\\C:\\x` and `\\\\.\\C:\\x` are the disk's own names: no comparison knows C:\\x in them again.
    2. `\\\\host\\C$` is a whole disk, of this machine, too.
    3. `C:x` and `\\x` begin at where the process happens to stand.
    """
    path = PureWindowsPath(folder)
    share = path.drive.startswith("\\\\")
    if share and (path.drive[2:4] in ("?\\", ".\\") or "$" in path.drive):
        return True
    return not path.is_absolute() and bool(path.drive or path.root)


def _is_system_folder(path: Path, environ: Mapping[str, str], system: str) -> bool:
    if path == Path(path.anchor):
        return True
    if system == "win32":
        folders = [environ[name] for name in _WINDOWS_VARIABLES if environ.get(name)]
        return any(_is_below(path, Path(folder)) for folder in folders)
    # A stick is mounted there; the folder of all mounts itself is the system's.
    if any(_is_below(path, Path(folder)) and path != Path(folder) for folder in _USER_FOLDERS):
        return False
    if system == "darwin" and _is_below(path, Path.home() / "Library"):
        return True
    folders = _SYSTEM_FOLDERS.get(system, _SYSTEM_FOLDERS["linux"]).split()
    return any(_is_below(path, Path(folder)) for folder in folders)


def _is_below(path: Path, folder: Path) -> bool:
    one, other = os.path.normcase(path), os.path.normcase(folder)
    return Path(one) == Path(other) or Path(other) in Path(one).parents


def _folders_in(
    values: Any, key: str = "", *, is_folder_table: bool = False
) -> Iterator[tuple[str, str]]:
    """Key and value of every folder in nested settings, whatever shape a program gave them."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            path = f"{key}.{name}" if key else str(name)
            if isinstance(value, str):
                if (is_folder_table or name in _FOLDER_KEYS) and value:
                    yield path, value
            else:
                yield from _folders_in(value, path, is_folder_table=path == "folders")
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _folders_in(value, f"{key}[{index}]")


def _value_at(values: Any, key: str) -> Any:
    for name in key.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
