"""When all is done, this computer may shut down: asked each time, and a countdown can be stopped."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chromium import violations
from tests.browser.dashboard import opened
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_countdown_is_shown_and_stopped(
    chromium: Browser, agent: Running, site: PublicSite
) -> None:
    site.server.files["/last.bin"] = ("application/octet-stream", bytes(1000))
    async with opened(chromium, agent) as page:
        menu = page.locator("details.when-done")
        # In words where there is room, as its neighbours; else in the tooltip of its icon.
        words = menu.get_by_text("When all is done", exact=True)
        await expect(menu.locator("summary")).to_have_attribute("title", "When all is done")
        await expect(words).to_be_hidden()
        await page.set_viewport_size({"width": 1300, "height": 860})
        await expect(words).to_be_visible()
        agent.call("POST", "pause", {"minutes": 30})
        await expect(page.locator("#status")).to_contain_text("Paused until")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await expect(menu.locator("summary")).to_be_in_viewport(ratio=1)
        agent.call("POST", "resume", {})
        await menu.locator("summary").click()
        await menu.get_by_role("button", name="Shut down").click()
        await expect(menu.locator("summary")).to_have_text("Then: shut down")
        agent.call("POST", "downloads", {"url": site.url("/last.bin")})
        box = page.get_by_role("dialog", name="All downloads are done")
        await expect(box).to_contain_text("Shut down in")
        assert await violations(page) == []
        await box.get_by_role("button", name="Stop it").click()
        await expect(box).to_be_hidden()
        assert agent.call("GET", "when-done") == {"plan": "nothing", "ends_at": None}
        await expect(menu.locator("summary")).not_to_contain_text("shut down")
