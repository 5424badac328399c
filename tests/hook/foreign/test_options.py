"""Options as clients send them, and as they are told."""

from __future__ import annotations

import time

import pytest

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


async def test_what_makes_no_sense_is_refused_in_aria2s_words(foreign: ForeignRig) -> None:
    """Each line was asked of aria2c 1.36, too."""
    gid = await foreign.add(ADDRESS, {"pause": "true"})
    for call, message in (
        (
            ("addUri", ["http://example.com/b"], {}, -1),
            "Position must be greater than or equal to 0.",
        ),
        (
            ("addUri", ["http://example.com/b"], {"pause": "maybe"}),
            "We encountered a problem while processing the option '--pause'.",
        ),
        (("changeOption", gid), "The parameter at 1 is required but missing."),
        (("changeGlobalOption",), "The parameter at 0 is required but missing."),
        (("changeUri", gid, 9, [], []), "fileIndex is out of range"),
        (
            ("tellWaiting", 0, -1),
            "The integer parameter at 1 has invalid value: the value must be greater than or equal to 0.",
        ),
        (("system.multicall",), "The parameter at 0 has wrong type."),
    ):
        assert await foreign.fail(*call) == message
    assert len(await foreign.call("tellWaiting", 0, 10)) == 1


async def test_a_multicall_of_nothing_that_can_be_called(foreign: ForeignRig) -> None:
    empty = {"id": 1, "method": "system.multicall", "params": []}
    told = (await foreign.post(empty)).json()["error"]["message"]
    assert told == "The parameter at 0 is required but missing."
    assert await foreign.call_raw([{"a": 1}]) == [{"code": 1, "message": "Missing methodName."}]


async def test_a_metalink_that_is_no_base64_is_refused(foreign: ForeignRig) -> None:
    assert await foreign.fail("addMetalink", "é") == "The parameter at 0 is no base64."


@pytest.mark.parametrize("option", ["dir", "out"])
async def test_a_path_of_a_million_parts_holds_nobody_up(foreign: ForeignRig, option: str) -> None:
    began = time.process_time()
    said = await foreign.fail("addUri", ["http://example.com/b"], {option: "a/" * 900_000 + "x"})
    assert said == f"We encountered a problem while processing the option '--{option}'."
    assert time.process_time() - began < 0.25
