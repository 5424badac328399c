"""What browsers load from us is small, plain and self-contained, and treats all data as text."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from tests.browser.running import ROOT

STATIC: Final = ROOT / "trayagent" / "hook" / "static"
EXTENSION: Final = ROOT / "assets" / "extension"
SCRIPTS = sorted([*STATIC.rglob("*.js"), *EXTENSION.glob("*.js")], key=str)
PAGES = sorted([*STATIC.glob("*.html"), *EXTENSION.glob("*.html")], key=str)
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
STORAGE = re.compile(r"document\.cookie|localStorage|indexedDB")
OUTSIDE = re.compile(r"""["'`(]\s*(https?:)?//(?!127\.0\.0\.1)[\w.-]+\.\w+/""")


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_script_is_short_and_never_makes_markup_from_data(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    assert not MARKUP.search(text)
    assert text.startswith("//"), "the first line says what it is for"


@pytest.mark.parametrize("script", sorted(STATIC.rglob("*.js")), ids=name)
def test_dashboard_keeps_its_token_in_the_tab_only(script: Path) -> None:
    """One file keeps how the page is to look; nobody gives it anything else."""
    text = script.read_text(encoding="utf-8")
    if script.name != "preferences.js":
        assert not STORAGE.search(text)
        kept = set(re.findall(r"\bprefer\((\w+)", text))
        assert kept <= {"FOLDERS", "ROWS", "SOUND", "TOGETHER"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_page_asks_nothing_from_outside_and_has_no_inline_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not OUTSIDE.search(text)
    assert not re.search(r"\son\w+=|<style|\sstyle=|<script(?![^>]*\ssrc=)", text)
    assert '<html lang="en">' in text


@pytest.mark.parametrize(
    "sheet", sorted([*STATIC.glob("*.css"), *EXTENSION.glob("*.css")], key=str), ids=name
)
def test_style_asks_nothing_from_outside(sheet: Path) -> None:
    assert not re.search(r"@import|url\(", sheet.read_text(encoding="utf-8"))


def test_every_import_and_icon_exists() -> None:
    for script in SCRIPTS:
        for found in re.findall(r'from "(\.[\w./-]+)"', script.read_text(encoding="utf-8")):
            assert (script.parent / found).is_file(), f"{name(script)} imports {found}"
    icons = set(re.findall(r'id="i-([a-z]+)"', (STATIC / "index.html").read_text()))
    used = "".join(script.read_text() for script in STATIC.rglob("*.js"))
    for glyph in re.findall(r'(?:icon\(|glyph: |iconButton\()"([a-z]+)"', used):
        assert glyph in icons, glyph


def test_the_dashboard_asks_for_all_of_its_first_scripts_at_once() -> None:
    """One after the other, as imports are found, they would take many times as long."""
    needed, unread = set[Path](), [STATIC / "app.js"]
    while unread:
        script = unread.pop()
        for found in re.findall(
            r'^import .* from "(\.[\w./-]+)"', script.read_text(), re.MULTILINE
        ):
            path = (script.parent / found).resolve()
            if path not in needed:
                needed.add(path)
                unread.append(path)
    page = (STATIC / "index.html").read_text()
    asked = set(re.findall(r'rel="modulepreload" href="/static/([\w./-]+)"', page))
    assert asked == {path.relative_to(STATIC).as_posix() for path in needed}


def test_extension_asks_for_little() -> None:
    manifest = json.loads((EXTENSION / "manifest.json").read_text())
    assert manifest["manifest_version"] == 3
    assert set(manifest["permissions"]) == {
        "activeTab",
        "contextMenus",
        "nativeMessaging",
        "notifications",
        "scripting",
        "storage",
    }
    assert manifest["host_permissions"] == ["http://127.0.0.1/*"]
    assert set(manifest["optional_permissions"]) == {"cookies", "downloads", "webRequest"}
    assert manifest["key"], "the key keeps its id the same on every machine"
    for icon in manifest["icons"].values():
        assert (EXTENSION / icon).is_file()
