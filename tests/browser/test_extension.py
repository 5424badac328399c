"""The extension pairs without copying anything, sends by menu, shortcut and popup, and loses nothing."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Playwright, expect

from tests.browser.chromium import EXTENSION, violations
from tests.browser.extension import Extended, browser_with, with_permissions_granted
from tests.browser.impostor import TOKEN, impostor
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def agent(new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Run an agent on one of the ports where the extension looks."""
    with new_agent(HOOK__PORT="17830") as agent:
        yield agent


def browsers(agent: Running) -> list[dict[str, Any]]:
    """The paired browsers; open dashboards are clients, too."""
    return [c for c in agent.call("GET", "clients")["clients"] if c["kind"] == "extension"]


async def test_loads_without_complaint_under_its_lasting_id(extended: Extended) -> None:
    page = await extended.open("chrome://extensions")
    complaints = await page.evaluate(
        """async () => (await chrome.developerPrivate.getExtensionsInfo({includeDisabled: true}))
            .flatMap(each => [...each.manifestErrors, ...each.runtimeErrors, ...each.installWarnings ?? []])
            .map(each => each.message ?? each)"""
    )
    assert complaints == []
    assert extended.base == "chrome-extension://dbnbolgofkekndhohmficdkcdkeinkal"
    await page.close()


async def test_paired_client_is_bound_to_its_origin(extended: Extended, agent: Running) -> None:
    assert [client["origin"] for client in browsers(agent)] == [extended.base]
    stored = await extended.ask("chrome.storage.local.get('pairing')")
    assert stored["pairing"]["port"] == agent.port
    assert stored["pairing"]["token"] != agent.token


async def test_pairs_from_the_dashboard_and_is_revoked_there(
    extended: Extended, agent: Running
) -> None:
    page = await extended.open(agent.dashboard())
    await page.locator("nav a[href='#browsers']").click()
    async with extended.context.expect_page() as opened:
        await page.get_by_role("button", name="Pair this browser").click()
    pairing = await opened.value
    await extended.say_yes(pairing)
    await expect(pairing.get_by_role("heading", name="Paired")).to_be_visible()
    assert await violations(pairing) == []
    await pairing.close()
    revokes = page.locator("#view").get_by_role("button", name="Revoke", exact=True)
    paired = len(browsers(agent))
    await expect(revokes).to_have_count(paired)  # the page hears of it by itself
    for left in reversed(range(paired)):
        await revokes.first.click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(revokes).to_have_count(left)
    assert browsers(agent) == []
    await page.close()
    await extended.ask("chrome.storage.local.remove('pairing')")
    assert await extended.pair(agent.pairing()) == "done"


async def test_the_dashboard_unpacks_it_and_says_the_steps_of_this_browser(
    extended: Extended, agent: Running
) -> None:
    page = await extended.open(agent.dashboard())
    await page.locator("nav a[href='#browsers']").click()
    await page.get_by_role("button", name="Install the extension").click()
    await expect(page.locator("ol.steps")).to_contain_text("chrome://extensions")
    folder = agent.home / "extension/chromium"
    await expect(page.locator("ol.steps")).to_contain_text(str(folder))
    assert (folder / "manifest.json").exists()
    await page.close()


async def test_code_works_once(extended: Extended, agent: Running) -> None:
    address = agent.pairing()
    assert await extended.pair(address) == "done"
    assert (await extended.pair(address)).startswith("failed: ")


@pytest.mark.parametrize(
    ("entry", "path"),
    [
        (
            {"menuItemId": "media", "mediaType": "video", "srcUrl": "/media/menu.mp4"},
            "/media/menu.mp4",
        ),
        ({"menuItemId": "link", "linkUrl": "/media/link.mp3"}, "/media/link.mp3"),
    ],
)
async def test_menu_ends_in_a_file(
    entry: dict[str, str], path: str, extended: Extended, agent: Running, site: PublicSite
) -> None:
    page = await extended.open(site.url("/player.html"))
    info = {key: site.url(value) if "/" in value else value for key, value in entry.items()}
    await extended.click_menu(page, **info)
    assert (await agent.arrival(site.url(path))).name == path.rpartition("/")[2]
    row = agent.downloads()[0]
    assert row["via"] == "extension"
    seen = [headers for asked, headers in site.server.seen if asked == path]
    assert seen[-1]["Referer"] == page.url
    assert "Chrome" in seen[-1]["User-Agent"]
    # trayagent tells when it is here; the extension says nothing besides.
    assert not await extended.notified()
    await page.close()


async def test_player_without_address_sends_its_page(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    page = await extended.open(site.url("/plain/streamed.mp4"))
    blob = f"blob:{site.url('/1234')}"
    await extended.click_menu(page, menuItemId="media", mediaType="video", srcUrl=blob)
    assert (await agent.arrival(page.url)).name == "streamed.mp4"
    await page.close()


async def test_shortcut_sends_the_page(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    page = await extended.open(site.url("/plain/shortcut.mp4"))
    session = await extended.context.new_cdp_session(page)
    key = {
        "modifiers": 9,
        "key": "D",
        "code": "KeyD",
        "windowsVirtualKeyCode": 68,
        "nativeVirtualKeyCode": 68,
    }
    for kind in ("rawKeyDown", "keyUp"):
        await session.send("Input.dispatchKeyEvent", {"type": kind, **key})
    assert (await agent.arrival(page.url)).name == "shortcut.mp4"
    await page.close()


async def test_popup_lists_media_with_sizes_and_sends_the_chosen(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    page = await extended.open(site.url("/player.html"))
    async with extended.popup(page) as popup:
        await popup.until("document.querySelectorAll('#here li').length === 5")
        await popup.until(
            "[...document.querySelectorAll('.size')].filter(each => each.textContent).length >= 4"
        )
        said = await popup.text()
        for words in ("Connected", "aurora.mp4", "making-of.webm", "live.m3u8", "66 kB"):
            assert words in said
        await popup.ask(
            "[...document.querySelectorAll('#here input')].slice(0, 2).forEach(box => box.click())"
        )
        await popup.ask("document.getElementById('send').click()")
        await popup.until("document.getElementById('outcome').classList.contains('good')")
        await popup.until("document.querySelectorAll('#here .tag').length === 2")
        assert (await agent.arrival(site.url("/media/aurora.mp4"))).name == "aurora.mp4"
    await page.close()


async def test_popup_sends_a_page_with_its_wishes_and_the_options_fill_them_in(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    options = await extended.open(f"{extended.base}/options.html")
    await options.get_by_label("Quality").select_option("720")
    await options.get_by_label("Subtitles").fill("en, de")
    await options.get_by_label("Subtitles").blur()
    assert await violations(options) == []
    await options.close()
    page = await extended.open(site.url("/plain/wished.mp4"))
    async with extended.popup(page) as popup:
        await popup.until("document.getElementById('subtitles')?.value === 'en, de'")
        await popup.ask("document.getElementById('subtitles').value = 'fr'")
        await popup.ask("document.getElementById('send-page').click()")
        wished = await asyncio.to_thread(agent.wished, site.url("/plain/wished.mp4"))
    await extended.ask("chrome.storage.local.remove('options')")
    assert (wished["quality"], wished["subtitles"]) == ("720", ["fr"])
    await page.close()


async def test_agent_away_nothing_is_lost(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    page = await extended.open(site.url("/player.html"))
    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    await extended.ask("chrome.storage.local.remove('pairing')")
    async with extended.context.expect_page() as opened:
        await extended.click_menu(page, menuItemId="link", linkUrl=site.url("/media/later.mp4"))
    offer = await opened.value
    await expect(offer.locator("#why")).to_contain_text("not paired")
    await expect(offer.locator("#what")).to_have_text(site.url("/media/later.mp4"))
    await expect(offer.get_by_role("button", name="Download with the browser")).to_be_visible()
    assert await violations(offer) == []
    await extended.ask("pairing => chrome.storage.local.set({pairing})", stored)
    await offer.get_by_role("button", name="Try again").click()
    assert (await agent.arrival(site.url("/media/later.mp4"))).name == "later.mp4"
    await page.close()


async def test_no_token_for_a_program_that_cannot_prove_itself(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    """A program on the remembered port learns nothing; the agent is found on its new port."""
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"proof": "0000"}'
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        await writer.drain()
        writer.close()

    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    async with await asyncio.start_server(listen, "127.0.0.1", 0) as liar:
        port = liar.sockets[0].getsockname()[1]
        await extended.ask(
            "pairing => chrome.storage.local.set({pairing})", stored | {"port": port}
        )
        page = await extended.open(site.url("/player.html"))
        await extended.click_menu(page, menuItemId="link", linkUrl=site.url("/media/proved.mp4"))
        assert (await agent.arrival(site.url("/media/proved.mp4"))).name == "proved.mp4"
        await page.close()
    assert heard
    assert b"/hello" in heard[0]
    assert b"authorization" not in b"".join(heard).lower()
    remembered = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    assert remembered["port"] == agent.port


async def test_a_person_is_asked_with_the_port_named_and_no_means_no(
    extended: Extended, site: PublicSite, tmp_path: Path
) -> None:
    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    await extended.ask("chrome.storage.local.remove('pairing')")
    with Running(tmp_path / "other") as other:
        async with extended.context.expect_page(lambda page: "options" in page.url) as opened:
            page = await extended.open(other.pairing())
        options = await opened.value
        await expect(options.locator("#asked-text")).to_contain_text(str(other.port))
        assert await violations(options) == []
        assert await sent(extended, site) == {"ok": False, "reason": "unanswered"}
        await options.get_by_role("button", name="Do not pair").click()
        await expect(options.locator("#asked")).to_be_hidden()
        await expect(page.locator("html")).to_have_attribute("data-pairing", re.compile("failed"))
        assert await sent(extended, site) == {"ok": False, "reason": "unpaired"}
        assert other.downloads() == []
        await options.close()
        await page.close()
    await extended.ask("pairing => chrome.storage.local.set({pairing})", stored)


async def test_without_the_native_host_pairing_begins_in_the_dashboard(
    extended: Extended, agent: Running
) -> None:
    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    await extended.ask("chrome.storage.local.remove('pairing')")
    options = await extended.open(f"{extended.base}/options.html")
    async with extended.context.expect_page() as opened:
        await options.get_by_role("button", name="Pair now").click()
    page = await opened.value
    assert re.fullmatch(r"http://127\.0\.0\.1:178\d\d/#browsers", page.url)
    await page.close()
    await options.close()
    await extended.ask("pairing => chrome.storage.local.set({pairing})", stored)


async def test_what_people_are_told_holds_no_query(extended: Extended) -> None:
    page = await extended.open(f"{extended.base}/options.html")
    url = "https://a.example/secret%20plan.pdf?size=9000&token=SECRET"
    said = await page.evaluate(
        """async url => { const { summary } = await import("./notices.js");
        return [summary({ downloads: [{ url, filename: null }] }),
            summary({ downloads: [{ url, filename: null, duplicate_of: "d1" }] })]; }""",
        url,
    )
    assert [each["message"] for each in said] == ["secret plan.pdf", "secret plan.pdf"]
    assert [each["worth"] for each in said] == [False, True]
    await page.close()


async def test_an_impostor_takes_no_pairing_over(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    before = await extended.ask("chrome.storage.local.get()")
    for relay in (0, agent.port):
        with impostor(relay=relay) as evil:
            assert (await extended.pair(evil.pairing)).startswith("failed: ")
            assert evil.asked == ["hello"]
            # It has the port of the pairing, too: then the proof must be bound to its own.
            await remember_port(extended, evil.port)
            await sent(extended, site)
            assert set(evil.asked) == {"hello"}
            assert before["pairing"]["token"] not in str(evil.heard)
            await remember_port(extended, agent.port)
    assert await extended.ask("chrome.storage.local.get()") == before


@pytest.mark.parametrize("status", [401, 429])
async def test_who_is_revoked_while_sending_is_told_to_pair_again(
    status: int, extended: Extended, site: PublicSite
) -> None:
    """429, too: trayagent slows down wrong tokens only, so waiting would not help. Nothing is lost."""
    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    page = await extended.open(site.url("/player.html"))
    # It proves that it knows the token, and has forgotten it when the links come.
    with impostor() as agent:
        agent.status = status
        pairing = {"port": agent.port, "client": "evil", "token": TOKEN}
        await extended.ask("pairing => chrome.storage.local.set({pairing})", pairing)
        async with extended.context.expect_page() as opened:
            await extended.click_menu(page, menuItemId="link", linkUrl=site.url("/media/late.mp4"))
        offer = await opened.value
        await expect(offer.locator("#what")).to_have_text(site.url("/media/late.mp4"))
        undelivered = (await extended.ask("chrome.storage.session.get('undelivered')"))[
            "undelivered"
        ]
        assert undelivered["message"] == "trayagent no longer knows this browser. Pair it again."
        assert undelivered["reason"] == "unpaired"
        await offer.locator("#close").click()
    await extended.ask("pairing => chrome.storage.local.set({pairing})", stored)
    await page.close()


async def test_an_impostor_is_asked_about_and_gets_nothing_before_the_yes(
    extended: Extended, site: PublicSite
) -> None:
    stored = (await extended.ask("chrome.storage.local.get('pairing')"))["pairing"]
    await extended.ask("chrome.storage.local.remove('pairing')")
    with impostor() as evil:
        async with extended.context.expect_page(lambda page: "options" in page.url) as opened:
            page = await extended.open(evil.pairing)
        options = await opened.value
        await expect(options.locator("#asked-text")).to_contain_text(f"port {evil.port} ")
        assert await sent(extended, site) == {"ok": False, "reason": "unanswered"}
        await options.get_by_role("button", name="Do not pair").click()
        await expect(options.locator("#asked")).to_be_hidden()
        assert await sent(extended, site) == {"ok": False, "reason": "unpaired"}
        assert evil.asked == ["pair"]
        await options.close()
        await page.close()
    await extended.ask("pairing => chrome.storage.local.set({pairing})", stored)


async def sent(extended: Extended, site: PublicSite) -> dict[str, Any]:
    """What becomes of an item with a cookie that the popup sends."""
    page = await extended.open(f"{extended.base}/options.html")
    said = await page.evaluate(
        "items => chrome.runtime.sendMessage({do: 'send', items, key: crypto.randomUUID()})",
        [{"url": site.url("/media/secret.mp4"), "cookies": [{"name": "s", "value": "SECRET"}]}],
    )
    await page.close()
    return {"ok": said["ok"], "reason": said.get("reason")}


async def remember_port(extended: Extended, port: int) -> None:
    """Let the extension look at this port first."""
    await extended.ask(
        """async port => { const { pairing } = await chrome.storage.local.get("pairing");
        await chrome.storage.local.set({pairing: {...pairing, port}}); }""",
        port,
    )


async def test_revoked_says_so(extended: Extended, agent: Running, site: PublicSite) -> None:
    for client in agent.call("GET", "clients")["clients"]:
        agent.call("DELETE", f"clients/{client['id']}")
    page = await extended.open(f"{extended.base}/options.html")
    await expect(page.locator("#connection")).to_contain_text("no longer knows this browser")
    # Nobody can prove the old pairing any more: a person forgets it first.
    assert (await extended.pair(agent.pairing())).startswith("failed: ")
    await page.locator("#forget").click()
    await expect(page.locator("#connection")).to_contain_text("not paired")
    await page.close()
    assert await extended.pair(agent.pairing()) == "done"


async def test_with_everything_granted_cookies_traffic_and_own_downloads_work(
    playwright: Playwright, agent: Running, site: PublicSite, tmp_path: Path
) -> None:
    copy = with_permissions_granted(tmp_path)
    async with browser_with(playwright, copy, tmp_path / "profile", site.port) as extended:
        assert await extended.pair(agent.pairing()) == "done"
        page = await extended.open(site.url("/player.html"))
        await page.evaluate("document.cookie = 'session=member; Secure'")
        url = site.url("/media/members.mp4")
        await extended.click_menu(page, menuItemId="cookies", mediaType="video", srcUrl=url)
        assert (await agent.arrival(url)).name == "members.mp4"
        await extended.click_menu(page, menuItemId="link", linkUrl=site.url("/media/guests.mp4"))
        assert (await agent.arrival(site.url("/media/guests.mp4"))).name == "guests.mp4"
        sent = {path: headers.get("Cookie") for path, headers in site.server.seen}
        assert sent["/media/members.mp4"] == "session=member"
        assert sent["/media/guests.mp4"] is None
        seen = await extended.ask("chrome.storage.session.get(null)")
        await extended.ask("chrome.storage.local.remove('pairing')")
        async with extended.context.expect_page() as opened:
            await extended.click_menu(page, menuItemId="link", linkUrl=site.url("/media/own.mp4"))
        offer = await opened.value
        async with offer.expect_event("close"):
            await offer.get_by_role("button", name="Download with the browser").click()
        own = await extended.ask("chrome.downloads.search({})")
        assert [each["url"] for each in own] == [site.url("/media/own.mp4")]
        assert any("live.m3u8" in str(value) for value in seen.values()), "traffic was not watched"


async def test_what_the_command_line_prints_pairs_and_options_offer_what_there_is(
    playwright: Playwright, site: PublicSite, agent: Running, tmp_path: Path
) -> None:
    """`pair --print` names an address to open and no field; there is nothing to forget before that."""
    command = [sys.executable, "-m", "trayagent", "pair", "--print"]
    printed = subprocess.run(
        command, env=agent.environ, cwd=agent.home, capture_output=True, text=True, check=True
    ).stdout
    assert "paste" not in printed
    (address,) = re.findall(r"http\S+", printed)
    async with browser_with(playwright, EXTENSION, tmp_path / "profile", site.port) as fresh:
        options = await fresh.open(f"{fresh.base}/options.html")
        await expect(options.locator("#connection")).to_be_visible()
        await expect(options.locator("#forget")).to_be_hidden()
        await expect(options.locator("#keys")).to_contain_text("Alt+Shift+D")
        assert await fresh.pair(address) == "done"
        await options.reload()
        await expect(options.locator("#forget")).to_be_visible()
