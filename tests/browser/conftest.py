"""What the browser tests share: a public site, an agent that can reach it, and headless Chromium."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright, expect

from tests.browser.chromium import launch_options
from tests.browser.name_proxy import NameProxy
from tests.browser.public_site import PublicSite
from tests.browser.running import Running

expect.set_options(timeout=15_000)  # the machine may be busy with other tests


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicSite]:
    """Serve the emulated public site."""
    with PublicSite(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="package")
def proxy() -> Iterator[NameProxy]:
    """Run the proxy through which the agent finds the public site."""
    with NameProxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def agent(
    site: PublicSite, proxy: NameProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Run the real agent; the tests of one file share it."""
    home = tmp_path_factory.mktemp("agent") / "home"
    home.mkdir()
    (home / "config.toml").write_text("# My own words.\n[downloads]\nworkers = 4  # four\n")
    with Running(home, site.authority, NETWORK__PROXY=proxy.url) as agent:
        yield agent


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def playwright() -> AsyncIterator[Playwright]:
    """Run playwright's driver."""
    async with async_playwright() as playwright:
        yield playwright


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def chromium(playwright: Playwright, site: PublicSite) -> AsyncIterator[Browser]:
    """Run a Chromium for which the site is public and this machine is not."""
    browser = await playwright.chromium.launch(**launch_options(site.port))
    yield browser
    await browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where pictures go: the documentation when asked, PICTURES=1 dev.py test, else nowhere lasting."""
    if not os.environ.get("PICTURES"):
        return tmp_path_factory.mktemp("pictures")
    folder = Path(__file__).parents[2] / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
