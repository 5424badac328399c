"""What the bytes are that people download: writes dist/SHA256SUMS-NAME, which `sha256sum -c` reads.

python packaging/sums.py NAME [FOLDER]

Each machine of a release writes one of what it has built, before anything is sent on; the release
checks them all. Only files count: the folder of the frozen program is inside the installer.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from stamp import ROOT

PREFIX = "SHA256SUMS-"


def write(name: str, folder: Path) -> Path:
    """Write down the sum of each file in `folder`, by name; other lists of sums aside."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    lines = []
    for path in files:
        if path.name.startswith(PREFIX):
            continue
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    if not lines:
        sys.exit(f"{folder} has no file to take a sum of.")
    sums = folder / f"{PREFIX}{name}"
    # The same bytes on every system: sha256sum takes a carriage return for a part of the name.
    sums.write_text("".join(lines), "utf-8", newline="\n")
    return sums


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    print(write(sys.argv[1], Path(sys.argv[2]) if sys.argv[2:] else ROOT / "dist"))
