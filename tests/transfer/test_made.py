"""A file that somebody else made is checked, moved and named like any other."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.transfer.rig import mp4, transferring
from trayagent.model.errors import DownloadError
from trayagent.model.settings import DownloadSettings
from trayagent.model.transfer import Content, Made, Target


async def test_a_made_file_is_moved_to_its_name(tmp_path: Path) -> None:
    made = tmp_path / "scratch.mp4"
    made.write_bytes(mp4(50_000))
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "A Film.mp4").write_text("mine")
    async with transferring(tmp_path / "to") as rig:
        answer = Made(made, "A Film.mp4", "No subtitles.")
        fetched = await rig.publish(answer, Target(rig.folder))
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
    """Whoever asks for it again is told of the file, and nothing is made a second time."""
    body, final = mp4(50_000), tmp_path / "to" / "A Film.mp4"
    made = tmp_path / "scratch.mp4"
    answer = Content(body) if inline else Made(made, final.name)
    target = Target(final.parent, filename=final.name, kind="video", owner="a")
    async with transferring(final.parent) as rig:
        for half_of_one in (False, True):
            if half_of_one:
                Path(f"{final}.part").write_bytes(b"half of")
            made.write_bytes(body)
            again = replace(target, path=final)
            fetched = await rig.transfer.publish(answer, again, rig.told)
            assert fetched.path == final
            assert await rig.transfer.find_settled(target) == fetched
            await rig.transfer.forget([(final, "a")])
            assert await rig.transfer.find_settled(target) is None
            assert rig.files() == {final.name: body}
            final.unlink()
        final.write_bytes(b"the user's own")
        made.write_bytes(body)
        assert (await rig.publish(answer, target)).path.name == "A Film (1).mp4"
        assert final.read_bytes() == b"the user's own"


async def test_a_made_file_on_another_disk_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scratch folder need not be where the downloads are."""

    def elsewhere(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr("trayagent.transfer.made.move_new", elsewhere)
    scratch = tmp_path / "scratch.mp4"
    scratch.write_bytes(mp4(50_000))
    async with transferring(tmp_path / "to") as rig:
        await rig.publish(Made(scratch, "A Film.mp4"), Target(rig.folder))
        assert rig.files() == {"A Film.mp4": mp4(50_000)}
    assert not scratch.exists()


async def test_a_made_file_of_another_type_does_not_get_the_name_of_the_last_attempt(
    tmp_path: Path,
) -> None:
    """A film that comes as something else this time is not named for what it was going to be."""
    scratch, before = tmp_path / "scratch", tmp_path / "to" / "A Film.mp4"
    scratch.write_bytes(mp4(50_000))
    async with transferring(tmp_path / "to") as rig:
        target = Target(rig.folder, path=before)
        await rig.publish(Made(scratch, "A Film.mov"), target)
        assert rig.files().keys() == {"A Film.mov"}


@pytest.mark.parametrize(
    ("size", "name", "code"), [(0, "a.jpg", "truncated"), (3001, "a.bin", "too_large")]
)
async def test_bytes_that_a_source_sent_keep_to_the_same_terms(
    tmp_path: Path, size: int, name: str, code: str
) -> None:
    """Neither an empty picture nor a file that is larger than allowed."""
    settings = DownloadSettings(keep_free="0", max_size="3000B")
    async with transferring(tmp_path / "to", downloads=settings) as rig:
        target = Target(rig.folder, filename=name)
        with pytest.raises(DownloadError) as failed:
            await rig.transfer.publish(Content(b"x" * size), target, rig.told)
        assert failed.value.code == code
        assert rig.files() == {}


async def test_a_film_of_a_page_gets_a_name_that_its_disk_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """143 bytes with eCryptfs, where a long title is the rule for pages of videos."""
    monkeypatch.setattr("trayagent.transfer.folders.longest_name", lambda _: 143)
    made = tmp_path / "made"
    made.write_bytes(mp4(50_000))
    async with transferring(tmp_path) as rig:
        fetched = await rig.transfer.publish(
            Made(made, "ü" * 120 + ".mp4"), Target(rig.folder), rig.told
        )
    assert len(fetched.path.name.encode()) <= 143 - len(" (9999).part.json")
    assert fetched.path.suffix == ".mp4"
    assert fetched.path.read_bytes() == mp4(50_000)
