"""One source gives what each browser and each store wants, the same bytes every time."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from trayagent.desktop import browser_extension


def manifest_in(archive: Path) -> dict[str, Any]:
    """Return the manifest of a zip or xpi."""
    with zipfile.ZipFile(archive) as packed:
        assert packed.testzip() is None
        found: dict[str, Any] = json.loads(packed.read("manifest.json"))
        return found


def test_each_browser_gets_the_manifest_it_understands(tmp_path: Path) -> None:
    unpacked = browser_extension.unpack(tmp_path / "extension")
    folder = json.loads((unpacked.chromium / "manifest.json").read_text("utf-8"))
    store, firefox = manifest_in(unpacked.zip), manifest_in(unpacked.xpi)
    assert "key" in folder  # it keeps its id wherever it is unpacked
    assert "key" not in store
    for chromium in (folder, store):
        assert "scripts" not in chromium["background"]
        assert "browser_specific_settings" not in chromium
    assert "service_worker" not in firefox["background"]
    assert {"key", "minimum_chrome_version"}.isdisjoint(firefox)
    assert {folder["version"], store["version"], firefox["version"]} == {unpacked.version}


def test_all_files_are_there_and_those_of_an_old_version_are_not(tmp_path: Path) -> None:
    old = tmp_path / "chromium/gone.js"
    old.parent.mkdir()
    old.write_text("old")
    (tmp_path / "trayagent-0.9.xpi").write_text("old")
    unpacked = browser_extension.unpack(tmp_path)
    source = browser_extension.source_folder()
    names = {file.relative_to(source).as_posix() for file in source.rglob("*") if file.is_file()}
    assert {
        file.relative_to(unpacked.chromium).as_posix()
        for file in unpacked.chromium.rglob("*")
        if file.is_file()
    } == names
    with zipfile.ZipFile(unpacked.xpi) as packed:
        assert set(packed.namelist()) == names
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "chromium",
        unpacked.xpi.name,
        unpacked.zip.name,
    ]


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (browser_extension.unpack(tmp_path / name) for name in ("one", "two"))
    assert one.xpi.read_bytes() == two.xpi.read_bytes()
    assert one.zip.read_bytes() == two.zip.read_bytes()


def test_an_update_reaches_what_a_browser_has_loaded(tmp_path: Path) -> None:
    assert not browser_extension.refresh(tmp_path)  # nobody unpacked it here
    assert list(tmp_path.iterdir()) == []
    manifest = browser_extension.unpack(tmp_path).chromium / "manifest.json"
    assert not browser_extension.refresh(tmp_path)
    ours = manifest.read_text()
    manifest.write_text(json.dumps(json.loads(ours) | {"version": "0.9"}))
    assert browser_extension.refresh(tmp_path)
    assert manifest.read_text() == ours
    manifest.write_text("cut off")
    assert not browser_extension.refresh(tmp_path)


def test_removing_takes_only_what_is_ours(tmp_path: Path) -> None:
    browser_extension.unpack(tmp_path)
    (tmp_path / "mine.txt").write_text("kept")
    browser_extension.remove(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]
