"""A session starts the program on a real panel: its icon shows, every way in works, and a notification says so."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import pytest

from tests.desktop import popups, rig
from tests.packaging.scripts import PACKAGING, ROOT

WATCHER = "org.kde.StatusNotifierWatcher"


def icons(desktop: rig.Desktop) -> list[str]:
    """What the panel shows."""
    answer = desktop.call(
        WATCHER, "/StatusNotifierWatcher", "org.freedesktop.DBus.Properties",
        "Get", "ss", WATCHER, "RegisteredStatusNotifierItems",
    )  # fmt: skip
    return list(answer[0]) if answer else []


async def smoked(desktop: rig.Desktop, program: list[str]) -> tuple[int, str, bool, list[str]]:
    """Exit code and words of the smoke test, whether the icon was seen, and the titles of notifications."""
    async with popups.serving(desktop.env["DBUS_SESSION_BUS_ADDRESS"], "body", "actions") as shown:
        process = await asyncio.create_subprocess_exec(
            sys.executable, PACKAGING / "smoke.py", *program,
            env=desktop.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        said, seen = "", False
        while line := (await process.stdout.readline()).decode():
            said += line
            seen = seen or bool(await asyncio.to_thread(icons, desktop))
        return await process.wait(), said, seen, [one["title"] for one in shown.asked]


def walks(program: list[str]) -> None:
    """The whole walk on an Xfce panel of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True) as folder,
        rig.desktop(Path(folder, "d"), "xfce") as desktop,
    ):
        code, said, seen, titles = asyncio.run(smoked(desktop, program))
    assert code == 0, said
    assert said.count("ok ") == 5
    assert seen, "the icon was never on the panel"
    assert titles.count("Download finished") == 1


pytestmark = [
    pytest.mark.desktop,
    pytest.mark.needs("openbox", "xsetroot", "xfce4-panel"),
    pytest.mark.skipif("sys.platform != 'linux'"),
]


@pytest.mark.timeout(120)
def test_the_checkout(tmp_path: Path) -> None:
    program = tmp_path / "trayagent"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m trayagent "$@"\n')
    program.chmod(0o755)
    walks([str(program)])
