"""A bucket of an object store: asked through a process of its own, started when it is needed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePath

from msgspec import Struct

from trayagent.files import remove_shared
from trayagent.model.bucket_address import BucketAddress
from trayagent.model.errors import DownloadError
from trayagent.targets.bucket_process import BucketProcess
from trayagent.targets.folder import InThread, hash_of
from trayagent.targets.messages import (
    BucketAnswer,
    CheckBucket,
    Discard,
    GiveName,
    IsNamed,
    Opening,
    Question,
    StageFile,
)
from trayagent.transfer.failpoints import failpoint
from trayagent.transfer.folders import explained


class BucketAccess(Struct, frozen=True):
    """What the process is opened with."""

    options: dict[str, str]
    """As obstore names them; they hold keys."""
    is_plain: bool = False
    """Whether the endpoint is `http://`."""
    proxy: str = ""

    def __repr__(self) -> str:
        return "<BucketAccess>"


class BucketTarget:
    """Files keep their folders below the address. Each method raises DownloadError when the store says no."""

    is_on_disk = False
    """What is there can be opened by other programs only, by its address."""

    def __init__(
        self,
        address: BucketAddress,
        access: Callable[[], Awaitable[BucketAccess]],
        environ: Mapping[str, str],
        in_thread: InThread,
    ) -> None:
        """`access` is asked at each start of the process, since a keyring may ask its owner."""
        self.address = address
        self._access = access
        self._environ = environ
        self._in_thread = in_thread
        self._process: BucketProcess | None = None

    def __repr__(self) -> str:
        return f"<BucketTarget {self.address}>"

    def place(self, below: PurePath) -> str:
        """Its address, once it has this name below the bucket's."""
        return f"{self.address}/{below.as_posix()}" if below.parts else str(self.address)

    async def check(self, *, is_new: bool) -> None:  # noqa: ARG002  a bucket that is away is not empty
        """Raise DownloadError unless it is there, lets us write, and refuses to replace an object."""
        # Once for each process, which lives from the first file to the last one that waits: it costs a store
        # five requests, and a store that goes away meanwhile ends the process.
        if self._process is None:
            await self._ask(CheckBucket())

    async def stage(self, source: Path, part: PurePath) -> str:
        """Send and read back a large file, hash a small one; returns the SHA-256."""
        sha256 = (await self._ask(StageFile(str(source), part.as_posix()))).sha256
        failpoint("move-copied")
        return sha256

    async def give_name(self, source: Path, part: PurePath, place: str, sha256: str) -> None:
        """Raises FileExistsError when another object has the name."""
        failpoint("move-intended")
        named = await self._ask(GiveName(str(source), part.as_posix(), self._key(place), sha256))
        if named.is_so:
            raise FileExistsError(place)
        failpoint("move-named")

    async def is_named(self, source: Path, part: PurePath, place: str, sha256: str) -> bool:
        """Whether an object of this name and content is there; its part, if there is one, goes."""
        if not place.startswith(f"{self.address}/"):
            return False  # it was intended for another place, before the settings changed
        answer = await self._ask(IsNamed(str(source), self._key(place), sha256))
        if answer.is_so:
            await self.discard(part)
        return answer.is_so

    async def remove_source(self, source: Path, place: str, sha256: str) -> None:  # noqa: ARG002
        """Remove the one here, once the one there is named and noted."""

        def remove() -> None:
            failpoint("move-noted")
            with explained(), suppress(FileNotFoundError):
                # One that somebody changed meanwhile is no longer the same file: it stays.
                if hash_of(source) == sha256:
                    remove_shared(source)
            failpoint("move-removed")

        await self._in_thread(remove)

    async def discard(self, part: PurePath) -> None:
        """Remove what was staged and gets no name any more."""
        with suppress(DownloadError):
            await self._ask(Discard(part.as_posix()))

    async def close(self) -> None:
        """End the process; the next question starts another one."""
        process, self._process = self._process, None
        if process is not None:
            await process.end()

    def _key(self, place: str) -> str:
        return place.removeprefix(f"{self.address}/")

    async def _ask(self, question: Question) -> BucketAnswer:
        if self._process is None:
            access = await self._access()
            opening = Opening(
                self.address.scheme,
                self.address.bucket,
                self.address.prefix,
                access.options,
                access.is_plain,
                access.proxy,
            )
            self._process = await BucketProcess.start(opening, self._environ)
        try:
            return await self._process.ask(question)
        except DownloadError as error:
            # Whatever it is at, a dead or silent process is of no more use; a refusal leaves it well.
            if error.code == "bucket_away":
                await self.close()
            raise
