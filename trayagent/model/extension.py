"""The browser extension as it lies unpacked, for people to bring it into their browser."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class ExtensionFiles(Struct, frozen=True):
    """Where the extension lies."""

    folder: Path
    """Holds the other three."""
    chromium: Path
    """The folder for “Load unpacked”."""
    zip: Path
    """For the stores of Chromium browsers."""
    xpi: Path
    version: str
