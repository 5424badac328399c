"""The folder that finished files move to is often one that others write to, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.links import link
from trayagent.model.errors import DownloadError
from trayagent.targets.folder import copy_verified


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
