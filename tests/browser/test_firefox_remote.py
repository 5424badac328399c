"""Firefox starts and pairs trayagent through its native messaging host, and its downloads are taken over."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.extension import with_permissions_granted
from tests.browser.marionette import Firefox
from tests.browser.public_site import PublicSite
from tests.browser.running import Running, until
from tests.browser.takeover_site import CONTENT, offer_downloads

pytestmark = [pytest.mark.browser, pytest.mark.needs("firefox-esr")]
RULES = {"on": True, "smallest": 1000, "kinds": ["archive", "other"], "except": ""}


class Extension:
    """The extension in a Firefox: a page of it stays open in a tab of its own."""

    def __init__(self, firefox: Firefox, folder: Path) -> None:
        self.firefox = firefox
        self.first = firefox("WebDriver:GetWindowHandle")
        firefox("Addon:Install", path=str(folder), temporary=True)
        firefox.turn_to_page("/options.html", besides={self.first})
        self.page = firefox("WebDriver:GetWindowHandle")
        assert firefox.run("return location.hash") == "#welcome"

    def ask(self, expression: str, *arguments: object) -> Any:
        """Evaluate in the extension's own page."""
        self.firefox.switch(self.page)
        return self.firefox.run_async(
            f"const {{ chrome, JSON }} = window.wrappedJSObject ?? window; return {expression}",
            *arguments,
        )


@pytest.fixture(scope="module")
def agent(site: PublicSite, new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Give an agent that is down; it is ended here."""
    offer_downloads(site)
    agent = new_agent()
    agent.home.mkdir()
    yield agent
    if (agent.home / "runtime.json").exists():
        agent.find()
        agent.call("POST", "quit", {})


@pytest.fixture(scope="module")
def firefox(agent: Running, site: PublicSite) -> Iterator[Firefox]:
    """Run Firefox after `trayagent extension --register`."""
    (agent.home / ".mozilla").mkdir()
    command = [sys.executable, "-m", "trayagent", "extension", "--register"]
    subprocess.run(command, env=agent.environ, check=True, capture_output=True)
    with Firefox.start(agent.home / "profile", site.port, agent.environ) as firefox:
        yield firefox


@pytest.fixture(scope="module")
def extension(
    firefox: Firefox, agent: Running, tmp_path_factory: pytest.TempPathFactory
) -> Extension:
    """Install the extension, let it start trayagent, and pair it: two clicks."""
    extension = Extension(firefox, with_permissions_granted(tmp_path_factory.mktemp("copy")))
    for label in ("Start trayagent", "Pair now"):
        wait_for_way_in(firefox, label)
        firefox.click("#way-in")
    until(lambda: firefox.run("return !document.getElementById('link').hidden"))
    agent.find()
    return extension


def wait_for_way_in(firefox: Firefox, label: str) -> None:
    """Wait until the button of the extension's page says this."""
    until(
        lambda: firefox.run(
            "return document.getElementById('way-in')?.textContent === arguments[0]", label
        )
    )


def start_download(firefox: Firefox, id: str) -> None:
    """Click a link; the driver's own click would wait seconds for a page that never comes."""
    firefox.run("document.getElementById(arguments[0]).click()", id)


def test_started_and_paired_with_two_clicks(extension: Extension, agent: Running) -> None:
    (client,) = agent.call("GET", "clients")["clients"]
    assert client["origin"].startswith("moz-extension://")


def test_downloads_are_taken_over_with_cookies_and_forms_stay(
    extension: Extension, firefox: Firefox, agent: Running, site: PublicSite
) -> None:
    options = json.dumps({"options": {"takeover": RULES}})
    extension.ask("chrome.storage.local.set(JSON.parse(arguments[0]))", options)
    site.server.seen.clear()  # the site is slow for those that come first
    firefox.switch(extension.first)
    firefox.go(site.url("/take/"))
    firefox.run("document.cookie = 'session=member; Secure; path=/'")
    start_download(firefox, "members")
    assert agent.saved(site.url("/take/members.zip")).read_bytes() == CONTENT
    start_download(firefox, "form")
    kept = agent.home / "profile/Downloads/form.zip"
    until(lambda: kept.exists() and kept.stat().st_size == len(CONTENT))
    assert [row["url"] for row in agent.downloads()] == [site.url("/take/members.zip")]
    start_download(firefox, "blob")
    made = agent.home / "profile/Downloads/made-here.zip"
    until(lambda: made.exists() and made.stat().st_size == 5000)
