"""A file that somebody else made is checked, moved and named like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transfer.rig import mp4, transferring
from trayagent.model.errors import DownloadError
from trayagent.model.transfer import Content, Made, Target


async def test_a_made_file_is_moved_to_its_name(tmp_path: Path) -> None:
    made = tmp_path / "scratch.mp4"
    made.write_bytes(mp4(50_000))
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "A Film.mp4").write_text("mine")
    async with transferring(tmp_path / "to") as rig:
        answer = Made(made, "A Film.mp4", "No subtitles.")
        fetched = await rig.transfer.publish(answer, Target(rig.folder), rig.told)
        assert (fetched.path.name, fetched.warning) == ("A Film (1).mp4", "No subtitles.")
        assert fetched.path.read_bytes() == mp4(50_000)
        assert rig.files().keys() == {"A Film.mp4", "A Film (1).mp4"}
    assert not made.exists()


@pytest.mark.parametrize("body", [b"<!doctype html><html>", b'{"error": "gone"}', b"not a film"])
async def test_a_page_is_never_saved_as_a_medium(tmp_path: Path, body: bytes) -> None:
    made = tmp_path / "scratch.mp4"
    made.write_bytes(body)
    async with transferring(tmp_path / "to") as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.transfer.publish(Made(made, "A Film.mp4"), Target(rig.folder), rig.told)
        assert caught.value.code == "not_media"
        assert rig.files() == {}


@pytest.mark.parametrize("inline", [True, False])
async def test_what_was_published_but_never_noted_is_recognised(
    tmp_path: Path, inline: bool
) -> None:
    body, final = mp4(50_000), tmp_path / "to" / "A Film.mp4"
    made = tmp_path / "scratch.mp4"
    answer = Content(body) if inline else Made(made, final.name)
    target = Target(final.parent, filename=final.name, path=final, kind="video")
    async with transferring(final.parent) as rig:
        for left in ({}, {final.name: body}, {final.name + ".part": b"half of"}):
            for name, data in left.items():
                (rig.folder / name).write_bytes(data)
            made.write_bytes(body)
            assert (await rig.transfer.publish(answer, target, rig.told)).path == final
            assert rig.files() == {final.name: body}
            final.unlink()
        final.write_bytes(b"the user's own")
        made.write_bytes(body)
        fetched = await rig.transfer.publish(answer, target, rig.told)
        assert fetched.path.name == "A Film (1).mp4"
        assert final.read_bytes() == b"the user's own"
