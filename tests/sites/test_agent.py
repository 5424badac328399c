"""In a real agent: pages enter like anything else, survive a kill, and never load yt-dlp into the agent."""

from __future__ import annotations

import ast
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.site import Site, media, streams

ROOT = Path(__file__).parents[2]
SETTLED = ("completed", "failed", "cancelled")


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the media of this run are made."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture
def site(forms: Path) -> Iterator[Site]:
    """A site with films."""
    with Site(media(forms, "film.mp4", "ts/index.m3u8")) as running:
        yield running


def settled(agent: Agent, id: str) -> dict[str, Any]:
    """The download once it has ended."""

    def look() -> dict[str, Any] | None:
        download: dict[str, Any] = agent.get(f"downloads/{id}")
        return download if download["state"] in SETTLED else None

    return until(look, f"the end of {id}", 50)


def added(agent: Agent, **item: Any) -> str:
    """The id of a new download."""
    return str(agent.post("downloads", item)["downloads"][0]["id"])


def left(agent: Agent) -> list[str]:
    """Hidden folders in the downloads folder."""
    return [path.name for path in (agent.home / "downloads").glob(".*")]


def fragments(agent: Agent) -> int:
    """How many segments the worker's record vouches for."""
    for note in (agent.home / "downloads").glob(".trayagent-*/*.ytdl"):
        with contextlib.suppress(ValueError, KeyError):  # it is being written
            return int(json.loads(note.read_text())["downloader"]["current_fragment"]["index"])
    return 0


@pytest.mark.needs("ffmpeg")
def test_pages_become_files_and_a_plain_page_stays_one(site: Site, tmp_path: Path) -> None:
    watch = site.page("/watch", '<video src="/film.mp4"></video>', title="A/B: the film?")
    text = site.page("/text", "<p>only words</p>")
    with Agent(tmp_path / "home") as agent:
        ids = {
            "page": added(agent, url=watch, kind="page"),
            "manifest": added(agent, url=f"{site.base}/ts/index.m3u8", filename="show.avi"),
            "words": added(agent, url=text, kind="video"),
            "plain": added(agent, url=f"{text}?as=it-is"),
            "login": added(agent, url=f"{site.base}/film.mp4?gone", kind="video"),
        }
        ended = {name: settled(agent, id) for name, id in ids.items()}
        assert ended["page"]["filename"] == "A-B_ the film_.mp4"
        assert Path(ended["page"]["path"]).read_bytes() == site.files["/film.mp4"]
        assert ended["manifest"]["filename"] == "show.mp4"
        assert streams(Path(ended["manifest"]["path"])).keys() == {"video", "audio"}
        assert ended["words"]["error"]["code"] == "no_media_found"
        assert ended["plain"]["filename"] == "text.html.download"
        assert ended["login"]["state"] == "completed", "direct media never meets the page engine"
        assert left(agent) == []


@pytest.mark.needs("ffmpeg")
def test_a_page_with_several_becomes_a_batch(site: Site, tmp_path: Path) -> None:
    videos = "".join(f'<video src="/film.mp4?{n}"></video>' for n in range(3))
    page = site.page("/list", videos, title="All films")
    with Agent(tmp_path / "home") as agent:
        first = settled(agent, added(agent, url=page, kind="page"))
        assert first["filename"] == "All films (1).mp4"
        batch = until(
            lambda: next((b for b in agent.get("batches")["batches"] if b["finished_at"]), None),
            "the batch",
        )
        assert (batch["title"], batch["counts"]) == ("All films", {"completed": 2})
        names = {path.name for path in (agent.home / "downloads").iterdir()}
        assert names == {f"All films ({n}).mp4" for n in (1, 2, 3)}
        undone = agent.post(f"batches/{batch['id']}/undo")
        assert undone is not None


@pytest.mark.needs("ffmpeg")
def test_a_killed_agent_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    release = site.hold("/ts/index3.ts")
    with Agent(tmp_path / "home") as agent:
        id = added(agent, url=f"{site.base}/ts/index.m3u8")
        until(lambda: site.times("/ts/index3.ts") > 0, "the last segment")
        until(lambda: fragments(agent) == 3, "the record of the others")
        agent.kill()
        release.set()
        agent.start()
        ended = settled(agent, id)
        assert ended["state"] == "completed", ended["error"]
        assert streams(Path(ended["path"])).keys() == {"video", "audio"}
        assert site.times("/ts/index0.ts") == 1, "what was here is not fetched again"
        assert left(agent) == []


@pytest.mark.needs("ffmpeg")
def test_pause_keeps_and_cancel_removes(site: Site, tmp_path: Path) -> None:
    site.hold("/ts/index3.ts")
    with Agent(tmp_path / "home") as agent:
        id = added(agent, url=f"{site.base}/ts/index.m3u8")
        until(lambda: site.times("/ts/index3.ts") > 0, "the last segment")
        assert agent.post(f"downloads/{id}/pause")["state"] == "paused"
        assert len(left(agent)) == 1
        assert agent.post(f"downloads/{id}/cancel")["state"] == "cancelled"
        assert left(agent) == []


def test_the_agent_itself_never_imports_it(tmp_path: Path) -> None:
    """Neither at start nor for a page: only a worker does."""
    homes = [
        path.name
        for path in (ROOT / "trayagent").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and "yt_dlp" in ast.unparse(node)
    ]
    assert homes == ["extract.py"]
    code = (
        "import sys, trayagent.app, trayagent.wiring;"
        "print(sorted({'yt_dlp', 'trayagent.sites.extract', 'trayagent.sites.worker'} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert loaded.stdout.strip() == "[]"
