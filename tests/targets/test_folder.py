"""The folder that finished files move to is often one that others write to, too."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from tests.links import link
from trayagent.model.errors import DownloadError
from trayagent.targets.folder import FolderTarget, copy_verified


def test_a_link_in_the_place_of_a_part_is_not_written_through(tmp_path: Path) -> None:
    """Its name is known to whoever has seen an earlier try that was cut off."""
    source, mine, part = tmp_path / "source", tmp_path / "mine", tmp_path / "share" / ".a.part"
    source.write_bytes(b"a film")
    mine.write_bytes(b"my letters")
    part.parent.mkdir()
    link(part, mine)
    copy_verified(source, part)
    assert mine.read_bytes() == b"my letters"
    assert (part.read_bytes(), part.is_symlink()) == (b"a film", False)


def test_a_part_of_an_earlier_run_is_made_anew(tmp_path: Path) -> None:
    source, part = tmp_path / "source", tmp_path / ".a.part"
    source.write_bytes(b"a film")
    part.write_bytes(b"a film that was longer")
    copy_verified(source, part)
    assert part.read_bytes() == b"a film"


def test_what_is_in_the_way_of_its_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"a film")
    (tmp_path / "Films").write_bytes(b"a file")
    with pytest.raises(DownloadError, match="is where the folder should be"):
        copy_verified(tmp_path / "source", tmp_path / "Films" / ".a.part")


@pytest.mark.parametrize(("now", "stays"), [(b"a film", False), (b"a FILM", True), (b"", True)])
async def test_what_somebody_changed_after_the_copy_is_not_removed(
    tmp_path: Path, now: bytes, stays: bool
) -> None:
    """Not even when it is as long as before: a tag in a song may be changed in place."""
    source, place = tmp_path / "here.mp3", tmp_path / "there.mp3"
    place.write_bytes(b"a film")
    source.write_bytes(now)

    target = FolderTarget(tmp_path, asyncio.to_thread)
    await target.remove_source(source, str(place), hashlib.sha256(b"a film").hexdigest())

    assert source.exists() == stays
    assert place.read_bytes() == b"a film"
