"""The popup: what is here, what is going on, quick, and without asking anybody who was not asked."""

import asyncio
import io
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import expect

from tests.browser.chromium import violations
from tests.browser.extension import Extended
from tests.browser.impostor import impostor
from tests.browser.public_site import Answers, PublicSite
from tests.browser.running import Running, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MAY_ASK_EVERY_SITE = True  # what is still not asked is not asked by choice
SHOWN_MS = 150
"""Milliseconds until the popup shows its page, as a person feels it."""
PATIENCE_SECONDS = 15.0
PRIVATE = [
    "http://127.0.0.1/", "http://127.1/", "http://0x7f.1/", "http://2130706433/", "http://10.2.3.4/",
    "http://172.16.0.1/", "http://192.168.1.1/", "http://169.254.1.1/", "http://100.64.0.1/",
    "http://0.0.0.0/", "http://localhost/", "http://a.localhost./", "http://nas/", "http://nas.local/",
    "http://tv.lan/", "http://x.home.arpa/", "http://[::1]/", "http://[fe80::1]/", "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[2002:7f00:1::]/", "http://[64:ff9b::7f00:1]/",
]  # fmt: skip
PUBLIC = [
    "http://example.com/",
    "http://8.8.8.8/",
    "http://172.32.0.1/",
    "http://[2606:4700::1111]/",
]
COLOURS = {"fjord": "#2b6f8f", "hut": "#8a5a2b", "aurora": "#3fae7d"}


def picture(colour: str) -> bytes:
    """Return a PNG with a gradient."""
    image = Image.linear_gradient("L").resize((320, 240))
    tinted = Image.composite(
        Image.new("RGB", image.size, colour), Image.new("RGB", image.size, "#dfe8f0"), image
    )
    file = io.BytesIO()
    tinted.save(file, "PNG")
    return file.getvalue()


def page_of(links: int) -> bytes:
    """Return a page with pictures, a film, documents, and many links."""
    pictures = "".join(f'<img src="/norway/{name}.png" alt="The {name}">' for name in COLOURS)
    many = "".join(f'<a href="/norway/day/{n}">Day {n}</a> ' for n in range(links))
    return f"""<!doctype html><title>Holiday in Norway – the film</title>{pictures}
        <video src="/norway/norway-4k.mp4"></video>
        <a href="/norway/brochure.pdf">Brochure (PDF)</a> <a href="/norway/maps.zip">All maps</a>
        <p id="days">{many}</p>""".encode()


@pytest.fixture(scope="module")
def agent(site: PublicSite, new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Run an agent on one of the ports where the extension looks."""
    site.server.files["/norway/"] = ("text/html; charset=utf-8", page_of(300))
    site.server.files |= {
        f"/norway/{name}.png": ("image/png", picture(colour)) for name, colour in COLOURS.items()
    }
    site.server.files |= {
        "/norway/brochure.pdf": ("application/pdf", b"%PDF-1.7 " + bytes(90_000)),
        "/norway/maps.zip": ("application/zip", b"PK\3\4" + bytes(7_000)),
    }
    with new_agent(HOOK__PORT="17834") as agent:
        yield agent


async def test_kinds_filter_and_thumbnails(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    page = await extended.open(site.url("/norway/"))
    async with extended.popup(page) as popup:
        await popup.until("document.querySelectorAll('#here li').length === 6")
        tabs = await popup.ask(
            "[...document.querySelectorAll('.tab')].map(tab => tab.textContent).join()"
        )
        assert tabs == "All6,Video1,Pictures3,Files2,Links300"
        await popup.until("document.querySelectorAll('#here .thumb').length === 3")
        await popup.until("document.querySelectorAll('#here .size:not(:empty)').length === 6")
        await popup.ask("document.querySelectorAll('.tab')[4].click()")
        await popup.until("document.querySelectorAll('#here li').length === 300")
        await popup.ask(
            """{ const filter = document.getElementById('filter'); filter.value = 'DAY/29';
            filter.dispatchEvent(new Event('input')); }"""
        )
        shown = await popup.ask("document.querySelectorAll('#here li').length")
        assert shown == 11  # 29, and 290 to 299
    await page.close()


async def test_three_hundred_links_are_one_click_and_each_is_sent_once(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    agent.call("POST", "pause", {})
    page = await extended.open(site.url("/norway/"))
    async with extended.popup(page) as popup:
        await popup.until("document.querySelectorAll('.tab').length === 5")
        await popup.ask("document.querySelectorAll('.tab')[4].click()")
        await popup.click("#all")
        assert await popup.ask("document.getElementById('send').textContent") == "Send 300 selected"
        await popup.click("#send")
        await popup.until("document.querySelectorAll('#here .tag').length === 300")
        assert "300 sent to trayagent" in await popup.text()
    status = agent.call("GET", "status")
    assert status["queued"] == 300
    for batch in agent.call("GET", "batches")["batches"]:
        agent.call("POST", f"batches/{batch['id']}/undo", {})
    agent.call("POST", "resume", {})
    await page.close()


async def test_what_goes_on_is_live_and_can_be_steered(
    extended: Extended, agent: Running, site: PublicSite, pictures: Path
) -> None:
    page = await extended.open(site.url("/norway/"))
    link = site.url("/large/40/norway-uncut.mp4")
    await extended.click_menu(page, menuItemId="link", linkUrl=link)
    await extended.click_menu(page, menuItemId="link", linkUrl=site.url("/norway/brochure.pdf"))
    await agent.arrival(site.url("/norway/brochure.pdf"))
    first = "document.querySelector('#going li:nth-child(2)')"
    async with extended.popup(page) as popup:
        await popup.until(f"{first}?.dataset.state === 'active'")
        await popup.until(f"{first}.querySelector('progress').value > 0.3")
        await popup.until("document.querySelectorAll('#here .thumb').length === 3")
        await popup.picture(pictures / "popup.png")
        before = await popup.ask(f"{first}.querySelector('progress').value")
        await popup.until(f"{first}.querySelector('progress').value > {before}")
        await popup.ask(f"{first}.querySelector('[title=Pause]').click()")
        await popup.until(f"{first}.dataset.state === 'paused'")
        await popup.ask(f"{first}.querySelector('[title=Cancel]').click()")
        await popup.until(f"{first}.dataset.state === 'cancelled'")
    assert [row["state"] for row in agent.downloads() if row["url"] == link] == ["cancelled"]
    await page.close()


async def test_what_is_here_already_can_be_had_again(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    url = site.url("/norway/maps.zip")
    page = await extended.open(site.url("/norway/"))
    await extended.click_menu(page, menuItemId="link", linkUrl=url)
    await agent.arrival(url)
    async with extended.popup(page) as popup:
        await popup.click(f"#here li:has([value='{url}']) button")
        await popup.until("document.getElementById('again')")
        assert "Already here" in await popup.text()
        await popup.click("#again")
        await asyncio.to_thread(
            until, lambda: [row["url"] for row in agent.downloads()].count(url) == 2
        )
    await page.close()


async def test_the_cookies_that_go_along_are_named_first(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    url = site.url("/plain/for-members.mp4")
    page = await extended.open(url)
    await page.evaluate("document.cookie = 'visit=1; Secure; path=/'")
    async with extended.popup(page) as popup:
        await popup.until("performance.getEntriesByName('sizes').length")
        await popup.click("#cookies")
        await popup.until("document.getElementById('outcome').textContent.includes('visit')")
        assert f"that videos.example:{site.port} would get: " in await popup.text()
        await popup.click("#send-page")
        await agent.arrival(url)
    sent = [headers for path, headers in site.server.seen if path == "/plain/for-members.mp4"][-1]
    assert "visit=1" in sent["Cookie"]
    await page.close()


async def test_a_sign_in_that_was_unticked_meanwhile_names_nothing(
    extended: Extended, site: PublicSite
) -> None:
    """The browser's question takes a while; what it answers then counts no more."""
    page = await extended.open(site.url("/plain/undecided.mp4"))
    async with extended.popup(page) as popup:
        await popup.until("performance.getEntriesByName('sizes').length")
        await popup.ask(
            "chrome.permissions.request = () => new Promise(go => { globalThis.answer = go; })"
        )
        await popup.click("#cookies")
        await popup.click("#cookies")
        before = await popup.ask("document.getElementById('outcome').textContent")
        await popup.ask("answer(true)")
        await popup.ask("chrome.cookies.getAllCookieStores()")  # asked after what the answer asks
        await popup.ask("chrome.cookies.getAllCookieStores()")
        assert not await popup.ask("document.getElementById('cookies').checked")
        assert await popup.ask("document.getElementById('outcome').textContent") == before
    await page.close()


async def test_selected_links_are_sent_from_the_menu(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    links = [site.url(f"/plain/part-{n}.mp4") for n in (1, 2, 3)]
    page = await extended.open(site.url("/norway/"))
    await page.evaluate(
        """([one, two, three]) => {
            const chosen = document.getElementById("days");
            chosen.innerHTML = `<a href="${one}">One</a> and <a href="${two}">two</a>, see ${three} too`;
            getSelection().selectAllChildren(chosen); }""",
        links,
    )
    await extended.click_menu(page, menuItemId="selection", selectionText="One and two")
    for link in links:
        await agent.arrival(link)
    await page.close()


async def test_nothing_private_is_asked_by_the_popup(extended: Extended, site: PublicSite) -> None:
    """Neither this computer nor a private network, whatever the page shows or its server answers."""
    with impostor() as private:
        address = f"127.0.0.1:{private.port}"
        site.server.files["/lure/"] = (
            "text/html",
            f"""<!doctype html><title>Lure</title><a href="http://{address}/a.pdf">A</a>
            <a href="http://localhost:{private.port}/b.zip">B</a><a href="http://[::1]:{private.port}/c.mp4">C</a>
            <a href="http://rebound.example:{private.port}/d.mp4">D</a>
            <a href="/lure/away.mp4">E</a>""".encode(),
        )
        site.server.special["/lure/away.mp4"] = lambda answers: answers.give(
            "text/plain", b"", {"Location": f"http://{address}/e.mp4"}, status=302
        )
        page = await extended.open(site.url("/lure/"))
        async with extended.popup(page) as popup:
            await popup.until("document.querySelectorAll('#here li').length === 5")
            # The size of this one is asked: when that is over, so are the others.
            await popup.until("performance.getEntriesByName('sizes').length")
        assert "/lure/away.mp4" in [path for path, _ in site.server.seen]
        assert private.connections == 0
        await page.close()


async def test_everybody_can_use_it(extended: Extended) -> None:
    page = await extended.open(f"{extended.base}/popup.html")
    await expect(page.locator("#going li").first).to_be_visible()
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert await violations(page) == []
    await page.close()


@pytest.mark.alone
async def test_opens_at_once(extended: Extended, site: PublicSite) -> None:
    page = await extended.open(site.url("/norway/"))
    shown: list[float] = []
    # The machine may be busy with something else: the best of many is what the popup needs itself.
    end = time.monotonic() + PATIENCE_SECONDS
    while not shown or (min(shown) > SHOWN_MS and time.monotonic() < end):
        async with extended.popup(page) as popup:
            await popup.until("performance.getEntriesByName('shown').length")
            shown.append(await popup.ask("performance.getEntriesByName('shown')[0].startTime"))
            await popup.ask("window.close()")
    if min(shown) > SHOWN_MS and os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        pytest.skip(f"too many others run on this machine to measure: {min(shown):.0f} ms")
    assert min(shown) <= SHOWN_MS, shown
    await page.close()


async def test_private_hosts_are_known(extended: Extended) -> None:
    page = await extended.open(f"{extended.base}/options.html")
    judged = await page.evaluate(
        """async addresses => { const { isPrivate } = await import("./private-hosts.js");
        return addresses.filter(each => isPrivate(new URL(each).hostname)); }""",
        [*PRIVATE, *PUBLIC],
    )
    assert judged == PRIVATE
    await page.close()


async def test_an_image_source_is_signed_in_with_its_cookie_alone(
    extended: Extended, agent: Running, site: PublicSite
) -> None:
    asked: list[str] = []

    def answer(answers: Answers) -> None:
        asked.append(answers.headers.get("Cookie", ""))
        known = "session=member" in asked[-1]
        answers.give(
            "application/json", b'{"items": []}' if known else b"{}", status=200 if known else 401
        )

    site.server.special["/api/items"] = answer
    source = {
        "name": "shots",
        "type": "json",
        "base": site.url("/api"),
        "list": {"url": "{base}/items", "page_size": 50},
        "page": {"items": "items", "style": "cursor"},
        "item": {"id": "id", "name": "name", "url": "url"},
        "auth": {"headers": {"Cookie": "session={secret:session}"}},
    }
    agent.call("POST", "sources", {"source": source, "save": True})
    page = await extended.open(site.url("/norway/"))
    await page.evaluate("document.cookie = 'session=member; Secure; path=/'")
    await page.evaluate("document.cookie = 'private=PRIVATE; Secure; path=/'")
    async with extended.popup(page) as popup:
        await popup.until("document.getElementById('hand-over')")
        assert "the cookie session of videos.example" in await popup.text()
        await popup.click("#hand-over")
        await popup.until("document.body.innerText.includes('is signed in')")
    assert agent.call("GET", "sources/shots")["signed_in"]
    assert asked == ["session=member"]
    await page.close()
