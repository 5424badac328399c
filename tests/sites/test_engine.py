"""What people send is a page: the medium behind it becomes a file, or the reason is plain."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.running_queue import until
from tests.servers.site import Site, changed, media, streams
from tests.sites.rig import resolving
from trayagent.model.downloads import Cookie
from trayagent.model.errors import DownloadError
from trayagent.model.settings import DownloadSettings, NetworkSettings
from trayagent.model.transfer import Made, Request
from trayagent.sites.protocol import MediumAddress, PageSeen, SeveralVideos

FILM = {"/film.mp4": b"\x00\x00\x00\x18ftypisom" + bytes(4000)}


@pytest.fixture(scope="session")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the media of this run are made."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture
def site() -> Iterator[Site]:
    """A site with one plain film."""
    with Site(FILM) as running:
        yield running


JSON_LD = (
    '<script type="application/ld+json">{"@context":"https://schema.org","@type":"VideoObject",'
    '"name":"A Film","contentUrl":"BASE/film.mp4"}</script>'
)
PAGES = {
    "video": ('<video src="/film.mp4"></video>', ""),
    "source": ('<video><source src="film.mp4" type="video/mp4"></video>', ""),
    "og:video": ("", '<meta property="og:video" content="BASE/film.mp4">'),
    "JSON-LD": ("", JSON_LD),
}


async def test_a_page_is_looked_at_and_nothing_is_fetched(site: Site, tmp_path: Path) -> None:
    """One medium has a title and its forms; a page with several names them."""
    one = site.page("/watch", '<video src="/film.mp4"></video>')
    films = "".join(f'<video src="/film.mp4?{n}"></video>' for n in range(3))
    several = site.page("/three", films, title="Three Films")
    nothing = site.page("/text", "<p>no film</p>")
    async with resolving(tmp_path / "to", site.authority) as rig:

        async def look(url: str) -> PageSeen:
            return await rig.engine.look(Request(url, named=frozenset({site.authority})))

        assert (await look(one)).title == "A Film"
        seen = await look(several)
        assert (seen.title, len(seen.entries), seen.total) == ("Three Films", 3, 3)
        with pytest.raises(DownloadError) as error:
            await look(nothing)
        assert error.value.code == "no_media_found"
        assert rig.scratches() == []
    assert site.times("/film.mp4") <= 4, "looked at, but not fetched"


@pytest.mark.parametrize("kind", PAGES)
async def test_a_plain_file_on_a_page_is_left_to_transfer(
    site: Site, tmp_path: Path, kind: str
) -> None:
    body, head = (text.replace("BASE", site.base) for text in PAGES[kind])
    url = site.page("/watch", body, head=head)
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(url)
    assert isinstance(answer, MediumAddress)
    assert answer.request.url == f"{site.base}/film.mp4"
    assert answer.request.named == {site.authority}
    assert answer.filename == "A Film.mp4"
    assert site.times("/film.mp4") <= 1, "looked at, but not fetched"


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    "form", ["ts/index.m3u8", "fmp4/index.m3u8", "aes/index.m3u8", "dash/index.mpd"]
)
async def test_a_manifest_becomes_one_whole_file(
    site: Site, forms: Path, tmp_path: Path, form: str
) -> None:
    site.files |= media(forms, form)
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(f"{site.base}/{form}", title="The evening's news")
        assert isinstance(answer, Made)
        assert answer.filename == "The evening's news.mp4"
        assert answer.path.parent in rig.scratches()
        assert rig.told, "progress is told"
        found = streams(answer.path)
        assert found.keys() == {"video", "audio"}
        assert all(3.8 <= seconds <= 4.3 for seconds in found.values())


@pytest.mark.needs("ffmpeg")
async def test_a_manifest_inside_a_page_is_found(site: Site, forms: Path, tmp_path: Path) -> None:
    site.files |= media(forms, "ts/index.m3u8")
    url = site.page(
        "/watch", '<video><source src="/ts/index.m3u8" type="application/x-mpegURL"></video>'
    )
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(url)
        assert isinstance(answer, Made)
        assert answer.filename == "A Film.mp4"


@pytest.mark.needs("ffmpeg")
async def test_sound_alone(site: Site, forms: Path, tmp_path: Path) -> None:
    site.files |= media(forms, "dash/index.mpd", "film.mp4")
    url = site.page("/watch", '<video src="/film.mp4"></video>')
    async with resolving(tmp_path / "to", site.authority) as rig:
        for id, address in (("d1", f"{site.base}/dash/index.mpd"), ("d2", url)):
            answer = await rig.resolve(address, id, quality="audio")
            assert isinstance(answer, Made)
            assert answer.filename.endswith(".m4a")
            assert streams(answer.path).keys() == {"audio"}


@pytest.mark.needs("ffmpeg")
async def test_without_ffmpeg_what_comes_in_one_piece_is_taken(
    site: Site, forms: Path, tmp_path: Path
) -> None:
    site.files |= media(forms, "ts/index.m3u8", "dash/index.mpd")
    async with resolving(tmp_path / "to", site.authority, path=str(tmp_path)) as rig:
        answer = await rig.resolve(f"{site.base}/ts/index.m3u8")
        assert isinstance(answer, Made)
        assert answer.filename == "index.ts", "nobody could put it into another container"
        with pytest.raises(DownloadError, match="install ffmpeg"):
            await rig.resolve(f"{site.base}/dash/index.mpd", "d2")


@pytest.mark.needs("ffmpeg")
async def test_the_quality_asked_for_is_taken(site: Site, forms: Path, tmp_path: Path) -> None:
    site.files |= media(forms, "ts/index.m3u8")
    site.files["/main.m3u8"] = b"""#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=9000000,RESOLUTION=1920x1080,CODECS="avc1.640028,mp4a.40.2"
/high/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1000000,RESOLUTION=640x360,CODECS="avc1.640028,mp4a.40.2"
/ts/index.m3u8
"""
    for name, body in list(site.files.items()):
        if name.startswith("/ts/"):
            site.files[name.replace("/ts/", "/high/")] = body
    async with resolving(tmp_path / "to", site.authority, quality="360") as rig:
        await rig.resolve(f"{site.base}/main.m3u8")
        assert site.times("/high/index0.ts") == 0
        await rig.resolve(f"{site.base}/main.m3u8", "d2", quality="best")
        assert site.times("/high/index0.ts") > 0


@pytest.mark.needs("ffmpeg")
async def test_subtitles_come_along(site: Site, forms: Path, tmp_path: Path) -> None:
    site.files |= media(forms, "ts/index.m3u8")
    site.files["/main.m3u8"] = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="English",LANGUAGE="en",URI="/en.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=96x64,CODECS="avc1.640028,mp4a.40.2",SUBTITLES="subs"
/ts/index.m3u8
"""
    site.files["/en.m3u8"] = (
        b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n/en.vtt\n#EXT-X-ENDLIST\n"
    )
    site.files["/en.vtt"] = b"WEBVTT\n\n00:00.000 --> 00:03.000\nHello\n"
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(f"{site.base}/main.m3u8", subtitles=("en", "de"))
        assert isinstance(answer, Made)
        assert streams(answer.path).keys() == {"video", "audio", "subtitle"}
        answer = await rig.resolve(f"{site.base}/ts/index.m3u8", "d2", subtitles=("en",))
        assert isinstance(answer, Made)
        assert answer.warning == "It has no such subtitles."


LIVE = (b"#EXT-X-ENDLIST", b"")


@pytest.mark.needs("ffmpeg")
@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (LIVE, "live broadcast"),
        ((b"METHOD=AES-128", b"METHOD=SAMPLE-AES"), "protected"),
    ],
)
async def test_what_has_no_end_or_is_protected_is_refused_clearly(
    site: Site, forms: Path, tmp_path: Path, edit: tuple[bytes, bytes], says: str
) -> None:
    made = media(forms, "aes/index.m3u8")
    site.files |= changed(made, "/aes/index.m3u8", lambda body: body.replace(*edit))
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(DownloadError, match=says) as caught:
            await rig.resolve(f"{site.base}/aes/index.m3u8")
        assert caught.value.code == "no_media_found"
        assert rig.scratches() == []


@pytest.mark.needs("ffmpeg")
async def test_a_missing_segment_is_no_film(site: Site, forms: Path, tmp_path: Path) -> None:
    site.files |= media(forms, "ts/index.m3u8")
    first_three = sum(len(site.files[f"/ts/index{number}.ts"]) for number in range(3))
    site.statuses["/ts/index3.ts"] = 404
    # yt-dlp fetches four at a time and closes the film at the first refusal: what it had not
    # written by then is lost. So the refusal comes after the three before it are in the file.
    refusal = site.hold("/ts/index3.ts")
    async with resolving(tmp_path / "to", site.authority) as rig, asyncio.TaskGroup() as group:

        async def refuse_the_last() -> None:
            await until(lambda: first_three in map(_size, rig.scratches()))
            refusal.set()

        group.create_task(refuse_the_last(), name="the last segment's refusal")
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(f"{site.base}/ts/index.m3u8")
        assert (caught.value.code, caught.value.detail) == ("not_found", "HTTP 404")
        assert len(rig.scratches()) == 1, "what came is kept"
        del site.statuses["/ts/index3.ts"]
        assert isinstance(await rig.resolve(f"{site.base}/ts/index.m3u8"), Made)
        assert [site.times(f"/ts/index{number}.ts") for number in range(3)] == [1, 1, 1], (
            "and gone on from"
        )


def _size(scratch: Path) -> int:
    """Bytes of the medium on its way in a scratch folder."""
    return sum(file.stat().st_size for file in scratch.glob("media.*.part"))


PIECE = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/seg.ts\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("status", "code"), [(404, "not_found"), (403, "forbidden"), (503, "server_error")]
)
async def test_a_piece_that_is_refused_has_the_servers_reason(
    site: Site, tmp_path: Path, status: int, code: str
) -> None:
    site.files["/list.m3u8"] = PIECE
    site.statuses["/seg.ts"] = status
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(f"{site.base}/list.m3u8")
    assert (caught.value.code, caught.value.detail) == (code, f"HTTP {status}")


TS = (b"\x47" + bytes(187)) * 270
BEFORE = {
    "blank lines": b"\n\n" + PIECE,
    "a mark": b"\xef\xbb\xbf" + PIECE,
    "a title in Latin-1": PIECE.replace(b"#EXTINF:1,", b"#EXTINF:1,\xc9t\xe9"),
    "another coding": PIECE.decode().encode("utf-16"),
    "nothing": PIECE,
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("path", ["/list.m3u8", "/play"])
async def test_a_playlist_is_one_by_its_content(
    site: Site, tmp_path: Path, before: str, path: str
) -> None:
    site.files |= {path: BEFORE[before], "/seg.ts": TS}
    async with resolving(tmp_path / "to", site.authority) as rig:
        made = await rig.resolve(site.base + path)
        assert isinstance(made, Made)
        assert made.filename.endswith(".ts")
        assert made.path.read_bytes() == TS


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
async def test_a_film_has_the_users_mode_and_is_hidden_until_it_is_done(
    site: Site, tmp_path: Path
) -> None:
    site.files |= {"/list.m3u8": PIECE, "/seg.ts": TS}
    before = os.umask(0o002)
    try:
        async with resolving(tmp_path / "to", site.authority) as rig:
            made = await rig.resolve(f"{site.base}/list.m3u8")
    finally:
        os.umask(before)
    assert isinstance(made, Made)
    assert made.path.stat().st_mode & 0o777 == 0o664
    assert made.path.parent.stat().st_mode & 0o777 == 0o700


MPD = (
    '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet'
    ' contentType="video"><Representation id="0" mimeType="video/mp4" codecs="avc1.64000a" bandwidth="14636"'
    ' width="128" height="72">INSIDE</Representation></AdaptationSet></Period></MPD>'
)
TEMPLATE = MPD.replace(
    "INSIDE",
    '<SegmentTemplate timescale="10" initialization="/film.mp4" media="/$Number$.m4s" startNumber="1" duration="40"/>',
)
RANGES = MPD.replace(
    "INSIDE",
    '<BaseURL>film.mp4</BaseURL><SegmentList duration="4"><Initialization range="0-31"/>'
    '<SegmentURL mediaRange="32-4019"/></SegmentList>',
)


@pytest.mark.parametrize(
    "before",
    ["", "<!-- by a packager -->\n", "\ufeff", "\n", '<?xml version="1.0" encoding="utf-16"?>'],
)
@pytest.mark.parametrize("path", ["/a.mpd", "/play"])
async def test_a_dash_manifest_is_one_by_its_content(
    site: Site, tmp_path: Path, before: str, path: str
) -> None:
    site.files |= {path: (before + TEMPLATE).encode(), "/1.m4s": bytes(900)}
    async with resolving(
        tmp_path / "to", site.authority, path=""
    ) as rig:  # no ffmpeg to look into it
        made = await rig.resolve(site.base + path)
        assert isinstance(made, Made)
        assert made.path.read_bytes() == FILM["/film.mp4"] + bytes(900)


async def test_byte_ranges_of_one_file_are_that_file(site: Site, tmp_path: Path) -> None:
    site.files["/a.mpd"] = RANGES.encode()
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(f"{site.base}/a.mpd")
        assert isinstance(answer, MediumAddress)
        assert answer.request.url == f"{site.base}/film.mp4"
        assert answer.filename.endswith(".mp4")


async def test_what_yt_dlp_stumbles_over_is_no_fault_of_ours(site: Site, tmp_path: Path) -> None:
    site.files["/a.mpd"] = RANGES.replace(
        "</Seg", '<SegmentURL mediaRange="1-2"/><SegmentURL media="x"/></Seg', 1
    ).encode()
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(
            DownloadError, match="yt-dlp, the page engine, stumbled over it"
        ) as caught:
            await rig.resolve(f"{site.base}/a.mpd")
    assert caught.value.code == "no_media_found"
    assert "trayagent sites update" in caught.value.message


@pytest.mark.parametrize("path", ["/list.m3u8", "/seg.ts"])
async def test_a_server_that_speaks_nonsense_is_at_fault_itself(
    site: Site, tmp_path: Path, path: str
) -> None:
    site.files["/list.m3u8"] = PIECE
    site.redirects[path] = "http://[::1"
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(f"{site.base}/list.m3u8")
    assert caught.value.code == "server_error"


async def test_several_on_a_page_are_a_choice(site: Site, tmp_path: Path) -> None:
    videos = "".join(f'<video src="/film.mp4?{n}"></video>' for n in range(60))
    url = site.page("/list", videos, title="All films")
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(url)
        assert isinstance(answer, SeveralVideos)
        assert answer.title == "All films"
        assert len(answer.others) == 49
        assert answer.left_out >= 1
        assert answer.first.url == f"{site.base}/film.mp4?0"
        await rig.engine.take_first(rig.page(url), answer)
        again = await rig.resolve(url)
        assert isinstance(again, MediumAddress)
        assert again.request.url == answer.first.url


REFUSALS = {404: "not_found", 429: "server_busy"}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_page_that_is_refused_has_the_reason(
    site: Site, tmp_path: Path, status: int
) -> None:
    url = site.page("/watch", "")
    site.statuses["/watch"] = status
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(url)
    assert caught.value.code == REFUSALS[status]


async def test_a_page_without_media_says_so(site: Site, tmp_path: Path) -> None:
    url = site.page("/text", "<p>only words</p>")
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(f"{url}?token=CANARY")
        assert caught.value.code == "no_media_found"
        assert caught.value.message == "No video or audio was found on this page."
        assert rig.scratches() == []


async def test_cookies_go_where_they_belong_and_onto_no_disk(site: Site, tmp_path: Path) -> None:
    url = site.page("/members", '<video src="/film.mp4"></video>')
    site.needs_cookie["/members"] = "session=CANARY"
    cookies = (
        Cookie("session", "CANARY", "127.0.0.1"),
        Cookie("other", "ELSEWHERE", "example.com"),
    )
    async with resolving(tmp_path / "to", site.authority) as rig:
        answer = await rig.resolve(url, cookies=cookies)
        assert isinstance(answer, MediumAddress)
        assert [(one.name, one.value) for one in answer.request.cookies] == [("session", "CANARY")]
        written = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not [path for path in written if b"CANARY" in path.read_bytes()]
    sent = [headers.get("cookie", "") for path, headers in site.asked if path == "/members"]
    assert sent
    assert all(cookie == "session=CANARY" for cookie in sent)


async def test_a_page_cannot_lead_into_a_private_network(site: Site, tmp_path: Path) -> None:
    with Site(FILM) as inside:
        url = site.page("/watch", "")
        site.redirects["/watch"] = f"{inside.base}/film.mp4"
        manifest = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{inside.base}/film.mp4\n#EXT-X-ENDLIST\n"
        site.files["/list.m3u8"] = manifest.encode()
        async with resolving(tmp_path / "to", site.authority) as rig:
            for id, address in (("d1", url), ("d2", f"{site.base}/list.m3u8")):
                with pytest.raises(DownloadError) as caught:
                    await rig.resolve(address, id)
                assert caught.value.code == "blocked_address", caught.value
        assert inside.asked == []


MASTER = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=900000
INSIDE/v.m3u8
"""
PRIVATE = {
    "a form": MASTER,
    "a form, where pieces are expected": f"{MASTER}#EXT-X-TARGETDURATION:10\n#EXT-X-ENDLIST\n",
    "a key": """#EXTM3U
#EXT-X-TARGETDURATION:9
#EXT-X-KEY:METHOD=AES-128,URI="INSIDE/key"
#EXTINF:9,
/film.mp4
#EXT-X-ENDLIST
""",
}


@pytest.mark.parametrize("what", PRIVATE)
async def test_a_manifest_that_leads_into_a_private_network_is_called_that(
    site: Site, tmp_path: Path, what: str
) -> None:
    with Site(FILM) as inside:
        site.files["/list.m3u8"] = PRIVATE[what].replace("INSIDE", inside.base).encode()
        async with resolving(tmp_path / "to", site.authority) as rig:
            with pytest.raises(DownloadError) as caught:
                await rig.resolve(f"{site.base}/list.m3u8")
            assert caught.value.code == "blocked_address", caught.value
            assert rig.scratches() == [], "nothing is here to go on from"
        assert inside.asked == []


HERE = {
    "a piece": "#EXTINF:9,\nfile://SECRET\n",
    "pieces in a row": "#EXTINF:9,\nconcat:SECRET|SECRET\n",
    "a key": '#EXT-X-KEY:METHOD=AES-128,URI="file://SECRET"\n#EXTINF:9,\n/film.mp4\n',
    "a beginning": '#EXT-X-MAP:URI="file://SECRET"\n#EXTINF:9,\n/film.mp4\n',
}


@pytest.mark.parametrize("what", HERE)
async def test_a_page_may_not_read_this_machines_files(
    site: Site, tmp_path: Path, what: str
) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_text("CANARY")
    entries = HERE[what].replace("SECRET", f"/{secret.as_posix().lstrip(chr(47))}")
    manifest = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n{entries}#EXT-X-ENDLIST\n"
    site.files["/list.m3u8"] = manifest.encode()
    async with resolving(tmp_path / "to", site.authority) as rig:
        with pytest.raises(DownloadError, match="not on the web") as caught:
            await rig.resolve(f"{site.base}/list.m3u8")
        assert caught.value.code == "no_media_found"
        assert rig.scratches() == []


@pytest.mark.needs("ffmpeg")
async def test_a_file_over_the_limit_is_refused(site: Site, forms: Path, tmp_path: Path) -> None:
    site.files |= media(forms, "ts/index.m3u8")
    small = DownloadSettings(folder=str(tmp_path / "to"), keep_free="0", max_size="10KB")
    async with resolving(tmp_path / "to", site.authority, downloads=small) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(f"{site.base}/ts/index.m3u8")
    assert caught.value.code == "too_large"


async def test_only_sites_known_by_name(site: Site, tmp_path: Path) -> None:
    url = site.page("/watch", '<video src="/film.mp4"></video>')
    async with resolving(tmp_path / "to", site.authority) as rig:
        for number in range(4):
            assert await rig.resolve(url, f"d{number}", known_only=True) is None
        assert site.asked == [], "not even looked at"
        assert rig.scratches() == []


async def test_a_known_site_is_asked_for_what_it_has(tmp_path: Path) -> None:
    """Nothing leaves the machine: the gateway has no way out but a proxy that is not there."""
    nowhere = NetworkSettings(proxy="http://127.0.0.1:9")
    async with resolving(tmp_path / "to", network=nowhere) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve("https://vimeo.com/76979871", known_only=True)
    assert caught.value.code == "network"
