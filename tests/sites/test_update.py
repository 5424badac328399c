"""A newer engine is used only after its hash was right and it has worked once; else all stays as it was."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from tests.servers.site import Site
from tests.sites.rig import release
from trayagent.net.api_client import ApiClient
from trayagent.sites.update import (
    Releases,
    ReleaseUpdater,
    UpdateError,
    installed_version,
    is_newer,
)

WORKS = """
import types
class _FD:
    @classmethod
    def can_download(cls): return True
downloader = types.SimpleNamespace(
    external=types.SimpleNamespace(FFmpegFD=_FD), hls=types.SimpleNamespace(HlsFD=_FD))
extractor = types.SimpleNamespace(gen_extractor_classes=lambda: [])
networking = types.SimpleNamespace(
    common=types.SimpleNamespace(Response=None),
    exceptions=types.SimpleNamespace(HTTPError=OSError),
)
class YoutubeDL:
    def urlopen(self, request): pass
    def __init__(self, params): pass
    def __enter__(self): return self
    def __exit__(self, *_): pass
"""
NEWEST = "2099.12.31"


def wheel(code: str = WORKS, **more: bytes) -> bytes:
    """A wheel with this package, and other members by name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("yt_dlp/__init__.py", code)
        file.writestr("yt_dlp-2099.dist-info/METADATA", "Name: yt-dlp")
        for name, body in more.items():
            file.writestr(name, body)
    return packed.getvalue()


def publish(site: Site, body: bytes, version: str = NEWEST, digest: str | None = None) -> None:
    """Put a release on the index."""
    files = [
        {"url": f"{site.base}/yt_dlp.tar.gz", "packagetype": "sdist", "digests": {"sha256": "0"}},
        {
            "url": f"{site.base}/yt_dlp.whl",
            "packagetype": "bdist_wheel",
            "digests": {"sha256": digest or hashlib.sha256(body).hexdigest()},
        },
    ]
    site.files["/index"] = json.dumps({"info": {"version": version}, "urls": files}).encode()
    site.files["/yt_dlp.whl"] = body


@asynccontextmanager
async def updating(site: Site, folder: Path) -> AsyncIterator[tuple[ReleaseUpdater, Releases]]:
    """An updater that asks the test's index."""
    releases = Releases(folder)
    named = frozenset({site.authority})
    async with ApiClient() as client:
        yield (
            ReleaseUpdater(client, releases, os.environ, index=f"{site.base}/index", named=named),
            releases,
        )


async def test_a_newer_release_is_used_and_can_be_taken_back(tmp_path: Path) -> None:
    with Site() as site:
        publish(site, wheel())
        async with updating(site, tmp_path / "sites") as (updater, releases):
            assert await updater.update() == (installed_version(), NEWEST)
            assert releases.current() == tmp_path / "sites" / NEWEST
            assert await updater.update() == (NEWEST, NEWEST), "nothing newer"
            assert site.times("/yt_dlp.whl") == 1
            assert releases.go_back() == installed_version()
            assert releases.current() is None


@pytest.mark.parametrize(
    ("body", "digest", "says"),
    [
        (wheel("raise ImportError"), None, "does not work here"),
        (wheel("def"), None, "does not work here"),
        (wheel("import os; os.kill(os.getpid(), 9)"), None, "does not work here"),
        (wheel(), "0" * 64, "does not have the hash"),
        (b"no zip", None, "could not be unpacked"),
        (b"", None, "could not be unpacked"),
    ],
)
async def test_a_release_that_is_not_right_changes_nothing(
    tmp_path: Path, body: bytes, digest: str | None, says: str
) -> None:
    release(tmp_path / "sites", WORKS, "2099.1.1")
    with Site() as site:
        publish(site, body, digest=digest)
        async with updating(site, tmp_path / "sites") as (updater, releases):
            with pytest.raises(UpdateError, match=says) as caught:
                await updater.update()
            assert releases.version() == "2099.1.1"
    assert "stays as it was" in caught.value.message
    assert not (tmp_path / "sites" / NEWEST).exists()


def attest(site: Site, sha256: str, repository: str = "yt-dlp/yt-dlp") -> None:
    """Let the index say who published the newest release."""
    statement = json.dumps({"subject": [{"name": "yt_dlp.whl", "digest": {"sha256": sha256}}]})
    signed = {"envelope": {"statement": base64.b64encode(statement.encode()).decode()}}
    publisher = {"kind": "GitHub", "repository": repository, "workflow": "release.yml"}
    bundle = {"publisher": publisher, "attestations": [signed | {"version": 1}]}
    site.files[f"/integrity/yt-dlp/{NEWEST}/yt_dlp.whl/provenance"] = json.dumps(
        {"version": 1, "attestation_bundles": [bundle]}
    ).encode()


@pytest.mark.parametrize(
    ("sha256", "repository", "says"),
    [
        ("0" * 64, "yt-dlp/yt-dlp", "has signed another file"),
        (None, "evil/yt-dlp", "not published by yt-dlp's own build"),
    ],
)
async def test_a_release_that_another_published_is_refused(
    tmp_path: Path, sha256: str | None, repository: str, says: str
) -> None:
    with Site() as site:
        publish(site, wheel())
        attest(site, sha256 or hashlib.sha256(wheel()).hexdigest(), repository)
        async with updating(site, tmp_path / "sites") as (updater, releases):
            with pytest.raises(UpdateError, match=says):
                await updater.update()
            assert releases.current() is None


async def test_who_was_vouched_for_once_must_be_so_again(tmp_path: Path) -> None:
    """A thief of the upload token publishes without a word; going back forgets nothing."""
    with Site() as site:
        publish(site, wheel())
        attest(site, hashlib.sha256(wheel()).hexdigest())
        async with updating(site, tmp_path / "sites") as (updater, releases):
            assert (await updater.update())[1] == NEWEST
            publish(site, wheel(), version="2100.1.1")
            for _ in range(2):
                with pytest.raises(UpdateError, match="Nobody vouches"):
                    await updater.update()
                releases.go_back()
            assert not (tmp_path / "sites" / "2100.1.1").exists()


async def test_a_word_of_the_index_that_is_not_understood_changes_nothing(tmp_path: Path) -> None:
    with Site() as site:
        publish(site, wheel())
        attest(site, "")
        path = f"/integrity/yt-dlp/{NEWEST}/yt_dlp.whl/provenance"
        async with updating(site, tmp_path / "sites") as (updater, releases):
            for said in (b"", b"[]", site.files[path].replace(b'statement": "', b'statement": "!')):
                site.files[path] = said
                with pytest.raises(UpdateError, match="not trusted"):
                    await updater.update()
            assert releases.current() is None


async def test_only_the_package_itself_is_unpacked(tmp_path: Path) -> None:
    more = {"../evil.py": b"1", "sitecustomize.py": b"1", "yt_dlp/../../evil.py": b"1"}
    with Site() as site:
        publish(site, wheel(WORKS, **more))
        async with updating(site, tmp_path / "sites") as (updater, _):
            await updater.update()
    found = {path.name for path in tmp_path.rglob("*") if path.suffix != ".pyc" and path.is_file()}
    assert found == {"__init__.py", "current.json"}


@pytest.mark.parametrize("version", ["../../etc", "", "latest"])
async def test_a_version_is_a_version(tmp_path: Path, version: str) -> None:
    with Site() as site:
        publish(site, wheel(), version=version)
        async with updating(site, tmp_path / "sites") as (updater, releases):
            before = releases.version()
            with suppress(UpdateError):
                await updater.update()
            assert releases.version() == before


@pytest.mark.parametrize("index", [b"<html>", b"{}", b'{"info": {"version": "2099.12.31"}}'])
async def test_an_odd_index_is_an_error_in_words(tmp_path: Path, index: bytes) -> None:
    with Site({"/index": index}) as site:
        async with updating(site, tmp_path / "sites") as (updater, _):
            with pytest.raises(UpdateError):
                await updater.update()


async def test_offline_is_said_plainly(tmp_path: Path) -> None:
    with Site() as site:
        pass
    async with updating(site, tmp_path / "sites") as (updater, _):
        with pytest.raises(UpdateError, match="cannot be reached") as caught:
            await updater.update()
    assert caught.value.action == "Check the network connection, then try again."


def test_an_installed_engine_that_is_newer_wins(tmp_path: Path) -> None:
    folder = release(tmp_path / "sites", WORKS, "2020.1.1")
    assert Releases(folder).current() is None
    assert Releases(folder).version() == installed_version()


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"version": "../.."}', '{"version": "2099.9.9"}']
)
def test_a_damaged_note_means_the_installed_engine(tmp_path: Path, note: str) -> None:
    (tmp_path / "current.json").write_text(note)
    assert Releases(tmp_path).current() is None


def test_versions_are_compared_by_number() -> None:
    assert is_newer("2026.10.26", "2026.9.30")
    assert is_newer("2026.10.26.232323", "2026.10.26")
    assert not is_newer("2026.10.26", "2026.10.26")
    assert is_newer("9" * 5000, "2026.10.26")


@pytest.mark.parametrize("how", ["named", "redirected"])
async def test_the_index_cannot_send_us_to_another_host(how: str, tmp_path: Path) -> None:
    body = wheel()
    with Site() as site, Site({"/yt_dlp.whl": body}) as other:
        publish(site, body)
        if how == "named":
            listing = json.loads(site.files["/index"])
            listing["urls"][1]["url"] = f"{other.base}/yt_dlp.whl"
            site.files["/index"] = json.dumps(listing).encode()
        else:
            site.redirects["/yt_dlp.whl"] = f"{other.base}/yt_dlp.whl"
        async with updating(site, tmp_path / "sites") as (updater, releases):
            updater._named |= {other.authority}
            with pytest.raises(UpdateError, match="not its own"):
                await updater.update()
            assert releases.current() is None


def test_only_the_index_and_its_files_server_are_asked(tmp_path: Path) -> None:
    updater = ReleaseUpdater(ApiClient(), Releases(tmp_path), {})
    assert {host for _, host, _ in updater._places} == {"pypi.org", "files.pythonhosted.org"}
