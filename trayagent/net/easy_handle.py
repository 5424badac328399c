"""One of libcurl's easy handles: what it is told, what it calls back, what its end means."""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any, Final, Literal

import pycurl

from trayagent.model.errors import DownloadError
from trayagent.net.address_policy import AddressPolicy
from trayagent.net.codings import DamagedError, Decoder, decoder_for
from trayagent.net.exchange import (
    BUFFER,
    EnoughError,
    Exchange,
    Patience,
    Resolve,
    SilenceWatch,
    Sink,
)
from trayagent.net.idle_sockets import IdleSockets
from trayagent.net.redirects import Endpoint, WebOrigin
from trayagent.net.refusals import (
    CODING_CUT,
    CODING_DAMAGED,
    is_bare_end,
    refuse_connection,
    refuse_transfer,
)
from trayagent.net.trust import trust

log = logging.getLogger(__name__)

_VERSIONS: Final = {"1.1": pycurl.CURL_HTTP_VERSION_1_1, "2": pycurl.CURL_HTTP_VERSION_2TLS}
READ: Final = 32 * 1024
"""Bytes that libcurl reads at a time; of a quick body it does so 22 times before it comes back to us."""
MOST_BATCHED: Final = 1024 * 1024
"""Bytes of one body in one turn: more would wait in memory while nobody else has his turn."""
_SUPPRESS_CONNECT_HEADERS: Final = 265  # CURLOPT_…, which pycurl has no name for
_ABORT: Final = int(pycurl.PREREQFUNC_ABORT)
_GO_ON: Final = int(pycurl.PREREQFUNC_OK)
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_NOBODY: Final = Exchange(Endpoint("", WebOrigin("", "", 0, "", ""), ""), (), lambda: None)


class EasyHandle:
    """One of libcurl's easy handles, serving one exchange after the other."""

    def __init__(
        self,
        policy: AddressPolicy,
        ca_file: Path | None,
        resolve: Resolve | None,
        touched: list[EasyHandle],
        pause: Callable[[Exchange, float], None],
        idle: IdleSockets,
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._touched = touched
        self._pause = pause
        self._idle = idle
        self._proxy = policy.network.proxy
        self._headers: Sequence[bytes] = ()
        self._ends: tuple[object, ...] = ()
        """Of its connection, as `IdleSockets` knows it."""
        self._terms: tuple[WebOrigin, int, float] | None = None
        """What it was told last: most exchanges differ in nothing but their target."""
        self.curl = curl = pycurl.Curl()
        curl.handle = self
        # libcurl takes much from the environment and from files unless it is told otherwise.
        curl.setopt(pycurl.PROXY, _proxy_for_libcurl(self._proxy))
        curl.setopt(pycurl.NOPROXY, "")
        curl.setopt(_SUPPRESS_CONNECT_HEADERS, 1)  # a proxy's own answer is not the server's
        curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        curl.setopt(pycurl.NOSIGNAL, 1)  # signals belong to the main thread
        curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.HTTP_VERSION, _VERSIONS[policy.network.http])
        self._is_1 = policy.network.http == "1.1"
        curl.setopt(pycurl.TCP_KEEPALIVE, 1)
        trust(curl, ca_file)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_request)
        self.lines: list[bytes] = []
        """Of a head, as far as it is not taken yet."""
        # By a method of a list, for libcurl calls once a line: a function of ours takes three times as long.
        curl.setopt(pycurl.HEADERFUNCTION, self.lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._take_piece)
        self.release()

    def release(self) -> None:
        """Forget the exchange."""
        self.exchange: Exchange = _NOBODY
        self.is_touched = False
        """Whether something came that the engine has not looked at."""
        self.sink: Sink | None = None
        self.watch = SilenceWatch()
        self.due = inf
        """When to look for silence, in monotonic seconds."""
        self._room = 0
        """Bytes that may come before somebody has to look."""
        self._forget_answer()

    def _forget_answer(self) -> None:
        self.failure: DownloadError | None = None
        """Why we ended it ourselves, if there is a reason but that the sink had enough."""
        self.paused = False
        self.resume_at = 0.0
        self.is_stale = False
        """The connection it was to use again brings what nobody asked for: it needs another."""
        self._refused: DownloadError | None = None
        self._enough = False
        self._told = False
        self.lines.clear()
        self.batch: list[bytes] = []
        """What came in this turn, for the sink to get at once."""
        self._decoder: Decoder | None = None
        """What takes the body's coding off; None: it is handed over as it comes."""
        self._fed = 0
        """Bytes that the decoder has of what libcurl will bring once more."""

    def prepare(self, exchange: Exchange, patience: Patience) -> None:
        """Say what to ask; raises what libcurl, or a resolver in its place, makes of it."""
        self.exchange = exchange
        self._room = exchange.piece
        curl, origin, target = self.curl, exchange.endpoint.origin, exchange.endpoint.target
        terms = (origin, exchange.piece, patience.connect)
        if terms != self._terms:
            curl.setopt(pycurl.URL, f"{origin.scheme}://{origin.netloc}/")
            curl.setopt(pycurl.BUFFERSIZE, min(exchange.piece, READ))
            curl.setopt(pycurl.FRESH_CONNECT, 0)
            curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(patience.connect * 1000))
            self._terms = terms
        if self._proxy.startswith("http") and origin.scheme == "http":  # RFC 9112 §3.2.2
            target = f"http://{origin.netloc}{target}"
        curl.setopt(pycurl.REQUEST_TARGET, target)
        if exchange.headers is not self._headers:
            curl.setopt(pycurl.HTTPHEADER, exchange.headers)
            self._headers = exchange.headers
        if self._resolve is not None and not self._proxy:
            addresses = ",".join(self._resolve(origin.host, origin.port))
            curl.setopt(pycurl.RESOLVE, [f"{origin.authority}:{addresses}"])
        exchange.began = time.monotonic()
        self.due = exchange.began + min(patience.first_byte, patience.stall / SilenceWatch.PARTS)

    @property
    def has_answer(self) -> bool:
        """Whether a line of it has come, at least."""
        return bool(self.lines) or self.exchange.head is not None

    def begin_anew(self) -> None:
        """The same again, on a connection that nobody has used; what came on the other is nobody's."""
        self._idle.give_up(self._ends)
        self.exchange.forget_answer()
        self._forget_answer()
        self._room = self.exchange.piece
        self.curl.setopt(pycurl.FRESH_CONNECT, 1)
        self._terms = None

    def note_idle(self) -> None:
        """Its connection may be used again, as far as HTTP/1 goes: remember the socket."""
        info = self.curl.getinfo
        if self._is_1 or info(pycurl.INFO_HTTP_VERSION) != pycurl.CURL_HTTP_VERSION_2_0:
            self._idle.add(self._ends, info(pycurl.ACTIVESOCKET))

    def why_failed(self, code: int, words: str) -> DownloadError | None:
        """The reason for an end that libcurl reports; None: it is no failure."""
        if self._enough:
            return None
        # 1. Its sink has enough: that is no failure.
        # 2. We ended it ourselves, or let it to none of the addresses.
        # 3. A body without a length ends with its connection: as whole as anybody can tell.
        # 4. What libcurl says, or the system's number behind it.
        if self.failure or (self._refused and code == pycurl.E_COULDNT_CONNECT):
            return self.failure or self._refused
        head = self.exchange.head
        if head is not None and not head.is_framed and is_bare_end(code, words):
            return self.why_cut()
        number = int(self.curl.getinfo(pycurl.OS_ERRNO) or 0)
        return refuse_transfer(
            code, words, number, self.exchange.endpoint.origin.host, proxied=bool(self._proxy)
        )

    def why_cut(self) -> DownloadError | None:
        """The reason why a body that came to its end is not whole: its coding has an end of its own."""
        decoder, head = self._decoder, self.exchange.head
        # 1. It was not coded, or its coding has come to its end.
        # 2. Nothing came, as the head said: an empty file, which nobody coded.
        # 3. It stops in the middle, whatever its length said.
        if decoder is None or decoder.is_at_end():
            return None
        if not decoder.is_begun and head is not None and head.is_framed:
            return None
        return DownloadError("truncated", CODING_CUT)

    # -- what libcurl calls

    def _open_socket(self, purpose: int, address: Any) -> Any:
        """Make the socket for one address, unless it may not be connected to."""
        del purpose
        family, kind, protocol, where = address
        origin = self.exchange.endpoint.origin
        try:
            if not self._proxy:
                self._policy.admit(origin.host, origin.port, where[0])
            return _Lent(socket.socket(family, kind, protocol))
        except DownloadError as error:
            self._refused = error
        except OSError as error:
            self.failure = refuse_connection(error.errno or 0)
        return pycurl.SOCKET_BAD

    def _before_request(self, *ends: Any) -> int:
        """Look once more at who gets the request: a connection that is used again had no look.

        Of the connection it is told both addresses, then both ports.
        """
        self._ends = ends
        origin = self.exchange.endpoint.origin
        if self._idle.is_talking(ends, self, behind_tls=origin.scheme == "https"):
            self.is_stale = True
            return _ABORT
        if not self._proxy:
            try:
                self._policy.admit(origin.host, origin.port, ends[0])
            except DownloadError as error:
                self.failure = error
                return _ABORT
        return _GO_ON

    def _take_piece(self, data: bytes) -> int | None:
        """Gather a piece of the body; None tells libcurl that it is taken.

        The sink may touch a disk, which must not stand still inside libcurl: it gets what came in this
        turn once libcurl is done.
        """
        if self.exchange.head is None:  # it tells whether it is coded
            if self._idle.first_reads and self._idle.is_early(self):
                self.is_stale = True  # before anybody can see the head
                return 0
            self.look_for_head(time.monotonic())
        if self._decoder is not None:
            return self._take_coded(data, self._decoder)
        self._room -= len(data)
        if self._room < 0 and self._is_full():
            return self._hold_back()
        self._gather(data)
        return None

    def _take_coded(self, data: bytes, decoder: Decoder) -> int | None:
        """As `_take_piece`, of a coded body.

        32 KiB of a bomb become 32 MiB, so a piece may be decoded in several turns. Until it is done
        libcurl is told that nothing is taken: then it brings the piece again, perhaps with more behind
        it, and does not report the end before.
        """
        decoder.feed(data[self._fed :])
        try:
            while self._room > 0 or not self._is_full():
                most = self.exchange.piece
                text = decoder.read(min(most, self._room) if self._room > 0 else most)
                if not text:
                    self._fed = max(0, self._fed - len(data))
                    return None
                self._room -= len(text)
                self._gather(text)
        except DamagedError:
            self.failure = DownloadError("server_error", CODING_DAMAGED)
            return 0  # which is fewer than there are: libcurl ends it
        self._fed = max(self._fed, len(data))
        return self._hold_back()

    def _gather(self, data: bytes) -> None:
        if self.sink is None:
            exchange = self.exchange
            exchange.pieces.append(data)
            exchange.gathered += len(data)
            self.watch.add(len(data))
            self._touch()
            return
        if not self.batch:
            self._touch()
        self.batch.append(data)

    def _hold_back(self) -> int:
        self.paused = True
        self._touch()
        return int(pycurl.WRITEFUNC_PAUSE)

    def _touch(self) -> None:
        """Have the engine look at it, once for all that comes until then."""
        if not self.is_touched:
            self.is_touched = True
            self._touched.append(self)

    def _is_full(self) -> bool:
        exchange = self.exchange
        if self.sink is None:
            if exchange.gathered:
                exchange.wanted = 0  # there will be no more until its caller comes
            return exchange.gathered > 0
        return bool(self.batch or exchange.pieces) or self.resume_at > time.monotonic()

    # -- what the engine asks

    def look_for_head(self, now: float) -> bool:
        """Take the head of the answer, if all of it is here. Interim ones (RFC 9110 §15.2) do not count."""
        exchange, lines = self.exchange, self.lines
        text = b"".join(lines)
        while exchange.head is None:
            end = _BLANK_LINE.search(text)
            if end is None:
                lines[:] = [text] if text else []
                return False
            exchange.take_head(text[: end.start() + 1], now)
            text = text[end.end() :]
        if exchange.head.coding and not exchange.raw:
            self._decoder = decoder_for(exchange.head.coding)
        lines.clear()  # trailers
        self._touch()
        return True

    def attach(self, sink: Sink) -> None:
        """The body goes there from now on."""
        self.sink = sink
        self.make_room()

    def make_room(self) -> None:
        """What had come has been handed over."""
        piece = self.exchange.piece
        if self.sink is None:
            self._room = max(piece, self.exchange.room) - self.exchange.gathered
        else:  # under a speed limit each piece is waited for before the next
            self._room = piece if piece < BUFFER else MOST_BATCHED

    def hand_over(self) -> bool:
        """Give the batch to the sink, or keep it where that has no room; False: it wants no more."""
        batch, self.batch = self.batch, []
        self.lines.clear()  # trailers
        self.make_room()
        given = self.give(batch)
        if given == "not now":
            self.exchange.pieces.extend(batch)  # until its caller resumes: what comes now is paused
            self._room = 0
        elif self.resume_at:
            self._room = 0
        return given != "ended"

    @property
    def can_go_on(self) -> bool:
        """Whether it is paused only because its batch was full."""
        return self.paused and self.sink is not None and not self._is_full()

    def give(self, pieces: Sequence[bytes]) -> Literal["taken", "not now", "ended"]:
        """Hand pieces to the sink."""
        assert self.sink is not None
        count = sum(map(len, pieces))
        try:
            wait = self.sink.take(pieces, count)
        except EnoughError:
            self._enough = True
            return "ended"
        except DownloadError as error:
            self.failure = error
            return "ended"
        except Exception:  # the boundary of one exchange: libcurl would only print it
            log.exception("A body could not be taken")
            self.failure = DownloadError("internal")
            return "ended"
        if wait is None:
            self.watch.held = True
            return "not now"
        self.watch.add(count)
        if wait > 0:
            self.watch.held = True
            self.resume_at = time.monotonic() + wait
            self._pause(self.exchange, self.resume_at)
        return "taken"

    def tell(self) -> None:
        """Tell the caller once that what he waits for is here."""
        exchange = self.exchange
        if exchange.head is not None and not self._told and exchange.gathered >= exchange.wanted:
            self._told = True
            exchange.wake()

    def judge_silence(self, now: float, patience: Patience) -> DownloadError | None:
        """Whether the other side takes too long, now that a look is due; sets the next one."""
        # 1. There is no head yet: the server thinks, `first_byte` long.
        # 2. Some send the head at once, and make the file behind it: they have as long for that, and a stall from the
        #    head at least. Of a rest (206) there is nothing to make.
        # 3. The body comes, and stops: that is what the watch counts.
        exchange, head = self.exchange, self.exchange.head
        end = exchange.began + patience.first_byte
        if head is not None:
            end = max(end, exchange.head_at + patience.stall)
        is_thinking = head is None or (not self.watch.is_begun and head.status != 206)
        if is_thinking:
            if now >= end:
                return DownloadError("timeout" if head is None else "stalled")
            self.watch.held = True
        elif self.paused or self.resume_at > now:
            self.watch.held = True  # nobody has come for it yet, or its sink has no room
        if self.watch.is_stalled(patience.stall * patience.slowest):
            return DownloadError("stalled")
        self.due = now + patience.stall / SilenceWatch.PARTS
        if is_thinking:
            self.due = min(self.due, end)
        return None


class _Lent:
    """A socket for libcurl, which keeps a duplicate of it: ours is closed once it has been looked at."""

    def __init__(self, made: socket.socket) -> None:
        self._made = made

    def fileno(self) -> int:
        """The descriptor that is duplicated."""
        return self._made.fileno()

    def __del__(self) -> None:
        self._made.close()


def _proxy_for_libcurl(proxy: str) -> str:
    """Names are the proxy's to resolve: ours would go unchecked, and be overheard."""
    for ours, theirs in (("socks5:", "socks5h:"), ("socks4:", "socks4a:")):
        if proxy.startswith(ours):
            return theirs + proxy.removeprefix(ours)
    return proxy
