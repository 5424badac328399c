"""Files a person no longer wants go to the desktop's trash, never to nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path


class Trash:
    """Send2Trash, off the loop."""

    async def put(self, path: Path) -> None:
        """Move a file to the trash; nothing happens when it is gone already.

        Raises OSError when the trash will not have it (then the file stays).
        """
        await asyncio.to_thread(_put, path)


def _put(path: Path) -> None:
    from send2trash import send2trash

    if path.is_symlink() or path.exists():
        send2trash(path)
