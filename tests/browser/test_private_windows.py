"""In private windows the extension works once it is allowed there, with the cookies of that window alone."""

from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import expect

from tests.browser.extension import Extended
from tests.browser.popup import popup_on
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MAY_ASK_EVERY_SITE = True  # which cookies go along is what is looked at, not whether they may
FILM = "/plain/for-guests.mp4"
TICKED = """await (async () => {
    const [box, said] = ["cookies", "outcome"].map(id => document.getElementById(id));
    if (said.textContent.includes("visit")) return true;
    if (!box.disabled && (!box.checked || said.textContent)) box.click();
    await new Promise(go => setTimeout(go, 500));
    return said.textContent.includes("visit");
})()"""


@pytest.fixture(scope="module")
def agent(site: PublicSite, new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Run an agent on one of the ports where the extension looks, and a page that gives cookies."""

    page = f"""<!doctype html><title>Guests</title><a href="{FILM}">The film</a>
        <script>document.cookie = `visit=${{location.search.slice(1)}}; Secure; path=/`</script>"""
    site.server.files["/guests/"] = ("text/html; charset=utf-8", page.encode())
    with new_agent(HOOK__PORT="17836") as agent:
        yield agent


async def allow_in_private(extended: Extended) -> None:
    """Flip the switch on the browser's own page, which loads the extension anew."""
    page = await extended.open("chrome://extensions")
    await page.evaluate(
        """async id => {
            // Without it no unpacked extension is loaded a second time.
            await chrome.developerPrivate.updateProfileConfiguration({inDeveloperMode: true});
            await chrome.developerPrivate.updateExtensionConfiguration(
                {extensionId: id, incognitoAccess: true});
            while ((await chrome.developerPrivate.getExtensionInfo(id)).state !== "ENABLED")
                await new Promise(go => setTimeout(go, 50));
        }""",
        extended.base.rpartition("/")[2],
    )
    await page.close()


async def test_what_is_sent_from_a_private_window_has_its_cookies_only(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    address, film = site.url("/guests/"), site.url(FILM)
    assert not await extended.ask("chrome.extension.isAllowedIncognitoAccess()")
    await allow_in_private(extended)
    page = await extended.open(f"{address}?NORMAL")
    # The switch ends the background; a page of the extension is asked in its place.
    options = await extended.open(f"{extended.base}/options.html")
    await expect(options.locator("#private")).to_contain_text("It works in private windows")
    window = await options.evaluate(
        "url => chrome.windows.create({url, incognito: true}).then(window => window.id)",
        f"{address}?PRIVATE",
    )
    async with popup_on(extended.profile, extended.base.rpartition("/")[2], "?PRIVATE") as popup:
        await popup.until("document.querySelectorAll('#here li').length === 1")
        # What a page's script sets reaches the browser's store a moment later: then it is ticked anew.
        await popup.until(TICKED)
        await popup.click("#here li button")
        await agent.arrival(film)
    # What the browser itself asks has this header; what trayagent asks has not.
    asked = [headers for path, headers in site.server.seen if path == FILM]
    sent = [headers.get("Cookie") for headers in asked if "Sec-Fetch-Mode" not in headers]
    assert sent == ["visit=PRIVATE"]
    await options.evaluate("id => chrome.windows.remove(id)", window)
    await options.close()
    await page.close()
