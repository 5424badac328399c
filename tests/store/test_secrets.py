"""The files of cookies and secret headers: found again after a restart, nobody else's, gone with their download."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.privacy import is_private
from trayagent.model.download import Cookie
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.order import Secrets
from trayagent.store.secrets import SecretFiles

SECRETS = Secrets({"X-Key": "k"}, (Cookie("sid", "1", "h.example"),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def test_what_an_earlier_run_kept_is_there_after_a_restart_and_can_be_erased(folder: Path) -> None:
    """A download that waited through a restart still has its cookies; when it settles, they go."""
    SecretFiles(folder).keep("d1", SECRETS)
    again = SecretFiles(folder)
    again.sweep(lambda id: id == "d1")
    assert again.keeps("d1")
    assert again.load("d1") == SECRETS
    again.erase("d1")
    assert not again.keeps("d1")
    assert list(folder.iterdir()) == []


def test_what_no_download_needs_any_more_is_erased_at_the_start(folder: Path) -> None:
    """A crash between the last row and the erasing leaves no cookie behind for long."""
    before = SecretFiles(folder)
    before.keep("d1", SECRETS)
    before.keep("d2", SECRETS)
    again = SecretFiles(folder)
    again.sweep(lambda id: id == "d2")
    assert not again.keeps("d1")
    assert [path.name for path in folder.iterdir()] == ["d2.json"]


def test_a_start_without_the_folder_finds_nothing(folder: Path) -> None:
    """The folder is made with the first secret, and not before."""
    files = SecretFiles(folder)
    files.sweep(lambda _: True)
    assert not files.keeps("d1")
    assert not folder.exists()


def test_a_number_given_anew_does_not_inherit_secrets(folder: Path) -> None:
    """The commit behind the first keep failed: the next download of that number gets none of it."""
    files = SecretFiles(folder)
    files.keep("d1", SECRETS)
    files.keep("d1", Secrets())
    assert not files.keeps("d1")
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
