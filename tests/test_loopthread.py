"""An event loop in a thread: one safe door in, an honest way out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from trayagent.loopthread import LoopThread


async def forever(ready: Callable[[], None]) -> None:
    ready()
    await asyncio.Event().wait()


def test_start_returns_when_ready_and_stop_ends_it() -> None:
    """Start, stop twice, join: no error, no thread left."""
    thread = LoopThread(forever)
    thread.start()

    thread.stop()
    thread.stop()

    assert thread.join() is None
    assert "loop" not in {t.name for t in threading.enumerate()}


def test_a_start_that_fails_fails_where_it_was_asked_for() -> None:
    """Whoever starts it learns why it did not start."""

    async def broken(ready: Callable[[], None]) -> None:
        raise LookupError("no")

    thread = LoopThread(broken)

    with pytest.raises(LookupError, match="no"):
        thread.start()
    assert isinstance(thread.join(), LookupError)


def test_posting_reaches_the_loop_and_after_the_end_nothing_happens() -> None:
    """Calls run on the loop's thread; a late call is dropped without an error."""
    thread = LoopThread(forever)
    thread.start()
    seen: list[str] = []
    done = threading.Event()

    def note() -> None:
        seen.append(threading.current_thread().name)
        done.set()

    thread.post(note)
    assert done.wait(5)
    thread.stop()
    thread.join()

    thread.post(seen.append, "late")

    assert seen == ["loop"]


def test_what_it_dies_of_is_handed_to_whoever_joins() -> None:
    """A crash after the start is not lost."""
    go = threading.Event()

    async def crash(ready: Callable[[], None]) -> None:
        ready()
        await asyncio.to_thread(go.wait)
        raise ZeroDivisionError

    thread = LoopThread(crash)
    thread.start()
    go.set()

    assert isinstance(thread.join(), ZeroDivisionError)


@pytest.mark.parametrize("begun", [False, True])
def test_a_start_that_is_interrupted_leaves_no_thread(
    begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends the process, also when it comes before the coroutine's first step."""
    here = threading.Event()
    ended: list[str] = []

    async def slow(ready: Callable[[], None]) -> None:
        here.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    thread = LoopThread(slow)

    def interrupted() -> None:
        assert here.wait(5)
        raise KeyboardInterrupt

    monkeypatch.setattr(thread._ready, "result", interrupted)
    if not begun:
        thread.stop()
        here.set()
    with pytest.raises(KeyboardInterrupt):
        thread.start()
    assert not thread._thread.is_alive()
    assert ended == (["cancelled"] if begun else [])
