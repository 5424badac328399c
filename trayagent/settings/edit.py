"""Changing config.toml: checked first, comments and order kept, and replaced in one step."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trayagent.files import retry_shared
from trayagent.model.errors import ConfigError
from trayagent.model.settings import Config
from trayagent.settings.home import Home
from trayagent.settings.load import build, parse


def change(
    home: Home,
    environ: Mapping[str, str],
    changes: Mapping[str, Any],
    flags: Mapping[str, str] | None = None,
) -> Config:
    """Write nested `changes` (`{"downloads": {"workers": 8}}`) to config.toml and return the settings now in force.

    None takes a key out, so that its default holds again; `sources` is the whole new list. Raises
    ConfigError, and writes nothing, unless the settings are all right afterwards; OSError if it cannot write.
    """
    from trayagent.settings.document import apply  # a big library, and few starts change anything

    try:
        before = home.config.read_bytes()
    except FileNotFoundError:
        before = b""
    try:
        text = before.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(["config.toml is not text in UTF-8."]) from error
    after = apply(text, changes).encode()
    config = build(home, parse(after), environ, flags or {})
    if after != before:
        replace(home.config, after)
    return config


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the place of a private file in one step; through a link, its target is replaced.

    Whoever looks sees the old or the new file, whole, also after a power cut. Blocks (fsync).
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        retry_shared(lambda: Path(name).replace(target))
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
