"""Through the hook nobody chooses a hidden folder or the system's; in the file a person may."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from trayagent.model.errors import ConfigError
from trayagent.settings.rules import check_folders, is_forbidden_folder

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")


@POSIX
@pytest.mark.parametrize(
    "folder",
    [
        *(
            "~/.ssh",
            "~/.config/autostart",
            "~/.local/bin/x",
            "~/a/../.ssh",
            "~/.ssh/.",
            "/tmp/.x/y",
        ),
        *(
            "/",
            "/etc",
            "/etc/cron.d",
            "/usr/local/bin",
            "/var/spool/cron",
            "/run",
            "/dev/shm/../../etc",
        ),
        *("/opt", "/boot/efi", "/run/media", "/var/tmp/../spool"),
    ],
)
def test_hidden_and_system_folders_are_refused(folder: str) -> None:
    assert is_forbidden_folder(folder, system="linux")
    for changes in (
        {"downloads": {"folder": folder}},
        {"library": {"folder": folder}},
        {"move": {"to": folder}},
        {"folders": {"video": folder}},
        {"folders": {"example.com": folder}},
        {"engines": [{"name": "x", "folder": folder}]},
    ):
        with pytest.raises(ConfigError):
            check_folders(changes, {})


@POSIX
@pytest.mark.parametrize(
    "folder",
    [
        "~/Downloads",
        "~/x.y",
        "/mnt/nas/media",
        "/run/media/me/disk",
        "/media/me/x",
        "/srv/films",
    ],
)
def test_others_are_fine(folder: str) -> None:
    assert not is_forbidden_folder(folder, system="linux")
    check_folders({"downloads": {"folder": folder, "workers": 3}, "folders": {"video": folder}}, {})


@POSIX
def test_a_link_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "innocent").symlink_to(tmp_path / ".hidden")
    (tmp_path / "system").symlink_to("/etc")
    assert is_forbidden_folder(str(tmp_path / "innocent" / "x"))
    assert is_forbidden_folder(str(tmp_path / "system"))
    assert not is_forbidden_folder(str(tmp_path / "visible"))


def test_what_is_set_already_may_stay() -> None:
    now = {"downloads": {"folder": "/home/me/.mine"}}
    check_folders({"downloads": {"folder": "/home/me/.mine", "workers": 2}}, now)
    with pytest.raises(ConfigError, match=r"downloads\.folder"):
        check_folders({"downloads": {"folder": "/home/me/.other"}}, now)


def test_folders_of_kinds_inside_downloads_are_no_hidden_ones() -> None:
    check_folders({"folders": {"video": "Videos", "image": "a/b"}}, {})


@pytest.mark.parametrize(
    "folder",
    [
        r"\\?\C:\Windows\System32",
        r"\\?\UNC\nas\films",
        "//?/C:/Users/me",
        r"\\.\C:\Users\me\Downloads",
        r"\\localhost\C$\Windows",
        r"\\127.0.0.1\c$",
        r"\Windows\System32",
        "/Windows",
        "C:Windows",
        "D:",
    ],
)
def test_a_path_of_windows_that_means_more_than_it_shows_is_refused(folder: str) -> None:
    assert is_forbidden_folder(folder, system="win32")


@pytest.mark.parametrize("folder", [r"Videos\new", "a/b", r"~\Videos"])
def test_a_path_below_another_means_what_it_shows(folder: str) -> None:
    assert not is_forbidden_folder(folder, {}, "win32")


@pytest.mark.skipif(sys.platform != "win32", reason="paths of Windows")
def test_a_folder_of_a_share_may_be_chosen() -> None:
    assert not is_forbidden_folder(r"\\nas\films\new")


@pytest.mark.skipif(sys.platform != "win32", reason="paths of Windows")
def test_windows_has_its_own() -> None:
    assert is_forbidden_folder(r"C:\\Windows\\System32")
    assert is_forbidden_folder("C:\\\\")
