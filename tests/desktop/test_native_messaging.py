"""Browsers find the program that starts us, only our extension may use it, and it can be taken back."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest

from trayagent.desktop import browser_extension
from trayagent.desktop.autostart import Command
from trayagent.desktop.native_messaging import BROWSERS, HOST, Registration, manifest

folders = pytest.mark.skipif("sys.platform == 'win32'", reason="Windows has keys, not folders")
PLACES = {
    ".config/chromium/NativeMessagingHosts": "allowed_origins",
    ".config/google-chrome/NativeMessagingHosts": "allowed_origins",
    ".config/microsoft-edge/NativeMessagingHosts": "allowed_origins",
    ".mozilla/native-messaging-hosts": "allowed_extensions",
}


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of a person who has used four browsers."""
    monkeypatch.setattr("sys.platform", "linux")
    for place in PLACES:
        (tmp_path / "person" / place).parent.mkdir(parents=True)
    return tmp_path / "person"


@folders
def test_each_browser_gets_a_manifest_that_names_our_extension_alone(
    user: Path, tmp_path: Path
) -> None:
    names = Registration(tmp_path / "ours", user, Command(("/bin/true",))).register()
    assert {"Chromium", "Chrome", "Edge", "Firefox"} <= set(names)
    for place, key in PLACES.items():
        written = json.loads((user / place / f"{HOST}.json").read_text())
        assert (written["name"], written["type"]) == (HOST, "stdio")
        assert Path(written["path"]).is_absolute()
        assert len(written[key]) == 1


@folders
def test_the_program_starts_us_with_our_home_and_the_browsers_words(
    user: Path, tmp_path: Path
) -> None:
    awkward = tmp_path / "it's a home"
    script = 'echo "$TRAYAGENT_HOME|$1|$2"'
    command = Command(
        ("/bin/sh", "-c", script, "sh", "native-host"), {"TRAYAGENT_HOME": str(awkward)}
    )
    Registration(tmp_path / "ours", user, command).register()
    program = tmp_path / "ours/native-host"
    done = subprocess.run(
        [program, "chrome-extension://x/"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{awkward}|native-host|chrome-extension://x/"
    assert program.stat().st_mode & 0o077 == 0


@folders
def test_taking_it_back_leaves_nothing_and_may_be_done_twice(user: Path, tmp_path: Path) -> None:
    registration = Registration(tmp_path / "ours", user, Command(("/bin/true",)))
    registration.register()
    registration.unregister()
    registration.unregister()
    assert list(user.rglob(f"{HOST}.json")) == []
    assert not (tmp_path / "ours").exists()


@folders
def test_a_browser_that_is_not_here_gets_no_folder(
    user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    Registration(tmp_path / "ours", user, Command(("/bin/true",))).register()
    assert not (user / ".config/BraveSoftware").exists()


@folders
def test_macs_have_places_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    support = tmp_path / "Library/Application Support"
    for browser in BROWSERS:
        (support / browser.darwin).mkdir(parents=True)
    Registration(tmp_path / "ours", tmp_path, Command(("/bin/true",))).register()
    assert (support / f"Google/Chrome/NativeMessagingHosts/{HOST}.json").exists()
    assert (support / f"Mozilla/NativeMessagingHosts/{HOST}.json").exists()


def test_the_names_are_those_of_the_extension() -> None:
    """A Chromium's id is the first half of its key's SHA-256, in letters from a to p."""
    source = json.loads((browser_extension.source_folder() / "manifest.json").read_text())
    digest = hashlib.sha256(b64decode(source["key"])).hexdigest()[:32]
    id = "".join(chr(ord("a") + int(digit, 16)) for digit in digest)
    assert json.loads(manifest("chromium", "/x"))["allowed_origins"] == [
        f"chrome-extension://{id}/"
    ]
    gecko = source["browser_specific_settings"]["gecko"]
    assert json.loads(manifest("firefox", "/x"))["allowed_extensions"] == [gecko["id"]]


@pytest.mark.skipif("sys.platform != 'win32'", reason="only Windows has a registry")
def test_windows_finds_it_in_the_registry(tmp_path: Path) -> None:
    if sys.platform != "win32":
        return
    import winreg

    script = "import os, sys; print(os.environ['TRAYAGENT_HOME'], *sys.argv[1:], sep='|')"
    (tmp_path / "says.py").write_text(script)
    command = Command((sys.executable, str(tmp_path / "says.py")), {"TRAYAGENT_HOME": "C:\\a b"})
    registration = Registration(tmp_path / "ours", tmp_path, command)
    names = registration.register()
    assert names == tuple(browser.name for browser in BROWSERS)
    for company in (r"Google\Chrome", r"Microsoft\Edge", "Chromium", "Mozilla"):
        key = rf"Software\{company}\NativeMessagingHosts\{HOST}"
        written = json.loads(Path(winreg.QueryValue(winreg.HKEY_CURRENT_USER, key)).read_text())
        done = subprocess.run(
            [written["path"], "chrome-extension://x/"], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "C:\\a b|chrome-extension://x/"
    registration.unregister()
    registration.unregister()
    with pytest.raises(FileNotFoundError):
        winreg.OpenKey(winreg.HKEY_CURRENT_USER, rf"Software\Mozilla\NativeMessagingHosts\{HOST}")
