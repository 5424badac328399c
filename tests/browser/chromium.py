"""Debian's Chromium under playwright: how it is started, and what it is asked."""

import importlib.util
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from tests import programs

NAMES: Final = "MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
EXTENSION: Final = Path(__file__).parents[2] / "assets" / "extension"


def launch_options(site_port: int, *flags: str) -> dict[str, Any]:
    """Return what makes names ending in .example lead to the site, and the site count as public."""
    return {
        "executable_path": programs.find("chromium"),
        "headless": True,
        # Playwright switches these two off, and then every test of popups and extensions lies.
        "ignore_default_args": ["--disable-popup-blocking", "--disable-extensions"],
        "args": [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            f"--host-resolver-rules={NAMES}",
            f"--ip-address-space-overrides=127.0.0.1:{site_port}=public",
            *flags,
        ],
    }


async def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page, one line for each kind of fault."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None, "axe-playwright-python is in the test group"
    assert found.origin is not None
    source = Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    await page.evaluate(f"{source}; undefined")
    report: dict[str, Any] = await page.evaluate("axe.run()")
    assert report["passes"], "axe looked at nothing"
    return [
        f"{fault['id']}: {fault['help']}: {[node['html'] for node in fault['nodes']]}"
        for fault in report["violations"]
    ]


async def run_bookmarklet(page: Page, text: str) -> None:
    """Run a bookmarklet as a click on a bookmark does: with a gesture, past the page's policy."""
    session = await page.context.new_cdp_session(page)
    expression = text.removeprefix("javascript:")
    await session.send("Runtime.evaluate", {"expression": expression, "userGesture": True})
    await session.detach()
