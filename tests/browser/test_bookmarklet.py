"""One click on a bookmark, one on the confirm page, and the video is on the disk, whatever the page.

Without the second click nothing happens.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import run_bookmarklet, violations
from tests.browser.public_site import POLICIES, PublicSite
from tests.browser.running import ROOT, Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
TEMPLATE = (ROOT / "trayagent/hook/static/bookmarklet.txt").read_text()
ADDRESS = "async url => { const { judge, oddities } = await import('/static/address.js');"
REFUSED = (
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "chrome://settings",
    "not an address",
    "",
    "https://videos.example/" + "x" * 70_000,
)
ODD = {
    "https://bank.example@evil.example/a.mp4": "The site is evil.example",
    "http://192.168.1.1/a.mp4": "your own network",
    "http://2130706433/a.mp4": "your own network",
    "http://0x7f.1/a.mp4": "your own network",
    "http://[::1]/a.mp4": "your own network",
    "https://printer/a.mp4": "your own network",
    "https://nas.local/a.mp4": "your own network",
    "https://xn--80ak6aa92e.example/a.mp4": "unusual letters",
    "https://аррӏе.example/a.mp4": "unusual letters",
    "https://videos.example:8443/a.mp4": "unusual port: 8443",
    "http://videos.example/a.mp4": "not encrypted",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def context(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """Use a profile that does not mind the site's own authority."""
    context = await chromium.new_context(
        ignore_https_errors=True, viewport={"width": 460, "height": 560}
    )
    yield context
    await context.close()


async def confirm_page(context: BrowserContext, agent: Running, url: str, title: str = "") -> Page:
    """Open the confirm page as the bookmarklet does."""
    page = await context.new_page()
    await page.goto(f"{agent.base}/send#url={quote(url, safe='')}&title={quote(title, safe='')}")
    return page


@pytest.mark.parametrize("policy", POLICIES)
async def test_page_ends_in_a_file(
    policy: str, context: BrowserContext, agent: Running, site: PublicSite
) -> None:
    address = site.url(f"/{policy}/clip-of-{policy}.mp4")
    page = await context.new_page()
    await page.goto(address)
    if policy == "sandbox":  # No popups there: the bookmark uses the tab itself.
        await run_bookmarklet(page, TEMPLATE.replace("PORT", str(agent.port)))
        await page.wait_for_url(f"{agent.base}/send*")
        popup = page
    else:
        async with context.expect_page() as opened:
            await run_bookmarklet(page, TEMPLATE.replace("PORT", str(agent.port)))
        popup = await opened.value
    await expect(popup.locator("#host")).to_have_text(f"videos.example:{site.port}")
    await expect(popup.locator("#title")).to_have_text(f"Clip of a {policy} page")
    await popup.get_by_role("button", name="Download").click()
    saved = await agent.arrival(address)
    assert saved.name == f"clip-of-{policy}.mp4"
    if policy == "sandbox":
        await page.wait_for_url(address)
    elif not popup.is_closed():
        await popup.wait_for_event("close")
    await page.close()


async def test_page_reads_no_secret_from_the_bookmarklet(agent: Running) -> None:
    assert agent.token not in TEMPLATE
    assert "fetch" not in TEMPLATE
    assert TEMPLATE.startswith("javascript:")
    assert TEMPLATE.count("PORT") == 1


async def test_hurried_and_synthetic_clicks_add_nothing(
    chromium: Browser, agent: Running, site: PublicSite
) -> None:
    """The clock is the test's own: on a busy machine its hurry would come when the button is armed."""
    context = await chromium.new_context(viewport={"width": 460, "height": 560})
    await context.clock.install()
    await context.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))
    url = site.url("/plain/never.mp4")
    page = await confirm_page(context, agent, url)
    button = page.locator("#send")
    box = await button.bounding_box()
    assert box is not None
    await page.mouse.dblclick(box["x"] + 20, box["y"] + 10)  # before it is armed
    await page.keyboard.press("Enter")
    await context.clock.resume()
    await expect(button).to_be_enabled()
    await page.evaluate("document.getElementById('send').click()")
    await page.evaluate(
        "document.getElementById('send').dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    await expect(button).to_be_enabled()
    assert [row["url"] for row in agent.downloads() if row["url"] == url] == []
    await context.close()


async def test_button_is_disarmed_out_of_sight(
    context: BrowserContext, agent: Running, site: PublicSite
) -> None:
    page = await confirm_page(context, agent, site.url("/plain/hidden.mp4"))
    await expect(page.locator("#send")).to_be_enabled()
    await page.evaluate(
        "dispatchEvent(Object.assign(new Event('blur'))); document.hasFocus = () => false"
    )
    await expect(page.locator("#send")).to_be_disabled()
    await page.close()


async def test_nonce_works_once(context: BrowserContext, agent: Running, site: PublicSite) -> None:
    page = await confirm_page(context, agent, site.url("/plain/once.mp4"))
    body = await page.evaluate("document.querySelector('meta[name=nonce]').content")
    send = """([nonce, url]) => fetch("/api/v1/confirm", {method: "POST", headers: {"Content-Type": "application/json"},
        body: JSON.stringify({nonce, url, title: ""})}).then(answer => answer.status)"""
    assert await page.evaluate(send, [body, site.url("/plain/once.mp4")]) == 202
    assert await page.evaluate(send, [body, site.url("/plain/twice.mp4")]) == 403
    assert await page.evaluate(send, ["", site.url("/plain/twice.mp4")]) == 403
    await page.close()


async def test_what_is_no_web_address_is_refused(context: BrowserContext, agent: Running) -> None:
    page = await confirm_page(context, agent, "javascript:alert(1)")
    await expect(page.get_by_role("heading", name="Nothing to download")).to_be_visible()
    await expect(page.locator("#send")).to_be_hidden()
    for url in REFUSED:
        assert await page.evaluate(f"{ADDRESS} return judge(url).refusal; }}", url), url
    await page.close()


async def test_odd_addresses_are_pointed_out(context: BrowserContext, agent: Running) -> None:
    page = await confirm_page(context, agent, "https://bank.example@192.168.1.1:81/a.mp4")
    await expect(page.locator("#warnings li")).to_have_count(3)
    for url, warning in ODD.items():
        script = f"{ADDRESS} return oddities(judge(url).address).join(' '); }}"
        assert warning in await page.evaluate(script, url), url
    usual = f"{ADDRESS} return oddities(judge(url).address); }}"
    assert await page.evaluate(usual, "https://videos.example/watch?v=1#t=2") == []
    await page.close()


async def test_hostile_title_stays_text(
    context: BrowserContext, agent: Running, site: PublicSite
) -> None:
    title = '"><img src=x onerror="document.title=1"><script>document.title=2</script>\u202egpj.exe'
    page = await confirm_page(context, agent, site.url("/plain/a.mp4"), title)
    shown = await page.locator("#title").text_content()
    assert shown == title.replace("\u202e", "")
    assert await page.title() == "Send to trayagent"
    assert await page.locator("#title *").count() == 0
    assert page.url == f"{agent.base}/send"
    await page.close()


async def test_confirm_page_has_no_violations(
    context: BrowserContext, agent: Running, site: PublicSite
) -> None:
    page = await confirm_page(context, agent, "http://192.168.1.1:81/a.mp4", "A title")
    await expect(page.locator("#send")).to_be_enabled()
    assert await violations(page) == []
    await page.close()
