"""System programs that desktop, browser and peer tests start, and the Debian packages they come in."""

import os
import shutil

PACKAGES = {
    "Xvfb": "xvfb",
    "appstreamcli": "appstream",
    "aria2c": "aria2",
    "bash": "bash",
    "chromium": "chromium",
    "convert": "imagemagick",
    "curl": "curl",
    "dbus-daemon": "dbus-daemon",
    "desktop-file-validate": "desktop-file-utils",
    "dpkg-deb": "dpkg",
    "ffmpeg": "ffmpeg",
    "firefox-esr": "firefox-esr",
    "fish": "fish",
    "gdbus": "libglib2.0-bin",
    "git": "git",
    "ip": "iproute2",
    "lintian": "lintian",
    "lxqt-panel": "lxqt-panel",
    "makensis": "nsis",
    "mandoc": "mandoc",
    "nginx": "nginx-light",
    "openbox": "openbox",
    "pip3": "python3-pip",
    "sha256sum": "coreutils",
    "shellcheck": "shellcheck",
    "systemd-analyze": "systemd",
    "trayer": "trayer",
    "wget": "wget",
    "xdotool": "xdotool",
    "xfce4-notifyd-config": "xfce4-notifyd",
    "xfce4-panel": "xfce4-panel",
    "xprop": "x11-utils",
    "xsetroot": "x11-xserver-utils",
    "zsh": "zsh",
}
# Data that the programs above need to look like a desktop.
DATA = ("adwaita-icon-theme", "fonts-dejavu-core", "librsvg2-common")

DESKTOP = ("Xvfb", "xdotool", "xprop", "dbus-daemon")
BROWSER = ("chromium",)


def find(program: str) -> str | None:
    """Return the path of a program; servers live in sbin, which a user's PATH may lack."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def lacking(programs: tuple[str, ...]) -> str | None:
    """Return what is missing and how to install it, or None when all is there."""
    missing = [program for program in programs if find(program) is None]
    if not missing:
        return None
    packages = sorted({PACKAGES[program] for program in missing})
    return f"needs {', '.join(missing)}: sudo apt install {' '.join(packages)}"
