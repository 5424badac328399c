"""Files that only the user may read: tokens, keys, secrets, where the agent is."""

from __future__ import annotations

import os
from pathlib import Path

from trayagent.files import retry_shared


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, never half written, by one that only its owner can read. Blocking."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    retry_shared(lambda: fresh.unlink(missing_ok=True))
    # O_EXCL: a file or link that somebody put there is never written through.
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    retry_shared(lambda: os.replace(fresh, path))
