"""Logs that rotate and hold no secret: no query string, whoever logs the address."""

from __future__ import annotations

import logging
import os
import re
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from trayagent.model import urls

_ADDRESS: Final = re.compile(r"https?://[^\s'\"<>]*", re.IGNORECASE)
_SECRET: Final = re.compile(
    r"\b(authorization|cookie|set-cookie|x-api-key|token|key|signature)(['\"]?\s{0,8}[:=]\s{0,8}['\"]?)"
    r"(?:(?:bearer|basic)\s{1,8})?[^\s,;'\"&]+",
    re.IGNORECASE,
)
MOST: Final = 64 * 1024
"""Characters of one entry; the rest of it is left out."""


def without_secrets(text: str) -> str:
    """The text without query strings, passwords in addresses, and values of secret headers."""
    return _SECRET.sub(r"\1\2…", _ADDRESS.sub(lambda address: urls.redact(address[0]), text))


class _Redacting(logging.Formatter):
    """The last gate before the disk; tracebacks of foreign code pass through it too."""

    def format(self, record: logging.LogRecord) -> str:
        # Cut before it is searched: an entry may quote megabytes of a foreign answer.
        text = super().format(record)
        return without_secrets(text if len(text) <= MOST else f"{text[:MOST]}…")


class _PrivateFile(RotatingFileHandler):
    """5 files of 2 MB, readable by the user alone; a full or missing disk never stops the work."""

    def _open(self):  # type: ignore[no-untyped-def]  # noqa: ANN202 - typed differently in every Python
        stream = super()._open()
        os.chmod(self.baseFilename, 0o600)
        return stream

    def doRollover(self) -> None:  # noqa: N802 - logging's own name
        """Begin a new file, unless Windows does not let go of this one because somebody reads it.

        `trayagent logs --follow` does. The older files would move up at each try all the same, and be
        lost one after the other: so this one grows on until nobody reads it.
        """
        if sys.platform == "win32":
            if self.stream is not None:
                self.stream.close()
                self.stream = None  # type: ignore[assignment,unused-ignore]
            log, spare = Path(self.baseFilename), Path(f"{self.baseFilename}.turn")
            try:
                log.rename(spare)
                spare.rename(log)
            except OSError:
                return  # it is opened again for the next entry
        super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Nothing: there is no place left to complain."""


def prepare(folder: Path) -> str | None:
    """Make the folder of the logs, 0700; or say why no log can be kept there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = folder.stat()
        if sys.platform != "win32":
            if seen.st_uid != os.geteuid():
                return f"{folder} belongs to another user."
            folder.chmod(0o700)
    except FileExistsError:
        return f"{folder} is in the way; it is not a folder."
    except OSError as error:
        return f"{folder} cannot be used ({error.strerror})."
    return None


def start(folder: Path) -> logging.Handler:
    """Log to `folder`/trayagent.log; returns the handler, to be closed at the end.

    Where no log can be kept, the program works all the same: this is said, and the log goes to
    standard error.
    """
    # `delay`: the file is made with the first line, so that a command that logs nothing leaves none.
    problem = prepare(folder)
    handler: logging.Handler
    if problem is None:
        handler = _PrivateFile(
            folder / "trayagent.log",
            maxBytes=2_000_000,
            backupCount=4,
            encoding="utf-8",
            delay=True,
        )
    else:
        handler = logging.StreamHandler()
    handler.setFormatter(_Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    wanted = os.environ.get("TRAYAGENT_LOG", "").upper()
    root.setLevel(wanted if wanted in logging.getLevelNamesMapping() else logging.INFO)
    if problem is not None:
        logging.getLogger(__name__).warning("No log is kept: %s", problem)
    return handler


def stop(handler: logging.Handler) -> None:
    """Take the handler off and close its file."""
    logging.getLogger().removeHandler(handler)
    handler.close()
