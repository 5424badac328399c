"""One claimed job, worked to its end: ask whoever knows where the bytes are, and fetch them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from trayagent.agent.pages import Fetcher, Pages
from trayagent.agent.requests import request_of, target_of
from trayagent.model.errors import DownloadError
from trayagent.model.order import Job
from trayagent.model.transfer import Fetched, Progress, Request, Resolver, Target
from trayagent.store.secrets import SecretFiles


class Publisher(Fetcher, Protocol):
    """What is asked of transfer."""

    async def settled(self, target: Target) -> Fetched | None:
        """The finished file that a kill kept from being told of, with its name; None: there is none."""

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records of files (final path, owner) whose rows say that they are here."""

    def end_cooldown(self, host: str) -> None:
        """Ask this `host:port` again at once."""


class Worker:
    """Holds nothing of a job; any number may be at work."""

    def __init__(
        self,
        transfer: Publisher,
        secrets: SecretFiles,
        resolvers: Mapping[str, Resolver],
        pages: Pages | None = None,
    ) -> None:
        self._transfer = transfer
        self._secrets = secrets
        self._resolvers = resolvers
        self._pages = pages

    async def settled(self, job: Job, folder: Path, progress: Progress) -> Fetched | None:
        """The job's file, if it was finished before a kill and only its row does not say so."""
        del progress
        fetched = await self._transfer.settled(target_of(job, folder))
        if fetched is not None and self._pages is not None and job.source is None:
            await self._pages.leave(job.id)
        return fetched

    async def work(self, job: Job, folder: Path, progress: Progress) -> Fetched:
        """The job's file, verified and published. Raises DownloadError; a cancellation keeps its bytes."""
        target = target_of(job, folder)
        if job.source is not None:
            return await self._resolved(self._resolvers[job.source], job, target, progress)
        if self._secrets.keeps(job.id):
            secrets = await asyncio.to_thread(self._secrets.load, job.id)
            job = replace(job, secrets=secrets)
        request = request_of(job)
        if self._pages is None:
            return await self._transfer.fetch(request, target, progress)
        return await self._pages.fetch(job, request, target, progress)

    async def forget(self, fetches: Sequence[tuple[Path, str]]) -> None:
        """Remove the records beside files (final path, owner) whose rows say that they are here."""
        await self._transfer.forget(fetches)

    def end_cooldown(self, host: str) -> None:
        """A person wants this `host:port` to be asked again at once."""
        self._transfer.end_cooldown(host)

    async def _resolved(
        self, resolver: Resolver, job: Job, target: Target, progress: Progress
    ) -> Fetched:
        def note(received: int, size: int | None) -> None:
            progress.received, progress.size = received, size

        failure: DownloadError | None = None
        while True:
            answer = await resolver.resolve(job.key, target, failure, note)
            try:
                if isinstance(answer, Request):
                    return await self._transfer.fetch(answer, target, progress)
                return await self._transfer.publish(answer, target, progress)
            except DownloadError as error:
                failure = error
