"""The descriptors that the engine's thread waits for, as libcurl tells of them."""

from __future__ import annotations

import select
import selectors
import sys
from contextlib import suppress
from typing import Final, Protocol

LEAVE: Final = 4
"""CURL_POLL_REMOVE."""


class Sockets(Protocol):
    """Waits for any number of sockets."""

    def watch(self, events: int, fd: int) -> None:
        """Wait for these events of it from now on (1 to read, 2 to write, 3 for both), and for no others.

        4, which is libcurl's word (CURLMOPT_SOCKETFUNCTION): wait for it no
        longer. It may be closed afterwards without a word.
        """

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        """Who is ready, and for what; at most after so many seconds."""

    def close(self) -> None:
        """Let go of all."""


def waiting() -> Sockets:
    """The best that this system has."""
    if sys.platform == "linux":
        return EpollSockets()
    return SelectorSockets()


class SelectorSockets:
    """By whatever the standard library finds on this system."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, events: int, fd: int) -> None:
        if events == LEAVE:
            with suppress(KeyError):
                self._selector.unregister(fd)
        elif fd in self._selector.get_map():
            self._selector.modify(fd, events)
        else:
            self._selector.register(fd, events)

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        return [(key.fd, events) for key, events in self._selector.select(timeout)]

    def close(self) -> None:
        self._selector.close()


if sys.platform == "linux":

    class EpollSockets:
        """By epoll(7), which keeps a socket that is left until something comes of it or it is closed.

        libcurl leaves the socket of an idle connection and comes back to it with the next request: so
        that costs one system call instead of two. (With `selectors` it was a fifth of the engine's
        work for a small file.)
        """

        _MASKS: Final = (0, select.EPOLLIN, select.EPOLLOUT, select.EPOLLIN | select.EPOLLOUT)

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._known: set[int] = set()
            self._left: set[int] = set()

        def watch(self, events: int, fd: int) -> None:
            if events == LEAVE:
                self._left.add(fd)
                return
            self._left.discard(fd)
            try:
                if fd in self._known:
                    self._epoll.modify(fd, self._MASKS[events])
                    return
            except FileNotFoundError:
                pass  # closed meanwhile: the number belongs to another one now
            self._epoll.register(fd, self._MASKS[events])
            self._known.add(fd)

        def wait(self, timeout: float | None) -> list[tuple[int, int]]:
            ready = []
            for fd, mask in self._epoll.poll(-1 if timeout is None else timeout):
                if fd in self._left:
                    self._forget(fd)
                else:  # an error is told to readers and writers alike
                    reads, writes = mask & ~select.EPOLLOUT, mask & ~select.EPOLLIN
                    ready.append((fd, (1 if reads else 0) | (2 if writes else 0)))
            return ready

        def _forget(self, fd: int) -> None:
            self._left.discard(fd)
            self._known.discard(fd)
            with suppress(OSError):
                self._epoll.unregister(fd)

        def close(self) -> None:
            self._epoll.close()
