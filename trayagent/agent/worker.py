"""One claimed job, worked to its end: ask whoever knows where the bytes are, and fetch them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from trayagent.agent.pages import Fetcher, Pages
from trayagent.agent.progress import Reporter
from trayagent.agent.requests import request_of, target_of
from trayagent.model.errors import DownloadError
from trayagent.model.order import Job
from trayagent.model.transfer import Fetched, Request, Resolver, Target
from trayagent.store.secrets import SecretFiles


class Worker:
    """Holds nothing of a job; any number may be at work."""

    def __init__(
        self,
        transfer: Fetcher,
        secrets: SecretFiles,
        resolvers: Mapping[str, Resolver],
        pages: Pages | None = None,
    ) -> None:
        self._transfer = transfer
        self._secrets = secrets
        self._resolvers = resolvers
        self._pages = pages

    async def work(self, job: Job, folder: Path, reporter: Reporter) -> Fetched:
        """The job's file, verified and published. Raises DownloadError; a cancellation keeps its bytes."""
        target = target_of(job, folder)
        if job.source is not None:
            return await self._resolved(self._resolvers[job.source], job, target, reporter)
        if self._secrets.keeps(job.id):
            secrets = await asyncio.to_thread(self._secrets.load, job.id)
            job = replace(job, secrets=secrets)
        request = request_of(job)
        if self._pages is None:
            return await self._transfer.fetch(request, target, reporter)
        return await self._pages.fetch(job, request, target, reporter)

    async def _resolved(
        self, resolver: Resolver, job: Job, target: Target, reporter: Reporter
    ) -> Fetched:
        failure: DownloadError | None = None
        while True:
            answer = await resolver.resolve(job.key, target, failure, reporter.received)
            try:
                if isinstance(answer, Request):
                    return await self._transfer.fetch(answer, target, reporter)
                return await self._transfer.publish(answer, target, reporter)
            except DownloadError as error:
                failure = error
