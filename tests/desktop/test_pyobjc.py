"""What the tray of macOS calls is there, in the versions that the lock pins.

Held against PyObjC's own metadata, see `pyobjc_names`; nothing here has run on a Mac.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.desktop.pyobjc_names import RECORDED, names, selector, selectors, sources

ROOT = Path(__file__).parents[2]
KNOWN: dict[str, Any] = json.loads(RECORDED.read_text("ascii"))

PLAIN = {
    "addItem:",
    "boldSystemFontOfSize:",
    "menuFontOfSize:",
    "removeStatusItem:",
    "setAttributedTitle:",
    "setDelegate:",
    "setImage:",
    "setMenu:",
    "setState:",
    "setSubmenu:",
    "setTag:",
    "setTarget:",
    "setToolTip:",
    "statusItemWithLength:",
    "stop:",
    "terminate:",
}
"""Methods of objects and numbers only: PyObjC asks the system for their types, so its metadata is silent.

Nothing here proves that they exist; Apple documents them for NSMenu, NSMenuItem, NSFont, NSStatusBar,
NSStatusItem, NSControl, NSButton, NSView and NSApplication.
"""


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_class_constant_and_function_is_known(source: Path) -> None:
    used = sorted(set(names(source)))
    assert used
    assert [one for one in used if not KNOWN["names"][one[0]].get(one[1])] == []


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_method_is_described_or_plain(source: Path) -> None:
    called = {selector(name) for name, _ in selectors(source)}
    assert called
    unknown = {name for name in called if not KNOWN["methods"].get(name)}
    assert unknown - PLAIN == set()


@pytest.mark.parametrize("source", sources(), ids=lambda source: source.name)
def test_every_method_gets_as_many_arguments_as_it_has_colons(source: Path) -> None:
    # `initWithObjectsAndKeys:` takes as many as it is given, and an end that PyObjC adds.
    fixed = [one for one in selectors(source) if one[0] != "initWithObjectsAndKeys_"]
    assert [one for one in fixed if one[0].count("_") != one[1]] == []


def test_the_record_is_of_the_pinned_versions() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    for wheel in KNOWN["wheels"]:
        name, version = wheel.split("-")[:2]
        pinned = re.search(rf"^{name.replace('_', '-')}==(\S+)", lock, re.MULTILINE)
        assert pinned is not None, wheel
        assert pinned[1] == version, f"python -m tests.desktop.pyobjc_names anew: {wheel}"
