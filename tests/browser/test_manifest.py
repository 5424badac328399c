"""The extension as both stores would look at it: rights, texts, and what must not be in it."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import EXTENSION
from tests.browser.running import ROOT
from trayagent.desktop import browser_extension

MANIFEST: dict[str, Any] = json.loads((EXTENSION / "manifest.json").read_text("utf-8"))
LINT = ROOT / "tests/browser/lint"
SCRIPTS = sorted(EXTENSION.glob("*.js"))
PAGES = sorted(EXTENSION.glob("*.html"))
COMPUTED = {"tab_": "found.js", "kind_": "takeover.js"}
"""Texts whose keys are put together from names in these files."""
STATES = {"paused", "cancelled"}
"""Texts that are called as the state of a download is."""


def messages(locale: str) -> dict[str, dict[str, Any]]:
    """Return the texts of a language."""
    file = EXTENSION / "_locales" / locale / "messages.json"
    found: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8"))
    return found


def used_keys() -> set[str]:
    """Return the keys that scripts, pages and the manifest ask for."""
    scripts = "\n".join(file.read_text("utf-8") for file in SCRIPTS)
    pages = "\n".join(file.read_text("utf-8") for file in PAGES)
    keys = set(re.findall(r"data-t(?:-[\w-]+)?=\"(\w+)\"", pages))
    keys |= set(re.findall(r"__MSG_(\w+)__", (EXTENSION / "manifest.json").read_text()))
    # A key is a string by itself: in t(…), in a table of keys, or chosen between two.
    keys |= {word for word in re.findall(r"\"(\w+)\"", scripts) if word in messages("en")}
    for prefix in COMPUTED:
        keys |= {key for key in messages("en") if key.startswith(prefix)}
    return keys | STATES


def installed_linter() -> Path:
    """Return Mozilla's linter, as the lock file has it; where it cannot be had, skip with the reason."""
    linter = LINT / "node_modules/.bin/addons-linter"
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm (Node 20): sudo apt install npm")
    if not linter.exists():
        # No script of a package runs: the linter needs none, and none was looked at.
        command = [npm, "ci", "--prefix", str(LINT), "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
        except subprocess.TimeoutExpired:
            pytest.skip("npm's packages do not come within four minutes")
        if done.returncode:
            pytest.skip(f"npm's packages cannot be had: {done.stderr.strip()[-300:]}")
    return linter


@pytest.mark.timeout(400)
def test_the_lint_of_mozillas_store_finds_nothing(tmp_path: Path) -> None:
    linter = installed_linter()
    xpi = browser_extension.unpack(tmp_path).xpi
    done = subprocess.run(
        [linter, "--output", "json", xpi], capture_output=True, text=True, check=False, timeout=120
    )
    report = json.loads(done.stdout)
    found = [f"{each['code']}: {each['message']}" for each in report["errors"]]
    found += [f"{each['code']}: {each['message']}" for each in report["warnings"]]
    assert found == []


def test_rights_are_those_the_documentation_explains() -> None:
    text = (ROOT / "docs/browser.md").read_text("utf-8")
    table = text.partition("| permission |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"^\| `([^`]+)`", table, re.MULTILINE))
    asked = {*MANIFEST["permissions"], *MANIFEST["host_permissions"]}
    optional = {*MANIFEST["optional_permissions"], *MANIFEST["optional_host_permissions"]}
    assert explained == asked | optional
    for right in optional:
        (line,) = re.findall(rf"^\| `{re.escape(right)}`.*$", table, re.MULTILINE)
        assert "when" in line, f"{right} is optional: the table says when it is asked for"


def test_every_site_is_asked_for_only_when_it_is_needed() -> None:
    assert MANIFEST["host_permissions"] == ["http://127.0.0.1/*"]
    assert [each["matches"] for each in MANIFEST["content_scripts"]] == [["http://127.0.0.1/pair*"]]
    assert "externally_connectable" not in MANIFEST
    assert "web_accessible_resources" not in MANIFEST


def test_stores_limits_hold() -> None:
    english = messages("en")
    assert len(english["description"]["message"]) <= 132  # Chrome Web Store
    assert re.fullmatch(r"\d+(\.\d+){0,3}", MANIFEST["version"])
    for size, file in {**MANIFEST["icons"], **MANIFEST["action"]["default_icon"]}.items():
        head = (EXTENSION / file).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(head[16:20]) == int(size)


def test_nothing_runs_that_is_not_in_the_package() -> None:
    policy = MANIFEST["content_security_policy"]["extension_pages"]
    assert "default-src 'none'; script-src 'self'" in policy
    assert "unsafe" not in policy
    for file in SCRIPTS:
        text = file.read_text("utf-8")
        assert not re.search(
            r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", text
        )
        for name in re.findall(r"from \"(.+?)\"|import \"(.+?)\"", text):
            assert (EXTENSION / "".join(name)).exists(), f"{file.name} imports {name}"
    for file in PAGES:
        for name in re.findall(r"(?:src|href)=\"([^\"]+)\"", file.read_text("utf-8")):
            assert (EXTENSION / name).exists(), f"{file.name} shows {name}"


def test_every_text_exists_and_every_text_is_used() -> None:
    assert MANIFEST["default_locale"] == "en"
    missing = set(re.findall(r"\bt\(\"(\w+)\"", "".join(f.read_text("utf-8") for f in SCRIPTS)))
    assert missing <= messages("en").keys()
    assert used_keys() == messages("en").keys()


def test_pages_hold_no_words_of_their_own() -> None:
    for file in PAGES:
        text = re.sub(r"<title>.*?</title>|<[^>]+>", "\n", file.read_text("utf-8"))
        words = {line.strip() for line in text.splitlines()} - {"", "trayagent", "MB"}
        assert {word for word in words if not re.fullmatch(r"\d+p", word)} == set(), file.name


@pytest.mark.parametrize("locale", sorted(each.name for each in (EXTENSION / "_locales").iterdir()))
def test_languages_say_the_same_things(locale: str) -> None:
    english, other = messages("en"), messages(locale)
    assert other.keys() == english.keys()
    for key, text in other.items():
        values = sorted(re.findall(r"\$\d", text["message"]))
        assert values == sorted(re.findall(r"\$\d", english[key]["message"])), key
