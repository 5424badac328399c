"""The Windows installer, from a folder with the frozen program; makensis compiles it on Linux, too.

python packaging/installer.py FOLDER [OUT]
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from stamp import ROOT, epoch

sys.path.insert(0, str(ROOT))

from trayagent import __version__


def build(app: Path, out: Path) -> Path:
    """Make the installer of the frozen program in `app`, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    setup = out.absolute() / f"trayagent-{__version__}-setup.exe"
    values = {"VERSION": __version__, "PAYLOAD": app.absolute(), "OUT": setup, "ROOT": ROOT}
    subprocess.run(
        [
            "makensis", "-V2", "-WX", "-INPUTCHARSET", "UTF8",
            *(f"-D{name}={value}" for name, value in values.items()),
            str(ROOT / "packaging/windows/trayagent.nsi"),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
        check=True,
    )  # fmt: skip
    return setup


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit(__doc__)
    print(build(Path(sys.argv[1]), Path((sys.argv[2:] or ["dist"])[0])))
