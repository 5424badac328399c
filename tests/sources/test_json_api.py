"""A JSON API described in the settings is listed whole and fetched safely, whatever its style."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses
from msgspec import structs

from tests.servers.json_library import TOKEN, JsonLibrary, body
from trayagent.model.errors import DownloadError
from trayagent.model.library import Listed
from trayagent.model.settings import SourceSettings as Settings
from trayagent.model.transfer import Content, Request, Target
from trayagent.net.api_client import ApiClient
from trayagent.sources.build import build
from trayagent.sources.json_origin import JsonAuth
from trayagent.sources.source import CursorError, Source, SourceError, TrialSecrets

LISTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "cursor": (
        {"limit": "{page_size}", "cursor": "{cursor}"},
        {"items": "data.items", "next": "data.next"},
    ),
    "page": ({"limit": "{page_size}", "page": "{page}"}, {"items": "data.items", "style": "page"}),
    "offset": (
        {"limit": "{page_size}", "offset": "{offset}"},
        {"items": "data.items", "style": "offset"},
    ),
    "next_url": (
        {"limit": "{page_size}"},
        {"items": "data.items", "next": "data.next", "style": "next_url"},
    ),
    "link_header": ({"limit": "{page_size}"}, {"items": "data.items", "style": "link_header"}),
}
COOKIE = {"headers": {"Cookie": "theme=dark; sid={secret:sid}"}}
ITEM = {
    "id": "id", "name": "file.name", "kind": "type", "created": "created_at", "size": "file.size", "url": "file.url",
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[JsonLibrary]:
    with JsonLibrary() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    async with ApiClient() as one:
        yield one


def settings(server: JsonLibrary, style: str = "cursor", **more: Any) -> Settings:
    query, page = LISTS[style]
    server.shots.style = style
    return Settings(
        name="shots",
        type="json",
        base=server.base,
        page_delay="0",
        list={"url": "{base}/items", "query": query, "page_size": 3},
        page=page,
        item=ITEM,
        **{"auth": {"headers": {"Authorization": "Bearer {secret:token}"}}, **more},
    )


async def signed_in(made: Settings, client: ApiClient) -> Source:
    source = build(made, client, TrialSecrets(), {})
    await source.sign_in(TOKEN)
    return source


async def everything(source: Source) -> list[Listed]:
    items: list[Listed] = []
    cursor = None
    for _ in range(10):
        page = await source.page(cursor)
        items += page.items
        cursor = page.next
        if cursor is None:
            return items
    raise AssertionError("the listing has no end")


async def resolved(
    source: Source, ident: str, failure: DownloadError | None = None
) -> Request | Content:
    target = Target(folder=Path("/nowhere"))
    answer = await source.resolve(
        f"shots:default/{ident}", target, failure, lambda received, size: None
    )
    assert isinstance(answer, (Request, Content))
    return answer


@pytest.mark.parametrize("style", LISTS)
async def test_every_paging_style_lists_every_item(
    server: JsonLibrary, client: ApiClient, style: str
) -> None:
    source = await signed_in(settings(server, style), client)
    items = await everything(source)
    assert [item.ident for item in items] == [f"i/{n}" for n in range(7)]
    first = items[0]
    assert (first.name, first.kind, first.created, first.size) == (
        "IMG_0.png",
        "image",
        1_761_955_200,
        len(body(0)),
    )
    assert first.media_key
    assert "/" not in first.media_key


async def test_the_secret_in_a_query_is_not_part_of_a_cursor(
    server: JsonLibrary, client: ApiClient
) -> None:
    made = settings(server, "next_url", auth={"query": {"key": "{secret:token}"}})
    source = await signed_in(made, client)
    page = await source.page(None)
    assert page.next
    assert TOKEN not in page.next
    assert len(await everything(source)) == 7


async def test_a_wrong_secret_is_not_kept(server: JsonLibrary, client: ApiClient) -> None:
    secrets = TrialSecrets()
    source = build(settings(server), client, secrets, {})
    with pytest.raises(SourceError, match="not signed in"):
        await source.sign_in("wrong")
    assert not await source.has_secrets()
    await source.sign_in(f" {TOKEN}\n")
    assert await source.has_secrets()
    await source.sign_out()
    assert not await source.has_secrets()


async def test_several_secrets_are_given_by_name(server: JsonLibrary, client: ApiClient) -> None:
    auth = {"headers": {"Authorization": "Bearer {secret:token}", "X-Id": "{secret:id}"}}
    source = build(settings(server, auth=auth), client, TrialSecrets(), {})
    with pytest.raises(SourceError, match="not what shots needs"):
        await source.sign_in(TOKEN)
    await source.sign_in(f"token={TOKEN}\nid=me")
    assert await source.has_secrets()


@pytest.mark.parametrize(
    "text",
    [
        "one",
        "sid=one; other=2",
        "Cookie: sid=one",
        "127.0.0.1\tFALSE\t/\tFALSE\t0\tsid\tone\nelsewhere.example\tFALSE\t/\tFALSE\t0\tsid\tCANARY\n",
        json.dumps([
            {"domain": "elsewhere.example", "name": "sid", "value": "CANARY"},
            {"domain": "127.0.0.1", "name": "sid", "value": "one"},
        ]),
    ],
)  # fmt: skip
def test_a_cookie_is_found_in_an_export_if_it_is_of_this_host(text: str) -> None:
    assert JsonAuth("shots", COOKIE, TrialSecrets(), "127.0.0.1").parse(text) == {"sid": "one"}


async def test_a_cookie_of_another_site_is_no_secret(
    server: JsonLibrary, client: ApiClient
) -> None:
    source = build(settings(server, auth=COOKIE), client, TrialSecrets(), {})
    before = server.shots.requests.total()
    with pytest.raises(SourceError, match=r"no cookie for 127\.0\.0\.1"):
        await source.sign_in('[{"domain":".example","name":"sid","value":"CANARY"}]')
    assert server.shots.requests.total() == before


async def test_base64_is_decoded(server: JsonLibrary, client: ApiClient) -> None:
    made = settings(server, fetch={"url": "{base}/items/{id}/original", "base64": "data.b64"})
    source = await signed_in(made, client)
    answer = await resolved(source, "i/4")
    assert isinstance(answer, Content)
    assert answer.data == body(4)


async def test_a_file_on_our_origin_gets_the_secret(server: JsonLibrary, client: ApiClient) -> None:
    source = await signed_in(settings(server, fetch={"url": "{base}/items/{id}/original"}), client)
    answer = await resolved(source, "i/4")
    assert isinstance(answer, Request)
    assert answer.url == f"{server.base}/items/i%2F4/original"
    assert answer.headers == {"Authorization": f"Bearer {TOKEN}"}
    assert TOKEN not in repr(answer)


async def test_a_file_elsewhere_gets_no_secret_and_no_trust(
    server: JsonLibrary, client: ApiClient
) -> None:
    server.shots.other_origin = "http://127.0.0.2:9"
    source = await signed_in(settings(server, fetch={"url": "{url}"}), client)
    server.shots.rows = [{"id": "x", "file": {"url": "http://127.0.0.2:9/x.png"}}]
    (item,) = await everything(source)
    source.recall(item)
    answer = await resolved(source, "x")
    assert isinstance(answer, Request)
    assert (answer.url, answer.headers) == ("http://127.0.0.2:9/x.png", {})
    assert "127.0.0.2:9" not in answer.named


async def test_the_fallback_is_used_then_renewed_and_the_first_error_is_the_cause(
    server: JsonLibrary, client: ApiClient
) -> None:
    fetch = {
        "url": "{base}/items/{id}/original",
        "base64": "data.b64",
        "fallback": "file.signed_url",
    }
    source = await signed_in(settings(server, fetch=fetch), client)
    await everything(source)
    server.shots.broken_files = True
    first = await resolved(source, "i/2")
    assert isinstance(first, Request)
    assert first.url.endswith("/signed/2?serial=1")
    server.shots.signed = 2
    second = await resolved(source, "i/2", DownloadError("link_expired"))
    assert isinstance(second, Request)
    assert second.url.endswith("/signed/2?serial=2")
    with pytest.raises(DownloadError) as caught:
        await resolved(source, "i/2", DownloadError("forbidden"))
    assert caught.value.code == "not_found"


async def test_a_link_lost_with_the_process_is_listed_again(
    server: JsonLibrary, client: ApiClient
) -> None:
    made = settings(server, fetch={"url": "{url}"})
    server.shots.rows = [{"id": str(n), "file": {"url": f"/signed/{n}?serial=1"}} for n in range(5)]
    source = await signed_in(made, client)
    assert [item.link for item in await everything(source)] == [
        None
    ] * 5  # a query may be a signature
    anew = await signed_in(made, client)
    answer = await resolved(anew, "4")
    assert isinstance(answer, Request)
    assert answer.url == f"{server.base}/signed/4?serial=1"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b'{"error":"no"}', SourceError),
        (b'{"data":{"items":"none"}}', SourceError),
        (b'{"data":{"items":[{"file":{}}]}}', SourceError),
        (b'{"data":{"items":[', DownloadError),
        (b"<html>sign in</html>", DownloadError),
    ],
)
async def test_nonsense_is_an_error_not_an_empty_library(
    server: JsonLibrary, client: ApiClient, answer: bytes, problem: type[Exception]
) -> None:
    source = await signed_in(settings(server), client)
    server.shots.page_answer = answer
    with pytest.raises(problem):
        await source.page(None)


async def test_items_without_an_id_are_left_out(server: JsonLibrary, client: ApiClient) -> None:
    source = await signed_in(settings(server), client)
    server.shots.rows = [
        {"id": 1},
        {"id": None},
        {"name": "x"},
        "row",
        {"id": 2, "created_at": "2025-10-30T18:00:00Z"},
    ]
    first = await source.page(None)
    assert ([item.ident for item in first.items], first.broken) == (["1"], 2)
    (last,) = (await source.page(first.next)).items
    assert (last.ident, last.created) == ("2", 1_761_847_200)


@pytest.mark.parametrize("status", [400, 405, 415, 422])
async def test_a_question_that_is_not_taken_is_not_a_missing_file(
    client: ApiClient, status: int
) -> None:
    made = Settings(
        name="shots", type="json", base="https://api.example.com/v1", list={"url": "{base}/items"},
        page={"items": "items"}, item={"id": "id"},
    )  # fmt: skip
    source = build(made, client, TrialSecrets(), {})
    with aioresponses() as replies:
        replies.get("https://api.example.com/v1/items", status=status, body=b"{}")
        with pytest.raises(SourceError, match=f"HTTP {status}") as failed:
            await source.page(None)
    assert failed.value.code == "bad_request"


async def test_a_dead_cursor_is_told_apart(server: JsonLibrary, client: ApiClient) -> None:
    made = settings(server, auth={})
    gone = structs.replace(made, list={"url": "{base}/gone", "query": {"cursor": "{cursor}"}})
    with pytest.raises(CursorError):
        await build(gone, client, TrialSecrets(), {}).page("c3")
    with pytest.raises(DownloadError):
        await build(gone, client, TrialSecrets(), {}).page(None)


async def test_secrets_are_never_sent_in_plain_text_to_a_public_host(client: ApiClient) -> None:
    made = Settings(
        name="shots", type="json", base="http://api.example.com", list={"url": "{base}/items"}, page={"items": "items"},
        item={"id": "id"}, auth={"headers": {"Authorization": "Bearer {secret:token}"}},
    )  # fmt: skip
    source = build(made, client, TrialSecrets(), {})
    with pytest.raises(SourceError, match="plain http"):
        await source.sign_in(TOKEN)
