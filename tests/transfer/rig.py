"""What the tests of transfer share: a client that may talk to loopback, and a recording progress."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from trayagent.model.settings import DownloadSettings, NetworkSettings
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.net.exchange import Patience
from trayagent.net.request import HttpClient
from trayagent.transfer import disk_calls
from trayagent.transfer.transfer import Transfer

QUICK = Patience(connect=5, first_byte=5, stall=0.8, slowest=1024)


class RecordingProgress(Progress):
    """A progress that remembers its names."""

    def __init__(self) -> None:
        self.names: list[Path] = []
        super().__init__()

    @property
    def path(self) -> Path | None:
        """The last name."""
        return self.names[-1] if self.names else None

    @path.setter
    def path(self, path: Path | None) -> None:
        if path is not None:
            self.names.append(path)

    @property
    def last(self) -> tuple[int, int | None]:
        """Bytes here, and of how many."""
        return self.received, self.size


def replace_writes(patch: pytest.MonkeyPatch, write: Callable[..., int]) -> None:
    """Put something in the place of every way in which bytes get onto a disk."""
    patch.setattr(disk_calls, "_write", write)
    if sys.platform != "win32":  # which has one way only
        patch.setattr(os, "pwritev", write)


@dataclass
class TransferRig:
    """A transfer into one folder."""

    transfer: Transfer
    client: HttpClient
    folder: Path
    named: frozenset[str]
    told: RecordingProgress = field(default_factory=RecordingProgress)

    async def get(self, url: str, *, path: Path | None = None, **options: object) -> Fetched:
        """Fetch a URL; options are those of Request and Target."""
        wanted = {
            name: options.pop(name) for name in list(options) if name in Request.__struct_fields__
        }
        request = Request(url, named=self.named, **wanted)  # type: ignore[arg-type]
        folder = options.pop("folder", self.folder)
        target = Target(folder, path=path, **options)  # type: ignore[arg-type]
        fetched = await self.transfer.fetch(request, target, self.told)
        await self.transfer.forget([(fetched.path, target.owner)])  # as whoever noted it would
        return fetched

    async def publish(self, made: Content | Made, target: Target) -> Fetched:
        """Publish what a resolver made."""
        fetched = await self.transfer.publish(made, target, self.told)
        await self.transfer.forget([(fetched.path, target.owner)])
        return fetched

    def files(self) -> dict[str, bytes]:
        """What is in the folder."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@asynccontextmanager
async def transferring(
    folder: Path,
    *named: str,
    downloads: DownloadSettings | None = None,
    network: NetworkSettings | None = None,
    limits: Patience = QUICK,
    **client: object,
) -> AsyncIterator[TransferRig]:
    """A transfer that may talk to the loopback servers named."""
    folder.mkdir(parents=True, exist_ok=True)
    with HttpClient(network or NetworkSettings(), limits, **client) as http:  # type: ignore[arg-type]
        settings = downloads or DownloadSettings(keep_free="0")
        transfer = Transfer(http, folder.with_name(f"{folder.name}-settled"), settings)
        yield TransferRig(transfer, http, folder, frozenset(named))


async def until(true: Callable[[], bool]) -> None:
    """Return once it is so; ten seconds at most."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  it may be a fact of the file system
            await asyncio.sleep(0.005)


def noise(size: int, seed: int = 1) -> bytes:
    """Bytes that are nothing in particular; the same for the same seed."""
    return random.Random(seed).randbytes(size)


def mp4(size: int, seed: int = 1) -> bytes:
    """A container of about `size` bytes that passes for a whole MP4."""
    ftyp = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"
    moov = b"\x00\x00\x00\x10moov" + bytes(8)
    data = noise(max(0, size - len(ftyp) - len(moov) - 8), seed)
    return ftyp + moov + (len(data) + 8).to_bytes(4, "big") + b"mdat" + data
