"""What the browser tests share: a public site, an agent that can reach it, and headless Chromium."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright, expect

from tests.browser.chromium import EXTENSION, launch_options
from tests.browser.extension import Extended, browser_with, with_permissions_granted
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
def new_agent(
    site: PublicSite, proxy: NameProxy, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Running]:
    """Return what makes an agent that reaches the site: in a home of its own, not started yet.

    Its arguments are settings, named as in the environment.
    """

    def new_agent(**settings: str) -> Running:
        home = tmp_path_factory.mktemp("agent") / "home"
        return Running(home, site.authority, NETWORK__PROXY=proxy.url, **settings)

    return new_agent


@pytest.fixture(scope="module")
def agent(new_agent: Callable[..., Running]) -> Iterator[Running]:
    """Run the real agent; the tests of one file share it. A file that needs another one says so."""
    agent = new_agent()
    agent.home.mkdir()
    (agent.home / "config.toml").write_text("# My own words.\n[downloads]\nworkers = 4  # four\n")
    with agent:
        yield agent


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def extended(
    request: pytest.FixtureRequest,
    playwright: Playwright,
    site: PublicSite,
    agent: Running,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Extended]:
    """Run a browser with the extension, paired with the agent; the tests of one file share it.

    As it is shipped; where a file says `MAY_ASK_EVERY_SITE`, as if a person had allowed it all sites.
    """
    folder = tmp_path_factory.mktemp("extended")
    may_ask = getattr(request.module, "MAY_ASK_EVERY_SITE", False)
    extension = with_permissions_granted(folder) if may_ask else EXTENSION
    async with browser_with(playwright, extension, folder / "profile", site.port) as extended:
        assert await extended.pair(agent.pairing()) == "done"
        yield extended


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a desktop whose opener notes what it was to open; the agent started meanwhile finds it."""
    folder = tmp_path_factory.mktemp("desktop")
    opener = folder / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" >> "{folder}/opened"\n')
    opener.chmod(0o755)
    (folder / "opened").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield folder / "opened"


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
