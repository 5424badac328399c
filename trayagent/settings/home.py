"""Where an installation keeps its files: one folder of the user's choice, or the platform's folders."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from trayagent.model.errors import ConfigError

_NAME = "trayagent"


class Home(Struct, frozen=True):
    """The paths of one installation, all absolute; none need exist yet."""

    data: Path
    """Our own folder, 0700: nobody else looks in or plants something there."""
    config: Path
    database: Path
    runtime: Path
    token: Path
    lock: Path
    secrets_dir: Path
    logs: Path
    drop: Path
    """Default of `drop.folder`; likewise the next two."""
    downloads: Path
    library: Path
    portable: bool = False
    """Whether `TRAYAGENT_HOME` holds everything."""

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Home:
        """The home that `TRAYAGENT_HOME` names, else the platform's folders."""
        # An empty variable is one that somebody wanted to unset.
        chosen = environ.get("TRAYAGENT_HOME", "").strip()
        return cls.under(Path(chosen)) if chosen else cls.of_platform()

    @classmethod
    def under(cls, folder: Path) -> Home:
        """Everything under one folder: portable use and tests."""
        root = folder.expanduser().absolute()
        return cls._at(
            root,
            config=root / "config.toml",
            logs=root / "logs",
            drop=root / "drop",
            downloads=root / "downloads",
            library=root / "library",
            portable=True,
        )

    @classmethod
    def of_platform(cls) -> Home:
        """The folders that the platform gives to its users' programs.

        The runtime file lies with our data, not in XDG_RUNTIME_DIR: that is set in some sessions of a
        user and missing in others, which would then not find each other, and its usual stand-in under
        /tmp is open to everybody.
        """
        import platformdirs  # slow to load, and not asked where TRAYAGENT_HOME says it all

        dirs = platformdirs.PlatformDirs(_NAME, appauthor=False)
        return cls._at(
            dirs.user_data_path,
            config=dirs.user_config_path / "config.toml",
            logs=dirs.user_log_path,
            drop=_unless_home(dirs.user_documents_path, "Documents") / _NAME / "drop",
            downloads=_unless_home(dirs.user_downloads_path, "Downloads"),
            library=_unless_home(dirs.user_pictures_path, "Pictures") / _NAME,
        )

    @classmethod
    def _at(
        cls,
        data: Path,
        *,
        config: Path,
        logs: Path,
        drop: Path,
        downloads: Path,
        library: Path,
        portable: bool = False,
    ) -> Home:
        return cls(
            data=data,
            config=config,
            database=data / "trayagent.db",
            runtime=data / "runtime.json",
            token=data / "token",
            lock=data / "trayagent.lock",
            secrets_dir=data / "secrets",
            logs=logs,
            drop=drop,
            downloads=downloads,
            library=library,
            portable=portable,
        )

    def prepare(self) -> None:
        """Make our own folders, each 0700; the user's folders are made when they are needed.

        Raises ConfigError when a folder is not the user's own, OSError when it cannot be made.
        """
        for folder in (self.data, self.config.parent, self.secrets_dir):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(folder)
        # Without a log everything still works: `logs.start` says what is in the way.
        with contextlib.suppress(OSError, ConfigError):
            self.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(self.logs)


def _unless_home(folder: Path, name: str) -> Path:
    """A folder of the desktop. It names the home itself for one that was deleted: ours may not overlap."""
    # xdg-user-dirs does that (user-dirs.dirs): without this, downloads would fill the home itself.
    return folder / name if folder == Path.home() else folder


def _make_private(folder: Path) -> None:
    if sys.platform == "win32":
        return  # a profile's folders are private there already
    seen = folder.stat()
    # Another user's folder, or one like /tmp: others could put a token or a database there before us.
    if seen.st_uid != os.geteuid() or seen.st_mode & stat.S_ISVTX:
        raise ConfigError(
            [f"{folder} is shared with others; choose a folder of your own as TRAYAGENT_HOME."]
        )
    if stat.S_IMODE(seen.st_mode) & 0o077:
        folder.chmod(0o700)
