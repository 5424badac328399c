"""Folders that a program with our token may not choose for us: hidden ones, and the system's.

Who may change settings through the hook would else choose `~/.ssh` for downloads, and a page would
write the keys that open this account. In the file itself a person may name any folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from trayagent.model.errors import ConfigError

_KEYS: Final = frozenset({"folder", "to"})
"""Keys of the settings whose values are folders; those of the table `folders` are, too."""
_SYSTEM: Final = {
    "linux": "/bin /boot /dev /etc /lib /lib32 /lib64 /libx32 /opt /proc /run /sbin /sys /usr /var",
    "darwin": "/Applications /Library /System /bin /cores /dev /etc /opt /private/etc /private/var /sbin /usr /var",
}
_OPEN: Final = ("/run/media", "/run/user", "/private/var/folders")
"""Below the system's, but a user's or everybody's."""
_WINDOWS: Final = (
    "SystemRoot",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "ProgramData",
    "APPDATA",
    "LOCALAPPDATA",
)
"""Variables that name such folders."""


def check_folders(changes: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError for a folder in `changes` that may not be chosen; one that is so `now` may stay."""
    problems = [
        f"{key} may not be {folder}: it is a hidden folder, or the system's. Edit config.toml yourself."
        for key, folder in _folders(changes)
        if _value(now, key) != folder and is_kept_from(folder)
    ]
    if problems:
        raise ConfigError(problems)


def is_kept_from(
    folder: str, environ: Mapping[str, str] = os.environ, system: str = sys.platform
) -> bool:
    """Whether a folder, as written or as its links lead, is hidden, the system's, or a whole disk."""
    if not folder.startswith("~") and not Path(folder).is_absolute():  # inside the downloads folder
        return any(part.startswith(".") for part in Path(folder).parts)
    written = Path(os.path.abspath(os.path.expanduser(folder)))  # noqa: PTH100, PTH111  `..` goes first
    return any(
        _is_hidden(path) or _is_systems(path, environ, system)
        for path in (written, Path(os.path.realpath(written)))
    )


def _is_hidden(path: Path) -> bool:
    home = Path.home()
    parts = path.relative_to(home).parts if path.is_relative_to(home) else path.parts[1:]
    return any(part.startswith(".") for part in parts)


def _is_systems(path: Path, environ: Mapping[str, str], system: str) -> bool:
    if path == Path(path.anchor):
        return True
    if system == "win32":
        places = [Path(environ[name]) for name in _WINDOWS if environ.get(name)]
        return any(_is_below(path, place) for place in places)
    if any(_is_below(path, Path(place)) and path != Path(place) for place in _OPEN):
        return False
    if system == "darwin" and _is_below(path, Path.home() / "Library"):
        return True
    return any(
        _is_below(path, Path(place)) for place in _SYSTEM.get(system, _SYSTEM["linux"]).split()
    )


def _is_below(path: Path, place: Path) -> bool:
    one, other = os.path.normcase(path), os.path.normcase(place)
    return Path(one) == Path(other) or Path(other) in Path(one).parents


def _folders(values: Any, key: str = "", *, all_of_it: bool = False) -> Iterator[tuple[str, str]]:
    """Key and value of every folder in nested settings."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            path = f"{key}.{name}" if key else str(name)
            if isinstance(value, str):
                if (all_of_it or name in _KEYS) and value:
                    yield path, value
            else:
                yield from _folders(value, path, all_of_it=path == "folders")
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _folders(value, f"{key}[{index}]")


def _value(values: Any, key: str) -> Any:
    for name in key.split("."):
        values = values.get(name) if isinstance(values, Mapping) else None
    return values
