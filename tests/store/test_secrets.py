"""The files of cookies and secret headers: found again after a restart, nobody else's, gone with their download."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import keyring.backends.fail
import keyring.errors
import pytest

from tests.links import link
from tests.privacy import is_private
from trayagent.model.downloads import Cookie
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.jobs import DownloadSecrets
from trayagent.store import secrets
from trayagent.store.secrets import Keyring, SecretFile, SecretFiles, Vault

SECRETS = DownloadSecrets({"X-Key": "k"}, (Cookie("sid", "1", "h.example"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def test_what_an_earlier_run_kept_is_there_after_a_restart_and_can_be_erased(folder: Path) -> None:
    """A download that waited through a restart still has its cookies; when it settles, they go."""
    SecretFiles(folder).keep("d1", SECRETS)
    again = SecretFiles(folder)
    again.sweep(lambda id: id == "d1")
    assert again.has("d1")
    assert again.load("d1") == SECRETS
    again.erase("d1")
    assert not again.has("d1")
    assert list(folder.iterdir()) == []


def test_what_no_download_needs_any_more_is_erased_at_the_start(folder: Path) -> None:
    """A crash between the last row and the erasing leaves no cookie behind for long."""
    before = SecretFiles(folder)
    before.keep("d1", SECRETS)
    before.keep("d2", SECRETS)
    again = SecretFiles(folder)
    again.sweep(lambda id: id == "d2")
    assert not again.has("d1")
    assert [path.name for path in folder.iterdir()] == ["d2.json"]


def test_a_start_without_the_folder_finds_nothing(folder: Path) -> None:
    """The folder is made with the first secret, and not before."""
    files = SecretFiles(folder)
    files.sweep(lambda _: True)
    assert not files.has("d1")
    assert not folder.exists()


def test_a_number_given_anew_does_not_inherit_secrets(folder: Path) -> None:
    """The commit behind the first keep failed: the next download of that number gets none of it."""
    files = SecretFiles(folder)
    files.keep("d1", SECRETS)
    files.keep("d1", DownloadSecrets())
    assert not files.has("d1")
    assert not files.load("d1")
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are a thing of POSIX")
def test_secrets_are_for_their_owners_eyes_only(folder: Path) -> None:
    """Neither the folder nor a file in it can be read by anybody else."""
    SecretFiles(folder).keep("d1", SECRETS)
    assert is_private(folder)
    assert is_private(folder / "d1.json")


def test_secrets_are_on_the_disk_before_their_download_is_accepted(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut behind the row leaves no download that lacks its cookies."""
    synced, sync = list[int](), os.fsync

    def syncing(fd: int) -> None:
        assert os.fstat(fd).st_size > 0
        synced.append(os.fstat(fd).st_ino)
        sync(fd)

    monkeypatch.setattr(os, "fsync", syncing)
    SecretFiles(folder).keep("d1", SECRETS)
    assert synced == [(folder / "d1.json").stat().st_ino]


def test_secrets_that_cannot_be_written_are_an_error_of_the_store(folder: Path) -> None:
    """The download is not accepted: without its cookies it would fetch the wrong thing."""
    folder.write_text("in the way")
    with pytest.raises(StoreUnavailableError):
        SecretFiles(folder).keep("d1", SECRETS)


class Box:
    """A keyring that keeps what it is given."""

    priority = 5.0

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0

    def get_password(self, service: str, name: str) -> str | None:
        self.asked += 1
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, value: str) -> None:
        self.kept[service, name] = value

    def delete_password(self, service: str, name: str) -> None:
        if self.kept.pop((service, name), None) is None:
            raise keyring.errors.PasswordDeleteError(name)


async def test_a_secret_comes_back_and_goes(tmp_path: Path) -> None:
    kept = Vault.open(tmp_path, {"TRAYAGENT_SECRETS": "file"})
    assert await kept.get("flow/session") is None
    await kept.set("flow/session", "s3cret")
    await kept.set("other/token", "t0ken")
    assert await Vault.open(tmp_path, {"TRAYAGENT_SECRETS": "file"}).get("flow/session") == "s3cret"
    await kept.delete("flow/session")
    await kept.delete("flow/session")
    assert (await kept.get("flow/session"), await kept.get("other/token")) == (None, "t0ken")
    assert repr(kept) == "<Vault in a file>"


class CredentialManager(Box):
    """Windows' own: an entry holds 2560 bytes."""

    def set_password(self, service: str, name: str, value: str) -> None:
        if len(value.encode("utf-16-le")) > 2560:
            raise OSError(22, "The stub received bad data", None, 1783)
        super().set_password(service, name, value)


@pytest.mark.parametrize("secret", ["c=" + "x" * 16_000, "ü" * 1300, "\U0001f511" * 4000, "short"])
def test_a_long_secret_is_kept_on_windows_too(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cookies of a login are longer than an entry there."""
    monkeypatch.setattr(sys, "platform", "win32")
    box = CredentialManager()
    for function in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(f"keyring.{function}", getattr(box, function))
    for value in (secret, secret[::-1], secret):
        Keyring().set("flow/session", value)
        assert Keyring().get("flow/session") == value
    assert len(box.kept) <= 2 + len(secret.encode("utf-16-le")) // 1200, "old pieces are gone"
    Keyring().delete("flow/session")
    assert box.kept == {}


def test_a_secret_of_which_a_piece_is_missing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    box = CredentialManager()
    for function in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(f"keyring.{function}", getattr(box, function))
    Keyring().set("flow/session", "x" * 5000)
    name = next(name for _, name in box.kept if "#" in name)
    box.delete_password(secrets.SERVICE, name)
    assert Keyring().get("flow/session") is None


@pytest.mark.skipif(os.name != "posix", reason="file modes are a thing of POSIX")
def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secrets.json"
    path.parent.mkdir()
    path.write_text("{}")
    path.chmod(0o644)
    trap = tmp_path / "elsewhere"
    link(path.with_suffix(".new"), trap)
    before = os.umask(0)
    try:
        SecretFile(path).set("a", "b")
    finally:
        os.umask(before)
    assert is_private(path)
    assert not trap.exists()


def test_a_damaged_file_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(b"\x00nonsense")
    assert SecretFile(path).get("a") is None


async def test_the_keyring_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box()
    monkeypatch.setattr(keyring, "get_keyring", lambda: box)
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, name, getattr(box, name))
    kept = Vault.open(tmp_path, {})
    await kept.set("flow/session", "s3cret")
    assert box.kept == {(secrets.SERVICE, "flow/session"): "s3cret"}
    assert await kept.get("flow/session") == "s3cret"
    await kept.delete("flow/session")
    await kept.delete("flow/session")
    assert (box.kept, list(tmp_path.iterdir()), repr(kept)) == ({}, [], "<Vault in a keyring>")


def test_a_keyring_is_not_asked_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    box, clock = Box(), [0.0]
    for name in ("get_password", "set_password", "delete_password"):
        monkeypatch.setattr(keyring, name, getattr(box, name))
    kept = Keyring(lambda: clock[0])
    assert [kept.get("a") for _ in range(5)] == [None] * 5
    assert box.asked == 1
    clock[0] = secrets.REST_SECONDS
    box.kept[secrets.SERVICE, "a"] = "s3cret"
    assert [kept.get("a") for _ in range(5)] == ["s3cret"] * 5
    assert box.asked == 2
    kept.delete("a")
    assert kept.get("a") is None


def test_opening_looks_for_nothing(tmp_path: Path) -> None:
    kept = Vault.open(tmp_path, {})
    assert repr(kept) == "<Vault in a place not yet found>"
    assert Vault.open(tmp_path, {"TRAYAGENT_SECRETS": "file"}).kind() == "file"


def test_a_keyring_that_keeps_nothing_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", keyring.backends.fail.Keyring)
    assert Keyring.find() is None
