"""Logs that rotate and hold no secret: no query string, whoever logs the address."""

from __future__ import annotations

import logging
import os
import re
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

_QUERY: Final = re.compile(r"(https?://)(?:[^\s/@?#]*@)?([^\s?#'\"<>]*)[?#][^\s'\"<>]*")
_SECRET: Final = re.compile(
    r"(?i)\b(authorization|cookie|set-cookie|x-api-key|token|key|signature)(['\"]?\s*[:=]\s*['\"]?)(?:bearer\s+|basic\s+)?[^\s,;'\"&]+"
)


def redacted(text: str) -> str:
    """The text without query strings, passwords in addresses, and values of secret headers."""
    return _SECRET.sub(r"\1\2…", _QUERY.sub(r"\1\2", text))


class _Redacting(logging.Formatter):
    """The last gate before the disk; tracebacks of foreign code pass through it too."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class _PrivateFile(RotatingFileHandler):
    """5 files of 2 MB, readable by the user alone; a full or missing disk never stops the work."""

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - typed differently in every Python
        stream = super()._open()
        os.chmod(self.baseFilename, 0o600)
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Nothing: there is no place left to complain."""


def start(folder: Path) -> logging.Handler:
    """Log to `folder`/trayagent.log; returns the handler, to be closed at the end."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _PrivateFile(
        folder / "trayagent.log", maxBytes=2_000_000, backupCount=4, encoding="utf-8", delay=True
    )
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    wanted = os.environ.get("TRAYAGENT_LOG", "").upper()
    root.setLevel(wanted if wanted in logging.getLevelNamesMapping() else logging.INFO)
    return handler


def stop(handler: logging.Handler) -> None:
    """Take the handler off and close its file."""
    logging.getLogger().removeHandler(handler)
    handler.close()
