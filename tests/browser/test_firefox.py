"""Firefox ESR does what Chromium does: the bookmark on every kind of page, and the same extension folder."""

from collections.abc import Callable, Iterator

import pytest

from tests.browser.attacks import BATTERY
from tests.browser.chromium import EXTENSION
from tests.browser.impostor import impostor
from tests.browser.marionette import ELEMENT, Firefox
from tests.browser.public_site import POLICIES, PublicSite
from tests.browser.running import ROOT, Running, until

pytestmark = [pytest.mark.browser, pytest.mark.needs("firefox-esr")]
TEMPLATE = (ROOT / "trayagent/hook/static/bookmarklet.txt").read_text()
ALT, SHIFT = "\ue00a", "\ue008"


@pytest.fixture(scope="module")
def agent(new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Run an agent on another of the ports where the extension looks."""
    with new_agent(HOOK__PORT="17835") as agent:
        yield agent


@pytest.fixture(scope="module")
def running_firefox(
    site: PublicSite, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Firefox]:
    """Run Firefox; the tests of this file share it."""
    with Firefox.start(tmp_path_factory.mktemp("firefox") / "profile", site.port) as firefox:
        yield firefox


@pytest.fixture
def firefox(running_firefox: Firefox) -> Firefox:
    """Begin with a single tab, and an empty page: a page sent before would still want to go back."""
    running_firefox.settle()
    running_firefox.go("about:blank")
    return running_firefox


@pytest.fixture(scope="module")
def extension(running_firefox: Firefox, agent: Running) -> str:
    """Install the extension as it is shipped, pair it, and return its id."""
    firefox = running_firefox
    firefox.settle()
    installed = str(firefox("Addon:Install", path=str(EXTENSION), temporary=True))
    assert pair(firefox, agent.pairing()) == "done"
    return installed


PAIRING = "return document.documentElement.dataset.pairing ?? ''"


def pair(firefox: Firefox, address: str, answer: str = "#accept") -> str:
    """Open a pairing page, answer the extension's question, and return what the page says in the end."""
    page = firefox.new_tab()
    before = set(firefox.windows())
    firefox.go(address)
    firefox.turn_to_page("/options.html", besides=before)
    until(lambda: firefox.run("return document.getElementById('asked')?.hidden === false"))
    firefox.click(answer)
    until(lambda: firefox.run("return document.getElementById('asked').hidden"))
    firefox.switch(page)
    said: str = until(lambda: firefox.run(PAIRING).replace("asking", ""))
    firefox.settle()
    return said


def click_bookmark(firefox: Firefox, text: str) -> None:
    """Click a real bookmark in the bookmarks toolbar."""
    firefox.chrome(
        """const [text] = given;
        const { bookmarks, getFolderContents } = window.PlacesUtils;
        await bookmarks.eraseEverything();
        await bookmarks.insert({ parentGuid: bookmarks.toolbarGuid, title: "Send", url: text });
        const { root } = window.PlacesUtils.getFolderContents(bookmarks.toolbarGuid);
        window.PlacesUIUtils.openNodeIn(root.getChild(0), "current", { ownerWindow: window });
        root.containerOpen = false;""",
        text,
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_bookmark_ends_in_a_file(
    policy: str, firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    address = site.url(f"/{policy}/fox-of-{policy}.mp4")
    firefox.go(address)
    before = set(firefox.windows())
    click_bookmark(firefox, TEMPLATE.replace("PORT", str(agent.port)))
    firefox.turn_to_page("/send", besides=set() if policy == "sandbox" else before)
    assert firefox.text("#host") == f"videos.example:{site.port}"
    until(lambda: firefox.run("return !document.getElementById('send').disabled"))
    firefox.click("#send")
    assert agent.saved(address).name == f"fox-of-{policy}.mp4"
    until(lambda: set(firefox.windows()) == before)


def test_hurried_and_synthetic_clicks_add_nothing(
    firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    url = site.url("/plain/never-fox.mp4")
    firefox.go(f"{agent.base}/send#url={url}&title=")
    firefox.run("document.getElementById('send').click()")
    until(lambda: firefox.run("return !document.getElementById('send').disabled"))
    firefox.run("document.getElementById('send').click()")
    assert [row for row in agent.downloads() if row["url"] == url] == []


def test_extension_pairs(extension: str, agent: Running) -> None:
    clients = agent.call("GET", "clients")["clients"]
    assert [client["origin"].partition(":")[0] for client in clients] == ["moz-extension"]
    assert clients[0]["name"] == "Firefox on Linux"


def test_an_impostor_takes_no_pairing_over(
    extension: str, firefox: Firefox, agent: Running
) -> None:
    for relay in (0, agent.port):
        with impostor(relay=relay) as evil:
            firefox.new_tab()
            firefox.go(evil.pairing)
            assert firefox.run("return location.port") == str(evil.port)
            said = until(lambda: firefox.run(PAIRING).replace("asking", ""))
            assert said.startswith("failed: This browser is paired already")
            assert evil.asked == ["hello"]
    paired = [client["origin"] for client in agent.call("GET", "clients")["clients"]]
    assert [origin.partition(":")[0] for origin in paired] == ["moz-extension"]


def test_extension_loads_without_complaint(extension: str, firefox: Firefox) -> None:
    complaints = firefox.chrome(
        """const { AddonManager } = ChromeUtils.importESModule("resource://gre/modules/AddonManager.sys.mjs");
        const addon = await AddonManager.getAddonByID(given[0]);
        const policy = WebExtensionPolicy.getByID(given[0]);
        const { warnings, errors } = policy.extension;
        return [...warnings, ...errors, ...(addon.isActive ? [] : ["not active"])];""",
        extension,
    )
    # Chromium needs its `key` to keep the extension's id; Firefox notes that it does not know it.
    assert [said for said in complaints if "processing key" not in said] == []


def test_menu_ends_in_a_file(
    extension: str, firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    firefox.go(site.url("/player.html"))
    firefox.right_click("video")
    firefox.chrome(
        """const menu = document.getElementById("contentAreaContextMenu");
        const shown = popup => popup.state === "open"
          || new Promise(resolve => popup.addEventListener("popupshown", resolve, { once: true }));
        await shown(menu);
        const ours = [...menu.querySelectorAll("menu")].find(each => each.label === "trayagent");
        const opened = shown(ours.menupopup);
        ours.openMenu(true);
        await opened;
        const item = [...ours.menupopup.children].find(each => each.label.includes("video"));
        ours.menupopup.activateItem(item);"""
    )
    assert agent.saved(site.url("/media/aurora.mp4")).name == "aurora.mp4"
    assert agent.downloads()[0]["via"] == "extension"


def test_shortcut_sends_the_page(
    extension: str, firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    url = site.url("/plain/shortcut-fox.mp4")
    firefox.go(url)
    firefox.press(ALT, SHIFT, "d")
    assert agent.saved(url).name == "shortcut-fox.mp4"


def test_popup_lists_and_sends(
    extension: str, firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    host = firefox.chrome(
        "return WebExtensionPolicy.getByID(given[0]).mozExtensionHostname;", extension
    )
    page = firefox("WebDriver:GetWindowHandle")
    beside = firefox.new_tab()
    firefox.go(f"moz-extension://{host}/options.html")
    firefox.switch(page)
    firefox.go(site.url("/player.html"))
    firefox.chrome(
        """const { extension } = WebExtensionPolicy.getByID(given[0]);
        const { Management } = ChromeUtils.importESModule("resource://gre/modules/Extension.sys.mjs");
        await Management.global.browserActionFor(extension).openPopup(window);
        return "";""",
        extension,
    )
    # Another page of the extension sees into its popup; looking must not take the focus from it.
    firefox.switch(beside, focus=False)
    popup = """const { extension } = (window.wrappedJSObject ?? window).chrome;
        const inside = extension.getViews({ type: "popup" })[0]?.document;"""
    until(lambda: firefox.run(f"{popup} return inside?.querySelectorAll('#here li').length === 5"))
    assert firefox.run(f"{popup} return inside.getElementById('state').textContent") == "Connected"
    firefox.run(
        f"""{popup} const boxes = [...inside.querySelectorAll('#here input')];
        boxes.find(box => box.value.endsWith('making-of.webm')).click();
        inside.getElementById('send').click();"""
    )
    assert agent.saved(site.url("/media/making-of.webm")).name == "making-of.webm"


@pytest.mark.parametrize("place", ["internet", "internet, allowed", "rebound name"])
def test_hostile_page_achieves_nothing(
    place: str, firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    before, refused = agent.belongings(), len(agent.refusals())
    permission = "permissions.default.loopback-network"
    firefox.chrome(f"Services.prefs.setIntPref('{permission}', {1 if 'allowed' in place else 2});")
    base = agent.base
    if place == "rebound name":
        base = f"http://evil.example:{agent.port}"
        firefox.go(f"{base}/")
    else:
        firefox.go(site.url("/plain/hostile.mp4", host="evil.example"))
    sockets = base.replace("http", "ws")
    told = firefox.run(f"return ({BATTERY})(arguments[0])", {"base": base, "sockets": sockets})
    assert set(told) <= ({421} if place == "rebound name" else set())
    arrived = agent.refusals()[refused:]
    if place == "rebound name":  # Even the page that would attack is refused.
        assert {line.rpartition(": ")[2] for line in arrived} == {"wrong_host"}
    if place == "internet, allowed":
        assert len(arrived) > 80, "the attacks did not arrive"
        for number in range(firefox.run("return document.querySelectorAll('.framed').length")):
            frame = firefox.run("return document.querySelectorAll('.framed')[arguments[0]]", number)
            firefox("WebDriver:SwitchToFrame", element=frame[ELEMENT])
            assert "Download this?" not in firefox("WebDriver:GetPageSource")
            firefox("WebDriver:SwitchToParentFrame")
    assert agent.belongings() == before


def test_dashboard_lists_shows_and_survives_a_reload(
    firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    """The main path of the dashboard: add, see it arrive, look at it, sort, tick, reload."""
    row = "[...document.querySelectorAll('.rows .row:not([hidden])')].find(each => each.querySelector('.name').title"
    firefox.go(agent.dashboard())
    until(lambda: firefox.run("return !document.getElementById('shell').hidden"))
    firefox.click("#add")
    for name in ("fox-list-a.mp4", "fox-list-b.mp4"):
        firefox.run(
            "document.getElementById('links').value += arguments[0] + '\\n'",
            site.url(f"/plain/{name}"),
        )
    firefox.click("dialog[open] .primary")
    agent.saved(site.url("/plain/fox-list-b.mp4"))
    until(lambda: firefox.run(f"return {row} === 'fox-list-a.mp4')?.dataset.state === 'completed'"))
    assert firefox.run("return document.querySelector('.rows .row').offsetHeight") == 36
    firefox.click(".head-row .what button")
    until(
        lambda: firefox.run(
            "return document.querySelector('.head-row .what').ariaSort === 'ascending'"
        )
    )
    # In another order its rows are read anew, and are empty until then.
    until(lambda: firefox.run(f"return Boolean({row} === 'fox-list-b.mp4'))"))
    firefox.run(f"{row} === 'fox-list-a.mp4').querySelector('.name').click()")
    until(
        lambda: firefox.run(
            "return document.querySelector('.detail:not([hidden]) h2')?.textContent === 'fox-list-a.mp4'"
        )
    )
    firefox.run(f"{row} === 'fox-list-b.mp4').querySelector('input').click()")
    until(lambda: firefox.run("return !document.querySelector('.tick-bar').hidden"))
    firefox("WebDriver:Refresh")
    until(lambda: firefox.run(f"return Boolean({row} === 'fox-list-b.mp4'))"))
