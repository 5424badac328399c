"""The way of the bytes: one thread owns libcurl's multi handle and the connections of all downloads.

Whoever wants a body submits an `Exchange` (one request, one answer, no redirects) from any
thread, and is woken when there is something to look at:

    state     what happens                                             its caller is told
    --------  -------------------------------------------------------  ----------------------------
    waiting   its host has as many connections as it may have          -
    asking    connecting, sending, the head of the answer comes in     -
    gathered  pieces of the body stay in memory; libcurl is paused     once `wanted` bytes are here,
              when there are more than `BUFFER` bytes                  or it is paused
    flowing   `attach` gave it a sink, which gets every piece          -
    ended     complete, or over for the reason in `error`              always, as the last thing

Nothing here knows of asyncio, of files, or of what an answer means. Attributes are written by one side
only, pieces go through a deque, all else through the inbox.

Those who wait get their turns (`turns`) on the engine's thread, too, once libcurl has reported what it
has: so a small file passes from one thread to another nowhere.

libcurl works through `socket_action`: its sockets and one end of a pair, by which the inbox wakes
the thread, are waited for together. (`CurlMulti` has no call for waking in pycurl 7.49.) Beside
libcurl's own timer there are the ends of our pauses, the dates of those who wait, and a sweep that
looks for silence.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from math import inf
from pathlib import Path
from threading import get_ident
from typing import Any, Final, Self

import pycurl

from trayagent.model.errors import DownloadError
from trayagent.net.address_policy import AddressPolicy
from trayagent.net.easy_handle import EasyHandle
from trayagent.net.exchange import Exchange, Patience, Resolve, Sink
from trayagent.net.idle_sockets import IdleSockets
from trayagent.net.sockets import LEAVE, waiting
from trayagent.net.turns import Turns, Waiter, leave_alone

log = logging.getLogger(__name__)

IDLE_CONNECTIONS: Final = 64
IDLE_HANDLES: Final = 32
GIVE_UP: Final = 3.0
"""Seconds that the end of the thread is waited for: a disk it writes to may stand still for ever."""


class Transport:
    """The engine's one door: `submit`, `attach`, `resume`, `cancel`. A context manager.

    `resolve` replaces the system's name service in tests: it tells the addresses of a host.
    `ca_file` replaces the system's trust.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        patience: Patience | None = None,
        *,
        connections_per_host: int = 16,
        ca_file: Path | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self._policy = policy
        self._per_host = connections_per_host
        self._ca_file = ca_file
        self._resolve = resolve
        self._inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._awake = False
        self._in, self._out = socket.socketpair()
        self._waker = self._in.fileno()
        self._in.setblocking(False)
        self._out.setblocking(False)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closing = False
        self._ended = threading.Event()
        self._over: DownloadError | None = None
        """Why the thread has ended: from then on it looks into its inbox no more."""
        self._turns = Turns(self._run)
        # The rest belongs to the engine's thread.
        self._live: dict[Exchange, EasyHandle] = {}
        self._idle: list[EasyHandle] = []
        self._idle_sockets = IdleSockets()
        self._open: dict[str, int] = {}
        """host -> connections in use, for all who ask there"""
        self._waiting: dict[str, deque[Exchange]] = {}
        self._touched: list[EasyHandle] = []
        self._asking: dict[EasyHandle, None] = {}
        """Those whose answer's head is not here yet."""
        self._pauses: list[tuple[float, int, Exchange]] = []
        self._pause_number = 0
        self._sweep_due = inf

    # -- for every thread

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every exchange and the thread. Idempotent."""
        with self._starting:
            self._closing = True
        if self._thread is not None:
            self._call(_nothing)
            if not self._ended.wait(GIVE_UP):
                log.warning("The engine does not stop: it waits for a disk")
                return
            self._turns.thread.join(GIVE_UP)
        self._in.close()
        self._out.close()

    def wake(self, waiter: Waiter) -> None:
        """There is news for it: give it a turn. What waits when the engine ends goes on in threads of its own."""
        if self._thread is None:
            self._start()
        self._call(self._turns.ask, waiter)
        if self._over is not None:
            leave_alone(waiter)

    def submit(self, exchange: Exchange) -> None:
        """Send a request as soon as its host has a connection to spare."""
        if self._thread is None or self._closing:
            self._start()
        self._call(self._enter, exchange)
        if self._over is not None:
            self._empty_inbox(self._over)

    def attach(self, exchange: Exchange, sink: Sink) -> None:
        """From now on the body goes to this sink, what has gathered first.

        Of an exchange that has `ended` by then, its caller takes the `pieces` himself.
        """
        self._call(self._attach, exchange, sink)

    def resume(self, exchange: Exchange) -> None:
        """There is room again for what its sink did not take, or more `room` to gather in."""
        self._call(self._continue, exchange)

    def cancel(self, exchange: Exchange) -> None:
        """End it; once it has `ended`, its sink is not called any more."""
        self._call(self._cancel, exchange)

    def spare(self, host: str) -> int:
        """How many more connections the host may get at once; below 0: so many requests wait for one."""
        return self._per_host - self._open.get(host, 0) - len(self._waiting.get(host, ()))

    def __repr__(self) -> str:
        return f"<Transport of {len(self._live)} exchanges>"

    def _start(self) -> None:
        with self._starting:
            if self._closing:
                raise DownloadError("internal", "the engine is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._begin, name="engine", daemon=True)
                self._thread.start()

    def _call(self, act: Callable[..., object], *arguments: Any) -> None:
        """Have something done on the engine's thread, and wake it for that."""
        with self._turns.role:
            if get_ident() == self._turns.number:  # in a turn: nothing of libcurl is at work
                act(*arguments)
                return
        self._inbox.append((act, arguments))
        # One word is enough for all that is in the inbox; the thread takes it back before it looks.
        if not self._awake:
            self._awake = True
            with suppress(OSError):  # full: then it is being woken already
                self._out.send(b"!")

    # -- the thread

    def _begin(self) -> None:
        self._turns.begin()
        self._sockets = sockets = waiting()
        sockets.watch(pycurl.POLL_IN, self._waker)
        self._multi: Any = pycurl.CurlMulti()  # its stub leaves out `timeout`
        self._multi.setopt(pycurl.M_MAXCONNECTS, IDLE_CONNECTIONS)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._run()

    def _run(self) -> None:
        """Turn until closed. Whatever ends this thread ends every exchange with it."""
        reason = DownloadError("cancelled")
        try:
            while not self._closing:
                if not self._turn():
                    return  # another thread is the engine
        except Exception:  # the boundary of this thread: those who wait must hear of it
            log.exception("The engine stopped")
            reason, self._closing = DownloadError("internal", "the engine stopped"), True
        self._over = reason  # first: what is submitted later is seen by its submitter
        self._end_all(reason)
        self._turns.end()
        for handle in self._idle:
            handle.curl.close()
        self._multi.close()
        self._sockets.close()
        self._ended.set()

    def _turn(self) -> bool:
        """Wait for sockets and timers, let libcurl work, then those who wait. False: not the engine any more."""
        due = min(self._sweep_due, self._turns.due, self._pauses[0][0] if self._pauses else inf)
        seconds = 0.0 if self._inbox else max(0.0, due - time.monotonic())
        milliseconds = self._multi.timeout()  # until libcurl wants to be called; -1: not at all
        if milliseconds >= 0:
            seconds = min(seconds, milliseconds / 1000)
        for fd, events in self._sockets.wait(None if seconds == inf else seconds):
            if fd == self._waker:
                self._in.recv(4096)
                self._awake = False
            else:
                self._multi.socket_action(fd, events)
        self._look_around()
        if not self._turns.give():
            return False
        # Most of them have asked for something: libcurl sends it now, not after another wait.
        self._look_around()
        return True

    def _look_around(self) -> None:
        """Let libcurl and the inbox work as far as they are due, and see what has come of it."""
        if not self._multi.timeout():
            if self._touched:
                self._settle()  # else a quick body would come twice before anybody takes it
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        while self._inbox:
            act, arguments = self._inbox.popleft()
            act(*arguments)
        now = time.monotonic()
        while self._pauses and self._pauses[0][0] <= now:
            self._continue(heappop(self._pauses)[2])
        if now >= self._sweep_due:
            self._sweep(now)
        self._settle()

    def _watch(self, events: int, fd: int, *_: object) -> None:
        """What libcurl calls (CURLMOPT_SOCKETFUNCTION)."""
        if events != LEAVE and self._idle_sockets.first_reads:
            self._idle_sockets.note_wait()
        self._sockets.watch(events, fd)

    def _settle(self) -> None:
        """Hand over what came, take what libcurl has finished, then tell whoever has something to look at."""
        idle = self._idle_sockets
        if idle.first_reads:
            for handle in filter(idle.is_early, list(idle.first_reads)):
                self._ask_anew(handle)
        if self._asking:
            now = time.monotonic()
            for handle in list(self._asking):
                # Without a line there is no head, unless a body was quicker and had it taken.
                is_here = handle.exchange.head is not None
                if is_here or (handle.lines and handle.look_for_head(now)):
                    del self._asking[handle]
        for handle in self._touched:  # which may grow meanwhile
            handle.is_touched = False
            if handle.batch and not handle.hand_over():
                self._end(handle.exchange, handle.failure)
            elif handle.paused and handle.can_go_on:
                self._continue(handle.exchange)
        self._take_finished()
        idle.first_reads.clear()
        for handle in self._touched:
            handle.tell()
        self._touched.clear()

    def _take_finished(self) -> None:
        """End what libcurl reports as over, or ask once more where the connection was no good."""
        left = 1
        while left:
            left, complete, failed = self._multi.info_read()
            for curl in complete:
                curl.handle.note_idle()
                self._end(curl.handle.exchange, curl.handle.why_cut())
            for curl, code, words in failed:
                if curl.handle.is_stale or curl.handle in self._idle_sockets.first_reads:
                    self._ask_anew(curl.handle)
                else:
                    self._end(curl.handle.exchange, curl.handle.why_failed(code, words))

    # -- one exchange

    def _enter(self, exchange: Exchange) -> None:
        host = exchange.endpoint.origin.authority
        used = self._open.get(host, 0)
        if used >= self._per_host:
            # As many as this host may have are open: the end of one of them lets the next in line begin.
            self._waiting.setdefault(host, deque()).append(exchange)
            return
        self._open[host] = used + 1
        handle = self._idle.pop() if self._idle else self._new_handle()
        self._live[exchange] = handle
        try:
            handle.prepare(exchange, self.patience)
            self._multi.add_handle(handle.curl)
            self._asking[handle] = None
        except (pycurl.error, OSError, ValueError) as error:
            log.warning("A request could not be made: %s", type(error).__name__)
            # Later: the end of one lets the next in, and all in line may be of this kind.
            self._inbox.append((self._fail, (exchange, "the request could not be made")))
        else:
            self._sweep_due = min(self._sweep_due, handle.due)

    def _new_handle(self) -> EasyHandle:
        return EasyHandle(
            self._policy,
            self._ca_file,
            self._resolve,
            self._touched,
            self._pause,
            self._idle_sockets,
        )

    def _ask_anew(self, handle: EasyHandle) -> None:
        """Ask once more, on a new connection: only GETs come here, which may be repeated (RFC 9110 §9.2.2)."""
        self._idle_sockets.first_reads.pop(handle, None)
        self._multi.remove_handle(handle.curl)
        handle.begin_anew()
        self._multi.add_handle(handle.curl)
        self._asking[handle] = None

    def _attach(self, exchange: Exchange, sink: Sink) -> None:
        if (handle := self._live.get(exchange)) is not None:
            handle.attach(sink)
            self._continue(exchange)

    def _continue(self, exchange: Exchange) -> None:
        """Hand over what has gathered, then let libcurl go on."""
        handle = self._live.get(exchange)
        if handle is None:
            return
        # What we did not take until now is no silence of the server's.
        handle.watch.held = True
        while handle.sink is not None and exchange.pieces:
            match handle.give((exchange.pieces[0],)):
                case "taken":
                    exchange.pieces.popleft()
                case "not now":
                    return
                case "ended":
                    exchange.pieces.clear()
                    self._end(exchange, handle.failure)
                    return
        if handle.resume_at <= time.monotonic():
            handle.make_room()
            if not handle.paused:
                return
            handle.paused = False
            try:
                handle.curl.pause(pycurl.PAUSE_CONT)  # hands over at once what it kept
            except pycurl.error as error:  # its sink did not want that
                self._end(exchange, handle.why_failed(*error.args))

    def _pause(self, exchange: Exchange, until: float) -> None:
        self._pause_number += 1
        heappush(self._pauses, (until, self._pause_number, exchange))

    def _fail(self, exchange: Exchange, words: str) -> None:
        if exchange in self._live:
            self._end(exchange, DownloadError("network", words))

    def _cancel(self, exchange: Exchange) -> None:
        if exchange in self._live:
            self._end(exchange, DownloadError("cancelled"))
        elif exchange in (queue := self._waiting.get(exchange.endpoint.origin.authority, deque())):
            queue.remove(exchange)
            if not queue:
                del self._waiting[exchange.endpoint.origin.authority]
            exchange.end(DownloadError("cancelled"))

    def _end(self, exchange: Exchange, error: DownloadError | None) -> None:
        """It is over: the connection is libcurl's to keep or close, the next in line may ask."""
        host = exchange.endpoint.origin.authority
        handle = self._live.pop(exchange)
        self._asking.pop(handle, None)
        try:  # noqa: SIM105  quicker, for every small file
            self._multi.remove_handle(handle.curl)
        except pycurl.error:
            pass  # it was never added
        handle.release()
        if len(self._idle) < IDLE_HANDLES:
            self._idle.append(handle)
        else:
            handle.curl.close()
        self._open[host] -= 1
        if not self._open[host]:
            del self._open[host]
        exchange.end(error)
        if queue := self._waiting.get(host):
            self._enter(queue.popleft())
            if not queue:
                del self._waiting[host]

    def _end_all(self, error: DownloadError) -> None:
        for queue in self._waiting.values():
            for exchange in queue:
                exchange.end(error)
        self._waiting.clear()
        for exchange in list(self._live):
            self._end(exchange, error)
        self._empty_inbox(error)
        self._turns.leave_all_alone()

    def _empty_inbox(self, error: DownloadError) -> None:
        """End what was submitted too late; called by the thread at its end, then by who submits."""
        with suppress(IndexError):
            while True:
                act, arguments = self._inbox.popleft()
                if act == self._enter:
                    arguments[0].end(error)
                elif act == self._turns.ask:
                    leave_alone(*arguments)

    def _sweep(self, now: float) -> None:
        """Give up on those that are too slow; each is looked at when it is due."""
        # Collected first: the end of one takes it out of `_live`, and lets others in.
        late = [(exchange, handle) for exchange, handle in self._live.items() if handle.due <= now]
        for exchange, handle in late:
            if (error := handle.judge_silence(now, self.patience)) is not None:
                self._end(exchange, error)
        self._sweep_due = min((handle.due for handle in self._live.values()), default=inf)


def _nothing() -> None:
    """The thread only has to look around."""
