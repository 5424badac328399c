"""An event loop in a thread: one safe door in, an honest way out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any


class LoopThread:
    """Runs one coroutine function on a loop of its own thread.

    `start` returns once the coroutine called `ready()`, or raises what kept it from getting there;
    `stop` cancels it, from any thread and as often as you like; `join` waits for the end and
    returns what it died of, if it did.
    """

    def __init__(self, main: Callable[[Callable[[], None]], Coroutine[Any, Any, None]]) -> None:
        self._main = main
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._ready: Future[None] = Future()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="loop")

    def start(self) -> None:
        """Start the thread; start failures are raised here."""
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            # Ctrl-C, too: a thread that nobody knows of would keep the process for ever.
            self.stop()
            self.join()
            raise

    def post(self, fn: Callable[..., object], *args: object) -> None:
        """Call `fn(*args)` on the loop, soon. Once the loop has ended nothing happens."""
        try:
            self._loop.call_soon_threadsafe(fn, *args)
        except RuntimeError:  # the loop is closed, and asking first would be a race
            return

    def stop(self) -> None:
        """Cancel the coroutine; thread-safe and idempotent."""
        self.post(self._cancel)

    def join(self) -> BaseException | None:
        """Wait for the thread's end."""
        self._thread.join()
        return self._error

    def _cancel(self) -> None:
        self._stopped = True  # for a coroutine that has not begun yet
        if self._task is not None:
            self._task.cancel()

    def _announce(self) -> None:
        if not self._ready.done():
            self._ready.set_result(None)

    async def _run_main(self) -> None:
        # Stopped before it began: there was no task yet that could be cancelled.
        self._task = asyncio.current_task()
        if self._stopped:
            return
        await self._main(self._announce)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._run_main())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to whoever joins
            self._error = error
        finally:
            if not self._ready.done():
                self._ready.set_exception(
                    self._error or RuntimeError("stopped before it was ready")
                )
