"""New files and folders have the rights that the user's umask gives, like those of any program."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.servers.lying import Lying, Served
from tests.transfer.rig import noise, transferring
from trayagent.model.transfer import Content, Target

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077, 0])
async def test_files_and_folders_follow_the_umask(tmp_path: Path, mask: int) -> None:
    """A short file, a long one with its `.part`, and one that a source sent inline."""
    before = os.umask(mask)
    try:
        async with Lying() as server, transferring(tmp_path / "in", server.authority) as rig:
            folder = tmp_path / "in" / "shared" / "films"
            await rig.get(server.at("/short.bin", Served(noise(900))), folder=folder)
            long = Served(noise(2_000_000), rate=8_000_000)
            await rig.get(server.at("/long.bin", long), folder=folder)
            await rig.publish(Content(b"\0" * 9), Target(folder, filename="inline.bin"))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == dict.fromkeys(("short.bin", "long.bin", "inline.bin"), 0o666 & ~mask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o777 & ~mask
