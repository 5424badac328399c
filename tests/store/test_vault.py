"""Secrets of sources are kept where only their owner can read them, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import keyring.backends.fail
import keyring.errors
import pytest

from trayagent.store import vault
from trayagent.store.vault import Keyring, SecretFile, Vault


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


@pytest.mark.skipif(os.name != "posix", reason="file modes are a thing of POSIX")
def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secrets.json"
    path.parent.mkdir()
    path.write_text("{}")
    path.chmod(0o644)
    trap = tmp_path / "elsewhere"
    path.with_suffix(".new").symlink_to(trap)
    before = os.umask(0)
    try:
        SecretFile(path).set("a", "b")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
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
    assert box.kept == {(vault.SERVICE, "flow/session"): "s3cret"}
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
    clock[0] = vault.REST
    box.kept[vault.SERVICE, "a"] = "s3cret"
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
