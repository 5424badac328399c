"""Options as clients send them, and as they are told."""

from __future__ import annotations

from tests.hook.foreign.rig import ADDRESS, ForeignRig


async def test_what_is_told_of_a_stopped_download_adds_it_again(foreign: ForeignRig) -> None:
    """So AriaNg tries again: it asks for the options, and sends all of them with the address."""
    gid = await foreign.add(ADDRESS, {"out": "film.mp4", "pause": "true"})
    await foreign.call("remove", gid)
    gid = await foreign.add(ADDRESS, {"out": "film.mp4", "split": "3"})
    options = await foreign.call("getOption", gid)
    await foreign.call("remove", gid)
    again = await foreign.add(ADDRESS, options)

    assert again != gid
    assert await foreign.call("getOption", again) == options
    assert (options["out"], options["split"]) == ("film.mp4", "3")


async def test_nothing_is_told_that_nobody_ordered(foreign: ForeignRig) -> None:
    options = await foreign.call("getOption", await foreign.add())

    assert options.keys().isdisjoint({"gid", "out", "split", "checksum", "header"})
