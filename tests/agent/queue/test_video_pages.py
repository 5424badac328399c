"""What routing decides is carried out, and a page's word is never taken for the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from trayagent.agent.queue.video_pages import VideoPages
from trayagent.model.downloads import Cookie, Item, Via
from trayagent.model.errors import DownloadError
from trayagent.model.jobs import Job, Order
from trayagent.model.transfer import Content, Fetched, Made, Progress, Request, Target
from trayagent.sites.protocol import MediumAddress, PageAnswer, PageEntry, SeveralVideos, VideoPage

URL = "https://example.com/watch"
HTML = DownloadError("not_media", "a web page", found="html")
DONE = Fetched(Path("/d/film.mp4"), 4)


@dataclass
class AnsweringTransfer:
    """Answers in turn; a file when it has no more answers."""

    answers: list[DownloadError] = field(default_factory=list)
    fetched: list[tuple[Request, Target]] = field(default_factory=list)
    published: list[tuple[Made | Content, Target]] = field(default_factory=list)

    async def fetch(self, request: Request, target: Target, progress: Progress) -> Fetched:
        self.fetched.append((request, target))
        if self.answers:
            raise self.answers.pop(0)
        return DONE

    async def publish(self, made: Made | Content, target: Target, progress: Progress) -> Fetched:
        self.published.append((made, target))
        return DONE


@dataclass
class FakeEngine:
    """Answers in turn, and remembers."""

    answers: list[PageAnswer | DownloadError]
    pages: list[VideoPage] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def resolve(self, page: VideoPage, note: object) -> PageAnswer:
        self.pages.append(page)
        answer = self.answers.pop(0)
        if isinstance(answer, DownloadError):
            raise answer
        return answer

    async def take_first(self, page: VideoPage, choice: SeveralVideos) -> None:
        self.told.append("chosen")

    async def discard(self, id: str) -> None:
        self.told.append(f"discard {id}")

    async def keep_resumable(self, id: str, error: DownloadError) -> None:
        self.told.append(f"failed {id}: {error.code}")


@dataclass
class FakeIntake:
    """Takes items in."""

    batches: list[tuple[str | None, list[Item]]] = field(default_factory=list)

    async def add(self, items: Sequence[Item], *, via: Via, title: str | None = None) -> object:
        self.batches.append((title, list(items)))
        return None


@dataclass
class PagesRig:
    """Pages between the three."""

    transfer: AnsweringTransfer
    engine: FakeEngine
    intake: FakeIntake = field(default_factory=FakeIntake)

    async def fetch(
        self, url: str = URL, *, via: Via = "cli", request: Request | None = None, **order: object
    ) -> Fetched:
        job = Job(1, "d1", url, url, "example.com:443", Order(**order), None, 0, via, None)  # type: ignore[arg-type]
        target = Target(Path("/d"), filename=job.order.filename, kind=job.order.kind)
        pages = VideoPages(self.transfer, self.engine, self.intake)
        return await pages.fetch(job, request or Request(url), target, Progress())


def rig(*engine: PageAnswer | DownloadError, transfer: Sequence[DownloadError] = ()) -> PagesRig:
    """AnsweringTransfer fails so often, the engine answers so."""
    return PagesRig(AnsweringTransfer(list(transfer)), FakeEngine(list(engine)))


ADDRESS = MediumAddress(Request("https://cdn.example.com/1.mp4"), "A Film.mp4")
MADE = Made(Path("/scratch/media.mkv"), "A Film.mkv")


async def test_a_direct_file_never_meets_the_engine() -> None:
    one = rig()
    assert await one.fetch() == DONE
    assert one.engine.pages == []
    assert one.transfer.fetched[0][1].pages


async def test_what_an_answer_left_is_looked_after_when_it_came_to_nothing() -> None:
    one = rig(ADDRESS, transfer=[DownloadError("not_found")])
    with pytest.raises(DownloadError):
        await one.fetch(kind="page")
    assert one.engine.told == ["failed d1: not_found"]


async def test_a_page_is_asked_for_its_file() -> None:
    one = rig(ADDRESS)
    await one.fetch(kind="page", title="Tab title", subtitles=("en",))
    page = one.engine.pages[0]
    assert (page.id, page.title, page.subtitles, page.known_only) == (
        "d1",
        "Tab title",
        ("en",),
        False,
    )
    request, target = one.transfer.fetched[0]
    assert (request, target.filename, target.kind) == (ADDRESS.request, "A Film.mp4", "auto")
    assert one.engine.told == ["discard d1"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "A Film.mkv"),
        ("mine", "mine.mkv"),
        ("mine.mp4", "mine.mkv"),
        ("mine.mkv", "mine.mkv"),
        ("v1.2", "v1.2.mkv"),
        ("x.m3u8", "x.mkv"),
        ("X.MPD", "X.mkv"),
        ("watch.php", "watch.mkv"),
        (".m3u8", ".m3u8.mkv"),
    ],
)
async def test_the_name_asked_for_has_the_ending_of_what_was_made(
    wanted: str | None, name: str
) -> None:
    one = rig(MADE)
    await one.fetch(kind="page", filename=wanted)
    assert one.transfer.published[0][1].filename == name


async def test_html_of_a_site_nobody_knows_is_a_plain_file() -> None:
    one = rig(None, transfer=[HTML])
    assert await one.fetch() == DONE
    assert one.engine.pages[0].known_only
    assert [target.pages for _, target in one.transfer.fetched] == [True, False]


async def test_html_of_a_site_known_by_name_is_a_page() -> None:
    one = rig(MADE, transfer=[HTML])
    assert await one.fetch() == DONE
    assert one.transfer.published


@pytest.mark.parametrize(
    ("order", "known_only"), [({"kind": "video"}, False), ({"quality": "720"}, False)]
)
async def test_who_wants_a_medium_never_gets_a_page(
    order: dict[str, object], known_only: bool
) -> None:
    one = rig(DownloadError("no_media_found"), transfer=[HTML])
    with pytest.raises(DownloadError) as caught:
        await one.fetch(**order)  # type: ignore[arg-type]
    assert caught.value.code == "no_media_found"
    assert one.engine.pages[0].known_only is known_only


async def test_a_login_page_is_told_as_such() -> None:
    login = DownloadError("needs_login", found="html")
    one = rig(DownloadError("no_media_found"), transfer=[login])
    with pytest.raises(DownloadError) as caught:
        await one.fetch(via="extension")
    assert caught.value is login


@pytest.mark.parametrize("error", [DownloadError("not_found"), DownloadError("network")])
async def test_other_failures_are_transfers_own(error: DownloadError) -> None:
    one = rig(transfer=[error])
    with pytest.raises(DownloadError) as caught:
        await one.fetch(kind="video")
    assert caught.value is error


async def test_a_failure_keeps_what_can_be_resumed() -> None:
    one = rig(DownloadError("stalled"))
    with pytest.raises(DownloadError):
        await one.fetch(kind="page")
    assert one.engine.told == []


async def test_secret_headers_stay_here_but_a_cookie_header_becomes_cookies() -> None:
    one = rig(ADDRESS)
    given = Request(
        URL,
        headers={"Authorization": "Bearer s", "cookie": "a=1; b=2=3; junk"},
        cookies=(Cookie("c", "4", ".example.com"),),
    )
    await one.fetch(kind="page", request=given)
    page = one.engine.pages[0].request
    assert page.headers == {}
    assert [(c.name, c.value, c.domain) for c in page.cookies] == [
        ("a", "1", "example.com"),
        ("b", "2=3", "example.com"),
        ("c", "4", ".example.com"),
    ]


SEVERAL = SeveralVideos(
    "All films",
    PageEntry(f"{URL}?1", "One"),
    (
        PageEntry(f"{URL}?2", "Two"),
        PageEntry("https://cdn.example.com/3.webm", "Three/3", is_page=False),
        PageEntry("http://192.168.1.1/reboot", "Router"),
        PageEntry("http://localhost:17830/api/v1/quit", "Us"),
        PageEntry("http://nas/film.mp4", "Nas", is_page=False),
        PageEntry("file:///etc/passwd", "Passwords"),
        PageEntry("", "Nothing"),
    ),
    7,
)


async def test_several_become_a_batch_and_private_addresses_stay_out() -> None:
    one = rig(SEVERAL, MADE)
    await one.fetch(kind="page", folder="films", quality="720")
    title, items = one.intake.batches[0]
    assert title == "All films"
    assert [(item.url, item.kind, item.filename) for item in items] == [
        (f"{URL}?2", "page", None),
        ("https://cdn.example.com/3.webm", "video", "Three-3.webm"),
    ]
    assert {(item.folder, item.quality, item.page_url) for item in items} == {("films", "720", URL)}
    assert one.engine.told == ["chosen", "discard d1"]
    made = one.transfer.published[0][0]
    assert isinstance(made, Made)
    assert made.warning == "7 more on this page were left out."


async def test_a_list_of_lists_ends() -> None:
    one = rig(SEVERAL, replace(SEVERAL, others=()))
    with pytest.raises(DownloadError, match="further lists"):
        await one.fetch(kind="page")
