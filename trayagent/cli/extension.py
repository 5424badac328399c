"""`extension`: the browser extension, out of the program and into the browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import click

from trayagent.cli.desktop import can_show
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.desktop import browser_extension, native_messaging

STEPS: Final = {
    "Chrome, Chromium, Edge, Brave": (
        "Open chrome://extensions and switch on “Developer mode”.",
        "Choose “Load unpacked” and pick the folder “{chromium}”.",
        "The extension says hello; press “Pair now” there.",
    ),
    "Firefox": (
        "Open about:debugging#/runtime/this-firefox",
        "Choose “Load Temporary Add-on…” and pick {xpi}",
        "The extension says hello; press “Pair now” there.",
    ),
}
"""How the extension comes into each family of browsers."""


@click.command()
@click.option(
    "--open/--no-open",
    "opens",
    default=None,
    help="Open the folder, or not; by default where there is a desktop.",
)
@click.option("--register", is_flag=True, help="Only let the browsers find trayagent.")
@click.option("--remove", is_flag=True, help="Remove the folder, and what browsers know of us.")
@json_option
@pass_screen
def extension(screen: Screen, opens: bool | None, register: bool, remove: bool) -> None:
    """Unpack the browser extension, and open its folder."""
    place = home()
    registration = native_messaging.registration(place.data)
    folder = browser_extension.folder_in(place)
    if remove:
        registration.unregister()
        browser_extension.remove(folder)
        screen.say("The extension's folder is gone. Remove the extension in the browser, too.")
        return
    # Registered again each time: a browser may have come since, or this program may have moved.
    browsers = registration.register()
    if register:
        screen.say(f"Browsers that can start trayagent: {', '.join(browsers) or 'none'}.")
        return
    unpacked = browser_extension.unpack(folder)
    if screen.json:
        screen.data(
            {
                "folder": str(unpacked.folder),
                "chromium": str(unpacked.chromium),
                "zip": str(unpacked.zip),
                "xpi": str(unpacked.xpi),
                "version": unpacked.version,
                "browsers": browsers,
            }
        )
    else:
        screen.say(f"The extension {unpacked.version} is in {unpacked.folder}")
        # The steps of the browser that this person uses come first.
        for family in sorted(STEPS, key=lambda family: (family == "Firefox") != _uses_firefox()):
            screen.say(f"\n{family}:")
            for number, step in enumerate(STEPS[family], 1):
                words = step.format(chromium=unpacked.chromium, xpi=unpacked.xpi)
                screen.say(f"  {number}. {words}")
    if opens or (opens is None and not screen.json and can_show(os.environ)):
        from trayagent.desktop import opener

        opener.open_folder(unpacked.folder)


def _uses_firefox() -> bool:
    """Whether Firefox is the browser of this desktop, as far as it says."""
    # Elsewhere no command tells it: both families are listed there, Chrome's first.
    if sys.platform != "linux":
        return False
    try:
        done = subprocess.run(
            ["xdg-settings", "get", "default-web-browser"],
            capture_output=True, text=True, timeout=2, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return "firefox" in Path(done.stdout.strip()).name.lower()
