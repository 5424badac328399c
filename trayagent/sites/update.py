"""The releases of yt-dlp that we have, and how a newer one comes.

Sites change in weeks, so yt-dlp is renewed apart from us: its wheel from the package index, checked by
hash, tried in a worker, and only then used. The release before is kept for going back.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin, urlsplit

import msgspec
from msgspec import Struct

from trayagent.files import replace_shared
from trayagent.model import urls
from trayagent.model.errors import DownloadError, TrayagentError
from trayagent.model.transfer import Request
from trayagent.sites.protocol import (
    BytesReceived,
    UnknownSite,
    WorkerFailure,
    WorkerPhase,
    WorkerRequest,
)
from trayagent.sites.provenance import ProvenanceError, check_provenance
from trayagent.sites.worker_process import WorkerProcess

if TYPE_CHECKING:
    from trayagent.net.api_client import ApiClient

INDEX: Final = "https://pypi.org/pypi/yt-dlp/json"
FILES: Final = ("https", "files.pythonhosted.org", 443)
"""Where the index keeps its files. We believe its hashes, never a host that it names."""
PROVENANCE: Final = "application/vnd.pypi.integrity.v1+json"
"""The type of the index's answer about a publisher."""
_MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of an answer; the wheel has about 3 MiB."""
# Ten times what a release takes: a small archive can unfold into a full disk.
_MOST_UNPACKED_BYTES: Final = 256 * 1024 * 1024
_START_SECONDS: Final = 60.0
"""Seconds for the first start of a new release."""


class UpdateError(TrayagentError):
    """The engine stays as it was."""

    def __init__(self, message: str, action: str = "Try again later.") -> None:
        super().__init__("update_failed", f"{message} The page engine stays as it was.", action)


class _File(Struct, frozen=True):
    url: str
    packagetype: str
    digests: dict[str, str] = {}
    yanked: bool = False


class _About(Struct, frozen=True):
    version: str


class _Listing(Struct, frozen=True):
    """What we need of https://docs.pypi.org/api/json/."""

    info: _About
    urls: tuple[_File, ...] = ()


class ReleaseUpdater:
    """Looks for a newer release and takes it over."""

    def __init__(
        self,
        client: ApiClient,
        releases: Releases,
        environ: Mapping[str, str],
        *,
        index: str = INDEX,
        named: frozenset[str] = frozenset(),
    ) -> None:
        self._client = client
        self._releases = releases
        self._environ = environ
        self._index = index
        self._named = named
        self._places = frozenset({urls.origin(index), FILES})

    async def update(self) -> tuple[str | None, str]:
        """Take over the newest release; returns the versions before and after. Raises UpdateError."""
        before = self._releases.version()
        try:
            listing = msgspec.json.decode(await self._get(self._index), type=_Listing)
        except msgspec.DecodeError as error:
            raise UpdateError("The package index gave an answer we do not understand.") from error
        # 1. Only a newer one is taken: the index may be behind what is installed here.
        # 2. Only a wheel, which is unpacked and never run for that; a withdrawn one counts as none.
        # 3. Its bytes have the hash that the index names.
        # 4. The index vouches that yt-dlp's own build has published just these bytes.
        # 5. It is tried in a worker; only then it is chosen. Until then everybody uses the one before.
        version = listing.info.version
        if before is not None and not is_newer(version, before):
            return before, before
        wheel = next(
            (one for one in listing.urls if one.packagetype == "bdist_wheel" and not one.yanked),
            None,
        )
        if wheel is None or not wheel.digests.get("sha256"):
            raise UpdateError("The package index has no wheel of the newest release.")
        # The version becomes a folder's name: `..` or a path in it would lead elsewhere.
        folder = self._releases.folder / version
        if folder.parent != self._releases.folder or not version[:1].isdigit():
            raise UpdateError("The package index named a version we do not understand.")
        body = await self._get(wheel.url)
        # The index is asked over TLS at a fixed host: its hash vouches for a file from elsewhere.
        if hashlib.sha256(body).hexdigest() != wheel.digests["sha256"]:
            raise UpdateError("The new release does not have the hash the index names.")
        is_attested = await self._is_attested(version, wheel)
        try:
            await asyncio.to_thread(_unpack, body, folder)
            await self._try(folder)
        except BaseException:  # a cancellation, too: half a release must not look like one
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        await asyncio.to_thread(self._releases.choose, version, is_attested=is_attested)
        return before, version

    async def _is_attested(self, version: str, wheel: _File) -> bool:
        """Whether the index says who published the wheel. Raises UpdateError if that was not yt-dlp."""
        name = quote(PurePosixPath(urlsplit(wheel.url).path).name)
        path = f"/integrity/yt-dlp/{quote(version)}/{name}/provenance"
        status, body = await self._ask(urljoin(self._index, path), {"Accept": PROVENANCE})
        if status == 404:
            # Who has stolen an upload token would just say nothing: so once said is always said.
            if self._releases.has_attested:
                raise UpdateError("Nobody vouches for the new release, as for the one before.")
            return False
        if status != 200:
            raise UpdateError(f"The package index answered HTTP {status}.")
        try:
            check_provenance(body, wheel.digests["sha256"])
        except ProvenanceError as error:
            raise UpdateError(f"The new release is not trusted: {error}.") from error
        return True

    async def _get(self, url: str) -> bytes:
        """An answer that must be there."""
        status, body = await self._ask(url)
        if status != 200:
            raise UpdateError(f"The package index answered HTTP {status}.")
        return body

    async def _ask(self, url: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Status and answer of the index or of its files' server, and of no other."""
        try:
            if urls.origin(url) not in self._places:
                raise UpdateError("The package index leads to a place that is not its own.")
            async with self._client.open(
                Request(url, headers=headers or {}, named=self._named)
            ) as response:
                if urls.origin(response.url) not in self._places:
                    raise UpdateError("The package index leads to a place that is not its own.")
                return response.status, await response.read(_MOST_BYTES)
        except DownloadError as error:
            raise UpdateError(
                f"The package index cannot be reached: {error.message}",
                "Check the network connection, then try again.",
            ) from error

    async def _try(self, release: Path) -> None:
        """A worker must start with it and look through its list of sites. Raises UpdateError."""
        with tempfile.TemporaryDirectory(prefix=".trial-", dir=release.parent) as folder:
            # No site has this name (RFC 6761), so the answer comes from the new release alone.
            ask = WorkerRequest(
                url="https://nothing.invalid/",
                folder=folder,
                proxy="http://127.0.0.1:9",
                release=str(release),
                known_only=True,
            )
            try:
                async with (
                    asyncio.timeout(_START_SECONDS),
                    WorkerProcess.start(ask, self._environ) as child,
                ):
                    said = await child.next_message()
                    while isinstance(said, WorkerPhase | BytesReceived):
                        said = await child.next_message()
            except (TimeoutError, DownloadError) as error:
                raise UpdateError("The new release does not start here.") from error
            if not isinstance(said, UnknownSite):
                why = f" ({said.detail})" if isinstance(said, WorkerFailure) else ""
                raise UpdateError(f"The new release does not work here{why}.")


def _unpack(body: bytes, folder: Path) -> None:
    """The package's own files of a wheel, nothing else; raises UpdateError."""
    import zipfile  # a megabyte that is needed once in a while

    shutil.rmtree(folder, ignore_errors=True)
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as wheel:
            # Only the package itself, and no name that could lead out of the folder.
            members = [
                one
                for one in wheel.infolist()
                for path in [PurePosixPath(one.filename)]
                if path.parts[:1] == ("yt_dlp",)
                if ".." not in path.parts and "\\" not in one.filename
            ]
            # Sizes as the archive tells them; zipfile stops where a member is longer than it says.
            if sum(one.file_size for one in members) > _MOST_UNPACKED_BYTES or not members:
                raise UpdateError("The new release is not packed as expected.")
            folder.mkdir(mode=0o700, parents=True)
            wheel.extractall(folder, members)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UpdateError("The new release could not be unpacked.") from error


class Releases:
    """`<folder>/<version>/yt_dlp`, and `<folder>/current.json`, which names the one to use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def current(self) -> Path | None:
        """The release to put first on a worker's path; None: the installed one."""
        version = self._read_choice().get("version", "")
        # A package upgrade may have brought a newer one than ours.
        if not version or is_newer(installed_version() or "", version):
            return None
        path = self.folder / version
        fits = path.parent == self.folder and (path / "yt_dlp" / "__init__.py").is_file()
        return path if fits else None

    def version(self) -> str | None:
        """What pages are read with; None: nothing."""
        path = self.current()
        return path.name if path else installed_version()

    @property
    def is_usable(self) -> bool:
        """Whether there is one at all. Nothing is imported."""
        return self.current() is not None or find_spec("yt_dlp") is not None

    @property
    def has_attested(self) -> bool:
        """Whether the index has vouched for the publisher of any release that was chosen."""
        return self._read_choice().get("attested") == "yes"

    def choose(self, version: str, *, is_attested: bool = False) -> None:
        """Use this release, which lies in the folder, from the next page on; only the one before is kept."""
        # The one before stays, for going back; and workers that run may be reading it.
        before = self.current()
        attested = "yes" if is_attested or self.has_attested else ""
        self._write_choice(
            {"version": version, "before": before.name if before else "", "attested": attested}
        )
        for path in self.folder.iterdir():
            if path.is_dir() and path.name != version and path != before:
                shutil.rmtree(path, ignore_errors=True)

    def go_back(self) -> str | None:
        """Use the release before again, or the installed one; returns what is used now."""
        noted = self._read_choice()
        self._write_choice({**noted, "version": noted.get("before", ""), "before": ""})
        return self.version()

    def __repr__(self) -> str:
        return f"<Releases, using {self.version() or 'none'}>"

    def _read_choice(self) -> dict[str, str]:
        try:
            noted = json.loads((self.folder / "current.json").read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _write_choice(self, noted: dict[str, str]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Through a second file: a kill in the middle must not leave us without any choice.
        fresh = self.folder / "current.json.new"
        fresh.write_text(json.dumps(noted), "utf-8")
        replace_shared(fresh, self.folder / "current.json")


def installed_version() -> str | None:
    """The version installed beside us, None if there is none."""
    from importlib import metadata  # costs more than all the rest of this file

    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version("yt-dlp")
    return None


def is_newer(one: str, other: str) -> bool:
    """Whether version `one` comes after `other`; both are dates with dots, perhaps with more behind."""
    return _numbers(one) > _numbers(other)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,18}", version)]
