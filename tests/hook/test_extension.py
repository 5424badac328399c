"""The dashboard's button: the extension is unpacked, its folder opens, and the page can say where it is."""

from __future__ import annotations

from pathlib import Path

from tests.hook.rig import EXTENSION, Rig


async def test_it_is_unpacked_and_its_folder_opens(rig: Rig) -> None:
    answer = await rig.ask("POST", "extension", {})
    assert Path(answer.json()["chromium"]) == Path("/home/me/extension/chromium")
    assert rig.desktop.opened == [("folder", Path("/home/me/extension"))]


async def test_no_extension_may_ask_for_it(rig: Rig) -> None:
    _, token = await rig.paired()
    answer = await rig.ask("POST", "extension", {}, token=token, headers={"Origin": EXTENSION})
    assert (answer.status, answer.code) == (403, "owner_only")
    assert rig.desktop.opened == []
