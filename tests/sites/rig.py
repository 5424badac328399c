"""What the tests of the page engine share: an engine with its gateway, and releases that misbehave."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trayagent.model.settings import Config, DownloadSettings, NetworkSettings, SitesSettings
from trayagent.model.transfer import Request
from trayagent.net.gateway import Gateway
from trayagent.sites.engine import WorkerBounds, YtDlpEngine
from trayagent.sites.protocol import PageAnswer, VideoPage
from trayagent.sites.update import Releases


@dataclass
class PageRig:
    """An engine whose downloads folder is `folder`."""

    engine: YtDlpEngine
    gateway: Gateway
    folder: Path
    named: frozenset[str]
    told: list[tuple[int, int | None]] = field(default_factory=list)

    def page(self, url: str, id: str = "d1", **options: object) -> VideoPage:
        """A page as the agent asks for it."""
        asked = {
            name: options.pop(name) for name in list(options) if name in Request.__struct_fields__
        }
        request = Request(url, named=self.named, **asked)  # type: ignore[arg-type]
        return VideoPage(id, request, **options)  # type: ignore[arg-type]

    async def resolve(self, url: str, id: str = "d1", **options: object) -> PageAnswer:
        """Ask for a page."""
        note = self.told.append
        return await self.engine.resolve(
            self.page(url, id, **options), lambda total, size: note((total, size))
        )

    def scratches(self) -> list[Path]:
        """The folders of downloads on their way."""
        return sorted(self.folder.glob(".trayagent-*.part"))


@asynccontextmanager
async def resolving(
    folder: Path,
    *named: str,
    path: str | None = None,
    bounds: WorkerBounds | None = None,
    network: NetworkSettings | None = None,
    downloads: DownloadSettings | None = None,
    quality: str = "best",
    releases: Path | None = None,
) -> AsyncIterator[PageRig]:
    """An engine that may talk to the loopback servers named; `path` is where programs are found."""
    folder.mkdir(parents=True, exist_ok=True)
    config = Config(
        downloads=downloads or DownloadSettings(folder=str(folder), keep_free="0"),
        sites=SitesSettings(quality=quality),
    )
    environ = {"PATH": os.environ["PATH"] if path is None else path}
    async with Gateway(network) as gateway:
        engine = YtDlpEngine(
            gateway,
            Releases(releases or folder.parent / "releases"),
            config,
            environ=environ,
            throttle=lambda rate: lambda count: 0.0,
            bounds=bounds,
        )
        yield PageRig(engine, gateway, folder, frozenset(named))


def release(folder: Path, code: str, version: str = "2099.1.1") -> Path:
    """A yt-dlp of our making, put where an update would put it; returns the folder of releases."""
    package = folder / version / "yt_dlp"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(code, "utf-8")
    (folder / "current.json").write_text(f'{{"version": "{version}"}}')
    return folder
