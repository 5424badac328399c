"""Secrets of sources are kept where only their owner can read them, and nowhere else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import keyring.backends.fail
import keyring.errors
import pytest

from tests.links import link
from tests.privacy import is_private
from trayagent.store import secrets
from trayagent.store.secrets import Keyring, SecretFile, Vault


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
    clock[0] = secrets.REST
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
