"""A folder that goes away in mid-download, as a disk that is pulled out does, is waited for."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.media import Media, content

SIZE = 3_000_000


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    with Media() as server:
        yield server


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder with open files")
def test_a_folder_that_goes_twice_is_waited_for_twice(tmp_path: Path, media: Media) -> None:
    folder = tmp_path / "disk" / "films"
    with Agent(tmp_path, DOWNLOADS__FOLDER=str(folder), DOWNLOADS__SEGMENTS="1") as agent:
        url = media.url("film.bin", SIZE, rate=1_500_000)
        assert agent.run("add", url).returncode == 0
        (id,) = (one["id"] for one in agent.get("downloads")["downloads"])

        def look() -> Any:
            return agent.get(f"downloads/{id}")

        for _ in range(2):
            # After a retry the row knows its old count for a moment, when there is no folder yet.
            until(lambda: folder.is_dir() and look()["received"] > 200_000, "bytes of it")
            gone = folder.parent.rename(tmp_path / "gone")
            folder.parent.write_text("where the disk was")  # nobody can make the folder anew
            shutil.rmtree(gone)
            waiting = until(lambda: (one := look())["state"] == "queued" and one, "a wait")
            assert waiting["not_before"]
            assert waiting["error"]["code"] == "permission_denied"
            assert "folder" in waiting["error"]["message"]
            assert waiting["attempts"] == 0
            folder.parent.unlink()
            assert agent.run("retry", id).returncode == 0
        done = until(lambda: (one := look())["state"] == "completed" and one, "the file")
    assert Path(done["path"]).read_bytes() == content("film.bin", SIZE)
    assert [path.name for path in folder.iterdir()] == ["film.bin"]
