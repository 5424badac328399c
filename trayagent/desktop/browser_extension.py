"""The browser extension as people install it, made from one source for two families of browsers.

Browsers want different manifests of the same files:

| for                       | form   | background     | left out                                |
|---------------------------|--------|----------------|-----------------------------------------|
| Chromium, Chrome, Edge, … | folder | service worker | what only Firefox reads                 |
| their stores              | zip    | service worker | that, and `key`: a store gives its own  |
| Firefox, its store        | xpi    | event page     | `key` and what only Chromium reads      |
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import trayagent
from trayagent.files import remove_shared
from trayagent.model.errors import TrayagentError
from trayagent.model.extension import ExtensionFiles
from trayagent.settings import Home

CHROMIUM_FOLDER: Final = "chromium"
_DATE: Final = (2026, 1, 1, 0, 0, 0)
"""Of every file in the archives: the same source gives the same bytes."""


def folder_in(home: Home) -> Path:
    """Where a person and a browser find it: beside the drop folder, since neither looks into hidden folders."""
    return home.drop.parent / "extension"


def unpack(folder: Path) -> ExtensionFiles:
    """Write the extension below `folder`; what an earlier version left there gives way. Blocks.

    Raises TrayagentError when this installation has no extension, OSError when it cannot be written.
    """
    source = source_folder()
    manifest = json.loads((source / "manifest.json").read_text("utf-8"))
    version = str(manifest["version"])
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("trayagent-*.zip"), *folder.glob("trayagent-*.xpi")]:
        remove_shared(old)
    # The files are replaced where they are: a browser that has loaded this folder keeps its path.
    chromium = folder / CHROMIUM_FOLDER
    shutil.copytree(source, chromium, dirs_exist_ok=True)
    for stray in _files(chromium):
        if not (source / stray.relative_to(chromium)).exists():
            remove_shared(stray)
    (chromium / "manifest.json").write_bytes(_json(for_chromium(manifest)))
    zip, xpi = (folder / f"trayagent-{version}.{ending}" for ending in ("zip", "xpi"))
    _pack(
        zip, source, {key: value for key, value in for_chromium(manifest).items() if key != "key"}
    )
    _pack(xpi, source, for_firefox(manifest))
    return ExtensionFiles(folder, chromium, zip, xpi, version)


def refresh(folder: Path) -> bool:
    """Bring an unpacked extension to our version; False where there is none, or it is. Blocks.

    The extension notices by itself, and begins again with what is there. Raises what `unpack` raises.
    """
    try:
        theirs = json.loads((folder / CHROMIUM_FOLDER / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    ours = json.loads((source_folder() / "manifest.json").read_text("utf-8"))
    if not isinstance(theirs, dict) or theirs.get("version") == ours["version"]:
        return False
    unpack(folder)
    return True


def remove(folder: Path) -> None:
    """Remove what `unpack` wrote, and the folder if nothing else is in it. Blocks."""
    # Only what we wrote: this folder lies where people keep their own files.
    shutil.rmtree(folder / CHROMIUM_FOLDER, ignore_errors=True)
    for archive in [*folder.glob("trayagent-*.zip"), *folder.glob("trayagent-*.xpi")]:
        remove_shared(archive)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


def source_folder() -> Path:
    """The extension's source, in an installed package or in a checkout. Raises TrayagentError."""
    package = Path(trayagent.__file__).parent
    for root in (package, package.parent):
        if (root / "assets/extension/manifest.json").exists():
            return root / "assets/extension"
    raise TrayagentError(
        "no_extension", "This installation has no browser extension.", "Install trayagent again."
    )


def for_chromium(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest without what only Firefox reads."""
    # Chromium shows every key that it does not know as a fault on its extensions page.
    kept = {key: value for key, value in manifest.items() if key != "browser_specific_settings"}
    background = {key: value for key, value in manifest["background"].items() if key != "scripts"}
    return kept | {"background": background}


def for_firefox(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest without what only Chromium reads."""
    chromiums = ("key", "minimum_chrome_version")
    kept = {key: value for key, value in manifest.items() if key not in chromiums}
    background = {
        key: value for key, value in manifest["background"].items() if key != "service_worker"
    }
    return kept | {"background": background}


def _pack(archive: Path, source: Path, manifest: Mapping[str, Any]) -> None:
    import zipfile  # a megabyte that is needed once in a while

    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in _files(source):
            name = file.relative_to(source).as_posix()
            content = _json(manifest) if name == "manifest.json" else file.read_bytes()
            packed.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _json(value: object) -> bytes:
    return f"{json.dumps(value, indent=2, ensure_ascii=False)}\n".encode()
