"""Programs that were made for aria2 or MeTube, where they are found: FOREIGN_CLIENTS names their folder.

They are run where they lie, and nothing of them is ours. One folder each:

    ariang                    AriaNg's source with what `npm install --omit=dev` puts beside it, or its release
    aria2-explorer            the extension, unpacked
    aria2-integration         the extension as `vite build --mode chromium` makes it
    download-with-aria2       the extension: its `chromium`, with its `chromium_mv3` laid over it
    metube-browser-extension  the extension's `src`
    npm                       where `npm install aria2 @baptistecdr/aria2 ws` was said
"""

import os
from pathlib import Path

import pytest


def find(name: str) -> Path:
    """The folder of a client; skips the test where there is none."""
    folder = os.environ.get("FOREIGN_CLIENTS", "")
    if not folder:
        pytest.skip("FOREIGN_CLIENTS names no folder with other people's clients")
    found = Path(folder, name)
    if not found.is_dir():
        pytest.skip(f"there is no {name} in FOREIGN_CLIENTS")
    return found
