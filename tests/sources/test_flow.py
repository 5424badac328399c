"""Flow's session, key and errors: each is asked for once, and what it means is said in one sentence."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import pytest
from aioresponses import aioresponses
from msgspec import json, structs

from tests.servers import flow_data as data
from tests.servers.flow import FakeFlow
from trayagent.model.errors import DownloadError
from trayagent.model.settings import SourceSettings as Settings
from trayagent.model.transfer import Content, Request, Target
from trayagent.net.api_client import ApiClient
from trayagent.sources.api_client import ApiAnswer, SourceClient
from trayagent.sources.build import build
from trayagent.sources.flow import FlowMedia
from trayagent.sources.flow_session import FlowSession
from trayagent.sources.source import CursorError, Source, SourceError, TrialSecrets

SESSION = "/fx/api/auth/session"


@pytest.fixture
def fake() -> Iterator[FakeFlow]:
    with FakeFlow() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    async with ApiClient() as one:
        yield one


def settings(fake: FakeFlow, **more: str) -> Settings:
    made = Settings("flow", labs_base=fake.labs_base, media_base=fake.media_base, page_delay="0")
    return structs.replace(made, **more)


async def flow(
    fake: FakeFlow, client: ApiClient, *, environ: Mapping[str, str] | None = None, **more: str
) -> Source:
    secrets = TrialSecrets()
    await secrets.set("spare", data.API_KEY)
    source = build(settings(fake, **more), client, secrets, environ or {})
    await source.sign_in("st-alice-1")
    return source


async def fetched(
    source: Source, medium: data.FlowMedium, failure: DownloadError | None = None
) -> Content | Request:
    key = f"flow:alice@example.test/{medium.name}"
    answer = await source.resolve(
        key, Target(Path("/nowhere")), failure, lambda received, size: None
    )
    assert isinstance(answer, (Content, Request))
    return answer


async def test_signing_in_says_who_and_until_when(fake: FakeFlow, client: ApiClient) -> None:
    source = build(settings(fake), client, TrialSecrets(), {})
    assert not await source.has_secrets()
    account = await source.sign_in("Cookie: x=y; next-auth.session-token=st-bob-1")
    assert account.sentence == "Signed in as bob@example.test, until 2025-11-01T01:00:00.000Z"
    assert await source.has_secrets()
    await source.sign_out()
    assert not await source.has_secrets()
    with pytest.raises(SourceError, match="not signed in"):
        await source.account()


@pytest.mark.parametrize("text", ["nothing here at all", "st-nobody-1", "st-dead-1"])
async def test_a_session_that_does_not_work_is_not_kept(
    fake: FakeFlow, client: ApiClient, text: str
) -> None:
    source = build(settings(fake), client, TrialSecrets(), {})
    with pytest.raises(SourceError):
        await source.sign_in(text)
    assert not await source.has_secrets()


async def test_of_a_browsers_export_only_the_sites_own_session_is_taken_and_sent(
    fake: FakeFlow, client: ApiClient
) -> None:
    line = "{}\tFALSE\t/\tTRUE\t1893456000\t__Secure-next-auth.session-token{}\t{}\n"
    others = line.format("another.example", ".0", "st-alice") + line.format(
        "another.example", ".1", "-1"
    )
    secrets = TrialSecrets()
    source = build(settings(fake), client, secrets, {})
    with pytest.raises(SourceError, match=r"no session cookie of 127\.0\.0\.1") as failed:
        await source.sign_in(others)
    assert failed.value.code == "no_cookie"
    assert fake.state.requests.total() == 0
    own = line.format("127.0.0.1", "", "st-bob-1")
    assert (await source.sign_in(others + own)).account == "bob@example.test"
    assert await secrets.get("flow/session") == "st-bob-1"


async def test_a_token_that_comes_with_an_error_is_none(fake: FakeFlow, client: ApiClient) -> None:
    source = await flow(fake, client)
    fake.scenario(session_error=True)
    with pytest.raises(SourceError, match="not signed in"):
        await source.account()


@pytest.mark.parametrize(
    "api_key", ["", data.API_KEY, "env:FLOW_KEY", "keyring:spare", "wrong-key"]
)
async def test_the_key_is_set_or_found(fake: FakeFlow, client: ApiClient, api_key: str) -> None:
    source = await flow(fake, client, api_key=api_key, environ={"FLOW_KEY": data.API_KEY})
    answers = [await fetched(source, data.image("alice", i)) for i in (1, 2, 3)]
    assert [answer.data for answer in answers if isinstance(answer, Content)] == [
        data.image("alice", i).body for i in (1, 2, 3)
    ]
    assert fake.state.requests["/_next"] == (1 if api_key in {"", "wrong-key"} else 0)


async def test_many_who_find_the_token_dead_ask_for_one(fake: FakeFlow, client: ApiClient) -> None:
    source = await flow(fake, client)
    await fetched(source, data.image("alice", 1))
    asked = fake.state.requests[SESSION]
    fake.state.now += 3601
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(fetched(source, data.image("alice", i)), name=str(i))
            for i in range(1, 9)
        ]
    assert all(isinstance(task.result(), Content) for task in tasks)
    assert fake.state.requests[SESSION] == asked + 1


async def test_a_token_is_renewed_before_its_end(fake: FakeFlow, client: ApiClient) -> None:
    clock = [0.0]
    secrets = TrialSecrets()
    await secrets.set("flow/session", "st-alice-1")
    web = SourceClient(client, frozenset({fake.base.removeprefix("http://")}))
    session = FlowSession(
        "flow", web, secrets, labs_base=fake.labs_base, api_key="", environ={},
        clock=lambda: clock[0], now=lambda: data.NOW + clock[0],
    )  # fmt: skip
    first = await session.token()
    clock[0] = 3239
    assert await session.token() == first
    clock[0] = 3241  # a tenth of its hour before the end
    fake.state.now += 3601
    assert await session.token() != first
    assert fake.state.requests[SESSION] == 2
    assert first not in repr(session)


async def test_a_refused_session_is_left_alone_for_a_minute(
    fake: FakeFlow, client: ApiClient
) -> None:
    source = await flow(fake, client)
    fake.state.tokens.clear()
    fake.state.signed_out.add("alice")
    for i in range(1, 6):
        with pytest.raises(DownloadError) as caught:
            await fetched(source, data.image("alice", i))
        assert caught.value.code == "needs_login"
    assert fake.state.requests[SESSION] == 2


@pytest.mark.parametrize("told", [7, {"page": 2}, "t" * 20_000, True])
async def test_a_page_token_of_another_kind_is_not_the_end(
    fake: FakeFlow, client: ApiClient, told: object
) -> None:
    source = await flow(fake, client)
    row = {"name": data.image("alice", 1).name, "createTime": "soon"}
    answer = {"status": 200, "result": {"userWorkflows": [row], "nextPageToken": told}}
    body = json.encode({"result": {"data": {"json": answer}}})
    with aioresponses() as replies:
        replies.get(re.compile(f"{fake.labs_base}/api/trpc/.*"), body=body)
        page = await source.page(None)
    assert (len(page.items), page.undated) == (1, 1)
    assert (page.next is None) == (page.cut_off is not None) == (told not in (7, {"page": 2}))


async def test_a_question_that_is_not_taken_is_no_missing_file(
    fake: FakeFlow, client: ApiClient
) -> None:
    source = await flow(fake, client)
    with aioresponses() as replies:
        replies.get(re.compile(f"{fake.labs_base}/api/trpc/.*"), status=400, repeat=True)
        with pytest.raises(SourceError, match="HTTP 400") as failed:
            await source.page(None)
        with pytest.raises(CursorError):
            await source.page("c")
    assert failed.value.code == "bad_request"


async def test_a_page_shows_what_the_listing_says(fake: FakeFlow, client: ApiClient) -> None:
    fake.scenario(include_videos=True)
    source = await flow(fake, client)
    page = await source.page(None)
    assert (len(page.items), page.broken) == (18, 0)
    video, image = page.items[0], page.items[3]
    assert (video.kind, video.media_key, video.aspect_ratio) == (
        "video", data.video(3).key, "VIDEO_ASPECT_RATIO_LANDSCAPE",
    )  # fmt: skip
    expected = data.image("alice", 1)
    assert (image.ident, image.kind, image.media_key, image.workflow_id, image.created, image.link) == (
        expected.name, "image", expected.key, expected.workflow, expected.micros / 1e6, None,
    )  # fmt: skip
    with pytest.raises(CursorError):
        await source.page("kc1.nonsense")


class OneAnswerClient(SourceClient):
    """A web that answers what the test says."""

    def __init__(self, answer: ApiAnswer) -> None:
        self.named = frozenset({"labs.google:443"})
        self._answer = answer

    async def get(self, url: str, secret: Mapping[str, str], *, limit: int = 0) -> ApiAnswer:
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        ApiAnswer(200, "flow.google.com:443", (), b"<html>"),
        ApiAnswer(404, "labs.google:443", (), b""),
    ],
    ids=["redirected", "gone"],
)
async def test_a_moved_service_is_told_so(answer: ApiAnswer) -> None:
    session = FlowSession(
        "flow",
        OneAnswerClient(answer),
        TrialSecrets(),
        labs_base="https://labs.google/fx",
        api_key="",
        environ={},
    )
    with pytest.raises(SourceError, match=r"moved this account to flow\.google\.com"):
        await session.account({"Cookie": "x"})


async def test_a_nameless_or_unusable_entry_is_left_out(fake: FakeFlow, client: ApiClient) -> None:
    source = await flow(fake, client)
    images = fake.state.images["alice"]
    images[0] = type(images[0])(**{**vars(images[0]), "listed": "../../etc/passwd"})
    images[1] = type(images[1])(**{**vars(images[1]), "listed": "a?b#c"})
    images[2] = type(images[2])(**{**vars(images[2]), "listed": ""})
    page = await source.page(None)
    assert (len(page.items), page.broken) == (15, 3)


@pytest.mark.parametrize(
    ("email", "account"),
    [
        ("a.b+c@example.test", "a.b+c@example.test"),
        ("a/b\x1b[2J @x", "a_b__2J_@x"),
        ("", "default"),
        (7, "default"),
    ],
)
async def test_an_account_is_safe_to_show_and_to_keep(email: object, account: str) -> None:
    body = json.encode({"access_token": "ya29.plain", "user": {"email": email}})
    session = FlowSession(
        "flow",
        OneAnswerClient(ApiAnswer(200, "labs.google:443", (), body)),
        TrialSecrets(),
        labs_base="https://labs.google/fx",
        api_key="",
        environ={},
    )
    assert (await session.account({"Cookie": "x"})).account == account


async def test_a_session_without_anything_optional_works(fake: FakeFlow) -> None:
    body = json.encode({"access_token": "ya29.plain", "expires": "soon"})
    answer = ApiAnswer(200, "labs.google:443", (), body)
    session = FlowSession(
        "flow",
        OneAnswerClient(answer),
        TrialSecrets(),
        labs_base="https://labs.google/fx",
        api_key="",
        environ={},
    )
    account = await session.account({"Cookie": "x"})
    assert (account.account, account.until) == ("default", None)


class ScriptedClient(SourceClient):
    """Answers what a test has written down, in turn."""

    def __init__(self, *answers: bytes | DownloadError) -> None:
        self.named = frozenset()
        self._answers = list(answers)

    async def get(self, url: str, secret: Mapping[str, str], *, limit: int = 0) -> ApiAnswer:
        answer = self._answers.pop(0)
        if isinstance(answer, DownloadError):
            raise answer
        return ApiAnswer(200, "media.example:443", (), answer)


class SignedIn(FlowSession):
    """A session that needs to ask nobody."""

    def __init__(self) -> None:
        """Nothing is kept."""

    async def token(self, refused: str | None = None) -> str:
        return "token"

    async def key(self, refused: str | None = None) -> str:
        return "key"


async def test_a_server_that_is_only_busy_leaves_another_try() -> None:
    """The link failed for good, but nobody could say whether a fresh one would work."""
    link = b'{"image": {"fifeUrl": "https://media.example/1"}}'
    media = FlowMedia(
        ScriptedClient(link, DownloadError("server_busy")), SignedIn(), "https://media.example"
    )
    assert isinstance(await media.answer("CAMone", None), Request)
    with pytest.raises(DownloadError) as caught:
        await media.answer("CAMone", DownloadError("forbidden", "HTTP 403"))
    assert caught.value.code == "server_busy"
