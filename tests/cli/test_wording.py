"""Downloads, times and counts are said in plain words that fit their state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trayagent.cli import wording

WAITING = {
    "code": "server_busy",
    "message": "The server asked us to slow down.",
    "action": "Nothing to do.",
}


def download(**more: Any) -> dict[str, Any]:
    """A download as the API tells it."""
    plain: dict[str, Any] = {"id": "d1", "url": "https://h/a/b%20c.mp4?sig=x", "state": "queued"}
    empty = dict.fromkeys(("filename", "size", "error", "warning", "not_before"))
    return plain | empty | {"received": 0, "speed": 0} | more


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "b c.mp4"),
        ({"filename": "given.mp4"}, "given.mp4"),
        ({"url": "https://host/"}, "host"),
        ({"url": "https://host/?token=x"}, "host"),
        ({"url": "flow:a picture"}, "a picture"),
    ],
)
def test_the_name_is_the_best_we_have(more: dict[str, Any], told: str) -> None:
    assert wording.download_name(download(**more)) == told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, ""),
        ({"state": "active", "received": 400_000}, "400 KB"),
        ({"state": "active", "received": 999, "size": 1000}, "99% of 1.0 KB"),
        ({"state": "completed", "received": 2_000_000, "size": 2_000_000}, "2.0 MB"),
        ({"state": "completed", "received": 5}, "5 bytes"),
    ],
)
def test_the_amount(more: dict[str, Any], told: str) -> None:
    assert wording.amount(download(**more)) == told


@pytest.mark.parametrize(
    ("more", "sentence", "action"),
    [
        ({"state": "failed", "error": WAITING}, "slow down", "Nothing to do."),
        ({"state": "failed"}, "It failed.", "trayagent retry d1"),
        ({"state": "completed"}, "It is complete.", "trayagent open d1"),
        ({"state": "completed", "warning": "No length."}, "with a doubt: No length.", "open d1"),
        ({"state": "active"}, "It is being downloaded.", ""),
        ({"state": "paused"}, "It is paused.", "trayagent resume d1"),
        ({"state": "cancelled"}, "It was cancelled.", "trayagent retry d1"),
        ({}, "It waits for its turn.", ""),
    ],
)
def test_every_state_has_a_sentence_and_a_next_step(
    more: dict[str, Any], sentence: str, action: str
) -> None:
    told, step = wording.reason_of(download(**more))
    assert sentence in told
    assert action in step
    assert bool(action) == bool(step)


@pytest.mark.parametrize("state", ["queued", "failed", "cancelled", "paused", "active"])
def test_an_error_says_what_to_do_while_that_helps(state: str) -> None:
    told = wording.error_of(download(state=state, error=WAITING))
    assert told.startswith("The server asked us to slow down. ")
    assert told.endswith("(server_busy)")
    assert ("Nothing to do." in told) == (state in ("queued", "failed"))


def test_a_wait_names_the_hour_and_another_day_its_date() -> None:
    today = datetime.now(UTC).astimezone().replace(hour=12, minute=34)
    soon = wording.note_of(download(not_before=today.isoformat(), error=WAITING))
    assert soon == "Waits until 12:34. The server asked us to slow down."
    later = (today + timedelta(days=40)).isoformat()
    assert str((today + timedelta(days=40)).date()) in wording.clock(later)
