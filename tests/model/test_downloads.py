"""A download and the item it came from are plain JSON values, and their reprs hold no query."""

from __future__ import annotations

import msgspec
import pytest

from trayagent.model.downloads import (
    SETTLED,
    Batch,
    Cookie,
    Download,
    ErrorInfo,
    Item,
    State,
    encode,
)

KEYS = """id url state filename path size received speed attempts not_before error warning via source batch
duplicate_of sha256 created_at started_at finished_at engine remote_path""".split()


def test_a_download_has_the_documented_keys() -> None:
    download = Download("d1", "http://h/", State.QUEUED)
    assert list(msgspec.json.decode(encode(download))) == KEYS


def test_the_states_are_the_documented_ones() -> None:
    assert set(State) == {"queued", "active", "completed", "failed", "cancelled", "paused"}
    assert {"completed", "failed", "cancelled"} == SETTLED


def test_an_error_has_code_message_and_action() -> None:
    error = msgspec.json.decode(encode(ErrorInfo("network", "It failed.", "Retry.")))
    assert error == {"code": "network", "message": "It failed.", "action": "Retry."}


def test_a_repr_holds_no_query() -> None:
    shown = repr(Download("d1", "http://h/a?token=SECRET", State.ACTIVE))
    assert shown == "<Download d1 active http://h/a>"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"url": ""},
        {"url": 3},
        {"url": "http://h", "dir": "x"},
        {"url": "http://h", "exec": "x"},
        {"url": "http://h", "verify": False},
        {"url": "http://h", "kind": "film"},
        {"url": "http://h", "segments": 17},
        {"url": "http://h", "checksum": "sha-256"},
        {"url": "http://h", "cookies": [{"name": "", "value": "x", "domain": "h"}]},
        {"url": "http://h", "cookies": [{"name": "a", "value": "x", "domain": "h", "x": 1}]},
        {"url": "http://h", "headers": {"a": 1}},
        {"url": "http://h", "filename": "x" * 1025},
    ],
)
def test_what_is_no_item(value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, Item)


def test_an_item_is_written_without_what_it_does_not_say() -> None:
    item = Item("http://h", cookies=(Cookie("a", "b", "h"),))
    assert msgspec.json.decode(encode(item), type=Item) == item
    assert encode(Item("http://h")) == b'{"url":"http://h"}'


def test_a_batch_says_what_it_is() -> None:
    batch = Batch("b1", "x.txt", "drop", counts={"completed": 2})
    assert repr(batch) == "<Batch b1 x.txt, running: {'completed': 2}>"
