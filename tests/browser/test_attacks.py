"""Whatever a hostile page tries, from wherever, nothing is added, changed or told."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser, Page

from tests.browser.attacks import BATTERY
from tests.browser.name_proxy import NameProxy
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
Come = Callable[[Page, Running, PublicSite, NameProxy], Awaitable[None]]
HOSTILE = "<!doctype html><title>Win a phone</title><h1>Win a phone</h1>"


async def visit(page: Page, site: PublicSite) -> None:
    """Open a page of the hostile site."""
    site.server.files["/hostile"] = ("text/html", HOSTILE.encode())
    await page.goto(site.url("/hostile", host="evil.example"))


async def public(page: Page, agent: Running, site: PublicSite, proxy: NameProxy) -> None:
    """Come from another site, on the internet."""
    await visit(page, site)


async def allowed(page: Page, agent: Running, site: PublicSite, proxy: NameProxy) -> None:
    """Come from another site that the user allowed to reach this machine."""
    for permission in ("local-network-access", "loopback-network", "local-network"):
        with contextlib.suppress(Exception):  # which of them exists depends on the version
            await page.context.grant_permissions([permission], origin=site.url("", "evil.example"))
    await visit(page, site)


async def neighbour(page: Page, agent: Running, site: PublicSite, proxy: NameProxy) -> None:
    """Come from another program on this machine."""
    await page.goto(proxy.url)


async def rebound(page: Page, agent: Running, site: PublicSite, proxy: NameProxy) -> None:
    """Come from a name that leads to this machine now: even the refusal is a page of that name."""
    await page.goto(f"http://evil.example:{agent.port}/")


@contextlib.asynccontextmanager
async def tab(chromium: Browser) -> AsyncIterator[Page]:
    """Open a tab in a fresh profile."""
    # Past all policies: a hostile page would not hold itself back.
    context = await chromium.new_context(ignore_https_errors=True, bypass_csp=True)
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize(
    ("come", "arriving"), [(public, 0), (allowed, 80), (neighbour, 80), (rebound, 160)]
)
async def test_hostile_page_achieves_nothing(
    come: Come,
    arriving: int,
    chromium: Browser,
    agent: Running,
    site: PublicSite,
    proxy: NameProxy,
) -> None:
    before, refused = agent.belongings(), len(agent.refusals())
    base = f"http://evil.example:{agent.port}" if come is rebound else agent.base
    async with tab(chromium) as page:
        await come(page, agent, site, proxy)
        told = await page.evaluate(BATTERY, {"base": base, "sockets": base.replace("http", "ws")})
        framed = [await frame.content() for frame in page.frames[1:] if not frame.is_detached()]
    assert set(told) == ({421} if come is rebound else set())
    assert len(agent.refusals()) - refused >= arriving, "the attacks did not arrive"
    assert not any("Download this?" in html for html in framed)
    assert agent.belongings() == before


@pytest.mark.parametrize("come", [public, allowed, neighbour, rebound])
async def test_hostile_page_that_has_learnt_the_secrets_of_foreign_programs_adds_nothing(
    come: Come,
    chromium: Browser,
    agent: Running,
    site: PublicSite,
    proxy: NameProxy,
) -> None:
    aria2 = agent.call("POST", "clients", {"kind": "aria2"})
    metube = agent.call("POST", "clients", {"kind": "metube"})["url"].partition(agent.base)[2]
    link = "https://videos.example/evil.mp4"
    add = {"id": 1, "method": "aria2.addUri", "params": [f"token:{aria2['secret']}", [link]]}
    known = [
        ["/jsonrpc", add],
        [f"{metube}add", {"url": link}],
        [f"{metube}start", {"ids": [link]}],
        [f"{metube}delete", {"ids": [link], "where": "done"}],
    ]
    before, refused = agent.belongings(), len(agent.refusals())
    base = f"http://evil.example:{agent.port}" if come is rebound else agent.base
    async with tab(chromium) as page:
        await come(page, agent, site, proxy)
        told = await page.evaluate(
            BATTERY, {"base": base, "sockets": base.replace("http", "ws"), "known": known}
        )
    assert set(told) == ({421} if come is rebound else set())
    if come is not public:  # the browser itself keeps such a page away
        assert len(agent.refusals()) - refused >= 100, "the attacks did not arrive"
    assert agent.belongings() == before


@pytest.mark.parametrize(
    "enctype", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_top_level_form_adds_nothing(
    enctype: str, chromium: Browser, agent: Running, site: PublicSite
) -> None:
    before = agent.belongings()
    async with tab(chromium) as page:
        for path in ("downloads", "confirm", "pause", "quit"):
            await visit(page, site)
            async with page.expect_navigation():
                await page.evaluate(
                    """([action, enctype]) => {
                        const form = Object.assign(document.createElement("form"), {action, enctype, method: "post"});
                        const name = '{"url":"https://videos.example/evil.mp4","x":"';
                        form.append(Object.assign(document.createElement("input"), {name, value: '"}'}));
                        document.body.append(form);
                        form.submit();
                    }""",
                    [f"{agent.base}/api/v1/{path}", enctype],
                )
    assert agent.belongings() == before


async def test_navigation_adds_nothing_and_opens_no_dashboard(
    chromium: Browser, agent: Running, site: PublicSite
) -> None:
    before = agent.belongings()
    async with tab(chromium) as page:
        for path in (
            "/api/v1/downloads?url=https://videos.example/evil.mp4",
            "/send#url=https://videos.example/evil.mp4",
            "/",
        ):
            await visit(page, site)
            async with page.expect_navigation():
                await page.evaluate("url => { location.href = url }", agent.base + path)
        assert await page.locator("#shell").is_hidden()
    assert agent.belongings() == before


async def test_confirm_page_cannot_be_steered_by_its_opener(
    chromium: Browser, agent: Running, site: PublicSite
) -> None:
    async with tab(chromium) as page:
        await visit(page, site)
        async with page.context.expect_page() as opened:
            await page.evaluate(
                "url => { self.victim = open(url) }",
                f"{agent.base}/send#url=https://videos.example/a.mp4",
            )
        victim = await opened.value
        await victim.wait_for_load_state()
        assert await page.evaluate("victim.closed"), "the opener still holds the window"
        await page.evaluate("victim.location = 'about:blank'")
        assert victim.url == f"{agent.base}/send"
