"""Whatever way a server writes how its list goes on, the list is read on, or told to be incomplete: never over."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.servers.lying import Exchange, Lying
from trayagent.model.errors import DownloadError
from trayagent.model.library import Page
from trayagent.model.settings import SourceSettings as Settings
from trayagent.net.api_client import ApiClient
from trayagent.sources.build import build
from trayagent.sources.json_mapping import CURSOR_BYTES, next_link
from trayagent.sources.source import CutOffError, Source, SourceError, TrialSecrets


class Pages(Lying):
    """A server that says one thing at the beginning, and one more item to whoever asks on."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Any = None
        self.links: list[str] = []
        self.second: Any = {"items": [{"id": "second"}]}
        self.status = "200 OK"

    async def first(self, exchange: Exchange) -> None:
        """Page one, or the second."""
        asked = {k: v[0] for k, v in parse_qs(urlsplit(exchange.path).query).items()}
        if asked.keys() & {"cursor", "page", "offset", "n"}:
            body = self.second
        else:
            body = {"items": [{"id": "first"}], "next": self.told}
        content = json.dumps(body).encode()
        lines = "".join(f"Link: {line}\r\n" for line in self.links if not asked)
        head = f"HTTP/1.1 {self.status}\r\n{lines}Content-Length: {len(content)}\r\n\r\n"
        await exchange.raw(head.encode() + content)

    def source(self, client: ApiClient, style: str, **page: str) -> Source:
        """A source of this server without secrets."""
        names = {"cursor": "cursor", "page": "page", "offset": "offset"}
        query = {names[style]: f"{{{style}}}"} if style in names else {}
        if style in ("page", "offset"):
            query = {}  # page one is asked for without it, so that this server knows it
        made = Settings(
            name="shots", type="json", base=f"http://{self.authority}/v1", page_delay="0",
            list={"url": "{base}/items", "query": query},
            page={"items": "items", "next": "next", "style": style, **page}, item={"id": "id"},
        )  # fmt: skip
        return build(made, client, TrialSecrets(), {})


@pytest.fixture
async def server() -> AsyncIterator[Pages]:
    async with Pages() as running:
        running.at("/v1/items", running.first)
        yield running


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    async with ApiClient() as one:
        yield one


async def second(server: Pages, source: Source) -> Mapping[str, str]:
    """How the second page was asked for."""
    first = await source.page(None)
    assert (first.cut_off, [item.ident for item in first.items]) == (None, ["first"])
    assert first.next is not None
    assert [item.ident for item in (await source.page(first.next)).items] == ["second"]
    asked = urlsplit(server.requests[-1].path).query
    return {name: values[0] for name, values in parse_qs(asked).items()}


def is_cut_off(page: Page) -> bool:
    """Whether there is more that cannot be asked for; the items of the page are kept."""
    assert page.items
    return page.next is None and page.cut_off is not None and page.cut_off.code == "cut_off"


# --- cursors ---


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("c/+=&?#% é", "c/+=&?#% é"),
        (" padded ", " padded "),
        (1_714_564_800_123, "1714564800123"),
        (-5, "-5"),
        (17.25, "17.25"),
        ({"id": 7, "at": "x"}, '{"id":7,"at":"x"}'),
        ([1_714_564_800, "a"], '[1714564800,"a"]'),
        ("C" * CURSOR_BYTES, "C" * CURSOR_BYTES),
        (["d" * 10_000], json.dumps(["d" * 10_000])),
    ],
    ids=range(9),
)
async def test_a_cursor_goes_back_whole(
    server: Pages, client: ApiClient, told: Any, sent: str
) -> None:
    server.told = told
    assert await second(server, server.source(client, "cursor")) == {"cursor": sent}


@pytest.mark.parametrize("told", [None, False, "", [], {}])
@pytest.mark.parametrize("style", ["cursor", "next_url", "page", "offset"])
async def test_nothing_more_is_the_end(
    server: Pages, client: ApiClient, style: str, told: Any
) -> None:
    server.told = told
    page = await server.source(client, style).page(None)
    assert (page.next, page.cut_off) == (None, None)


@pytest.mark.parametrize(
    ("style", "told"),
    [
        ("cursor", True),
        ("cursor", "C" * (CURSOR_BYTES + 1)),
        ("cursor", "é" * (CURSOR_BYTES // 2 + 1)),
        ("cursor", {"k": "\u0001" * 7000}),
        ("cursor", '"' * 15_000),  # fits, but not into an address
        ("next_url", True),
        ("next_url", 7),
        ("next_url", ["/v1/items?n=2"]),
        ("next_url", {"rel": "next"}),
        ("next_url", "ftp://127.0.0.1/items"),
        ("next_url", "http://elsewhere.example/v1/items?n=2"),
        ("next_url", "http://[broken/items"),
        ("next_url", "/v1/items?n=" + "2" * 40_000),
        ("page", {"page": 2}),
        ("page", "soon"),
        ("offset", [2]),
        ("offset", 2.5),
    ],
)
async def test_what_is_not_understood_is_no_end(
    server: Pages, client: ApiClient, style: str, told: Any
) -> None:
    server.told = told
    assert is_cut_off(await server.source(client, style).page(None))


@pytest.mark.parametrize(
    ("style", "told", "following"),
    [
        ("page", True, "2"),
        ("page", 1, "2"),
        ("page", "true", "2"),
        ("page", 2, "2"),
        ("page", "3", "3"),
        ("page", 2.0, "2"),
        ("page", "http://127.0.0.1/v1/items?page=2", "2"),
        ("page", "?page=2", "2"),
        ("offset", True, "1"),
        ("offset", 50, "50"),
        ("page", 0, None),
        ("page", "0", None),
        ("page", "false", None),
        ("page", -1, None),
    ],
)
async def test_counted_pages_go_on_by_the_servers_word(
    server: Pages, client: ApiClient, style: str, told: Any, following: str | None
) -> None:
    server.told = told
    page = await server.source(client, style).page(None)
    assert (page.next, page.cut_off) == (following, None)


async def test_an_empty_page_with_a_cursor_is_not_the_end(server: Pages, client: ApiClient) -> None:
    async def empty(exchange: Exchange) -> None:
        await exchange.reply("200 OK", b'{"items": [], "next": "more"}')

    server.at("/v1/items", empty)
    assert (await server.source(client, "cursor").page(None)).next == "more"


# --- addresses ---


@pytest.mark.parametrize(
    "told",
    [
        "?n=2",
        "items?n=2",
        "./items?n=2",
        "/v1/items?n=2",
        "//127.0.0.1:PORT/v1/items?n=2",
        "http://127.0.0.1:PORT/v1/items?n=2",
        "http://127.0.0.1/v1/items?n=2",
        "https://127.0.0.1/v1/items?n=2",
        "https://127.0.0.1:8443/v1/items?n=2",
        "http://who:ever@127.0.0.1:PORT/v1/items?n=2",
        {"href": "/v1/items?n=2"},
        {"url": "?n=2", "rel": "next"},
    ],
)
@pytest.mark.parametrize("style", ["next_url", "link_header"])
async def test_an_address_is_relative_to_its_page_and_asked_at_our_own_origin(
    server: Pages, client: ApiClient, style: str, told: Any
) -> None:
    if isinstance(told, str):
        told = told.replace("PORT", str(server.port))
    server.told, server.links = told, [f"<{told}>; rel=next"]
    if style == "link_header" and not isinstance(told, str):
        server.links = ["<?n=2>; rel=next"]
    assert await second(server, server.source(client, style)) == {"n": "2"}
    assert all(request.header("Authorization") is None for request in server.requests)


async def test_an_address_is_relative_to_where_redirects_led(
    server: Pages, client: ApiClient
) -> None:
    async def away(exchange: Exchange) -> None:
        await exchange.reply("302 Found", Location="/v2/list/")

    async def listed(exchange: Exchange) -> None:
        following = {"next": "more?n=2"} if "n=2" not in exchange.path else {}
        await exchange.reply("200 OK", json.dumps({"items": [{"id": 1}], **following}).encode())

    server.at("/v1/items", away)
    server.at("/v2/list/", listed)
    page = await server.source(client, "next_url").page(None)
    assert page.next == f"http://{server.authority}/v2/list/more?n=2"


async def test_a_signature_in_the_next_address_stays_as_it_is(
    server: Pages, client: ApiClient
) -> None:
    server.told = "/v1/items?n=2&sig=a%2Fb+c%3d==&key=ours&empty=&x"
    made = Settings(
        name="shots", type="json", base=f"http://{server.authority}/v1", page_delay="0",
        list={"url": "{base}/items"}, page={"items": "items", "next": "next", "style": "next_url"},
        item={"id": "id"}, auth={"query": {"key": "{secret:key}"}},
    )  # fmt: skip
    source = build(made, client, TrialSecrets(), {})
    await source.sign_in("ours")
    cursor = (await source.page(None)).next
    assert cursor == f"http://{server.authority}/v1/items?n=2&sig=a%2Fb+c%3d==&empty=&x"


# --- Link headers (RFC 8288) ---


@pytest.mark.parametrize(
    "lines",
    [
        ["</style.css>; rel=preload; as=style", '<?n=2>; rel="next"'],
        ['<?n=2>; rel="next"', '<?n=1>; rel="prev"'],
        ['<?n=1>; rel="prev", <?n=2>; rel="next"'],
        ["<?n=1>; rel='prev', <?n=2>; rel='next'"],
        ["<?n=2>; rel=next"],
        ["<?n=2>;rel=NEXT;title=x"],
        ["<?n=2>; title='a; b, c'; rel='last next'"],
        ['<?n=2>; title="a, <b>; rel=\\"prev\\""; rel="next"'],
        ['<?n=2>  ;  REL = "next" '],
        ["<?n=2>; crossorigin; rel=next"],
        ['</a,b;c>; rel="first", <?n=2>; rel="next last"'],
    ],
)
async def test_a_next_link_is_found_on_any_line(
    server: Pages, client: ApiClient, lines: list[str]
) -> None:
    server.links = lines
    assert await second(server, server.source(client, "link_header")) == {"n": "2"}


@pytest.mark.parametrize(
    "lines", [[], ["<?n=1>; rel=prev"], ['<?n=1>; title="next"'], ["<?n=2>; rel=nextish"]]
)
def test_no_next_link_is_the_end(lines: list[str]) -> None:
    assert next_link(lines) is None


@pytest.mark.parametrize(
    "line", ["http://h.example/?n=2; rel=next", "<?n=2; rel=next", '{"url": "?n=2"}; rel="next"']
)
def test_a_next_link_that_cannot_be_read_is_no_end(line: str) -> None:
    with pytest.raises(CutOffError):
        next_link(["<?n=1>; rel=prev", line])


@pytest.mark.parametrize("line", ["<" * 100_000, "<a>" + "; a" * 60_000, "rel " * 60_000])
@pytest.mark.timeout(10)
def test_a_long_link_header_keeps_nobody_waiting(line: str) -> None:
    assert next_link([line]) is None


# --- pages without items ---


@pytest.mark.parametrize(
    "said",
    [
        {"items": None},
        {"items": None, "next": None, "total": 1, "error": None, "message": ""},
        {"items": None, "request_id": "r"},
        {},
    ],
    ids=str,
)
async def test_a_page_of_null_is_an_empty_one(
    server: Pages, client: ApiClient, said: dict[str, Any]
) -> None:
    """As Go writes a list without elements, and protobufs leave it out."""
    server.told, server.second = "more", said
    source = server.source(client, "cursor")
    first = await source.page(None)
    last = await source.page(first.next)
    assert (last.items, last.next, last.cut_off) == ((), None, None)


@pytest.mark.parametrize(
    "said",
    [
        {"items": None, "error": "too fast"},
        {"items": None, "msg": "too fast"},
        {"items": None, "success": False},
        {"error": {"code": 1}},
        {"rows": []},
        {"next": None},
        None,
        [],
    ],
    ids=str,
)
async def test_what_may_be_an_error_is_not_the_end_of_the_list(
    server: Pages, client: ApiClient, said: Any
) -> None:
    server.told, server.second = "more", said
    source = server.source(client, "cursor")
    first = await source.page(None)
    with pytest.raises(SourceError, match="no list of items"):
        await source.page(first.next)


@pytest.mark.parametrize("status", [400, 404, 416, 422])
@pytest.mark.parametrize("style", ["page", "offset"])
async def test_a_page_of_too_high_a_number_is_the_end_where_we_count(
    server: Pages, client: ApiClient, style: str, status: int
) -> None:
    """Django says 404 behind the last page, WordPress 400: every sync failed there, whatever it had read."""
    source = server.source(client, style, next="")
    first = await source.page(None)
    assert first.next is not None
    server.status = f"{status} No such page"
    last = await source.page(first.next)
    assert (last.items, last.next, last.cut_off) == ((), None, None)
    with pytest.raises((SourceError, DownloadError)):
        await source.page(None)
    # Where the server says how it goes on, it said that there is more.
    with pytest.raises((SourceError, DownloadError)):
        await server.source(client, style).page(first.next)
