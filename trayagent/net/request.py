"""One request to its answer: redirects followed here, addresses asked about, cool-downs kept."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from trayagent.model import retry, units
from trayagent.model.errors import DownloadError
from trayagent.model.settings import Config, NetworkSettings
from trayagent.model.transfer import Request
from trayagent.net.address_policy import AddressPolicy
from trayagent.net.cookies import Jar
from trayagent.net.exchange import BUFFER, Exchange, Patience, Resolve, Sink
from trayagent.net.host_limits import Cooldown
from trayagent.net.redirects import BARE, REDIRECTS, Redirects
from trayagent.net.response import Head

if TYPE_CHECKING:
    from trayagent.net.transport import Transport

_BREAKS: Final = re.compile(r"[\r\n\0]")


class HttpClient:
    """Asks for files; a context manager. Every download goes through `ask`.

    `own_ports` are the ports of our own hook. `ca_file` replaces the system's trust and `resolve`
    its name service in tests.
    """

    def __init__(
        self,
        network: NetworkSettings | None = None,
        patience: Patience | None = None,
        *,
        connections_per_host: int = 16,
        own_ports: Collection[int] = (),
        ca_file: Path | None = None,
        resolve: Resolve | None = None,
        cooldown: Cooldown | None = None,
    ) -> None:
        self.cooldown = cooldown or Cooldown()
        self.policy = AddressPolicy(network or NetworkSettings(), own_ports)
        self._patience = patience
        self._per_host = connections_per_host
        self._ca_file = ca_file
        self._resolve = resolve
        self._starting = threading.Lock()
        self._transport: Transport | None = None
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine's thread and every answer with it."""
        with self._starting:
            self._is_closed = True
            transport = self._transport
        if transport is not None:
            transport.close()

    @property
    def transport(self) -> Transport:
        """The engine, made when it is first needed: libcurl takes 9 MiB, which an agent at rest can spare.

        Raises DownloadError once this is closed.
        """
        if self._transport is not None:
            return self._transport
        with self._starting:
            if self._transport is None:
                if self._is_closed:
                    raise DownloadError("internal", "the engine is closed")
                from trayagent.net.transport import Transport

                self._transport = Transport(
                    self.policy,
                    self._patience,
                    connections_per_host=self._per_host,
                    ca_file=self._ca_file,
                    resolve=self._resolve,
                )
            return self._transport

    def ask(
        self,
        request: Request,
        extra: Mapping[str, str] | None,
        wake: Callable[[], None],
        *,
        jar: Jar | None = None,
        raw: bool = False,
        piece: int = BUFFER,
    ) -> Answer:
        """Send a request; its answer is still to come.

        The engine's thread calls `wake` whenever there is something to look at.

        `extra` goes to every address, secrets to the first origin only. Statuses are the caller's to
        judge. Raises DownloadError `bad_url`, `blocked_address`, and `server_busy` while the host is
        left alone (that costs no try: nobody was asked).
        """
        redirects = Redirects(request, extra, jar)
        return Answer(self, redirects, request.named, wake, raw=raw, piece=piece)

    def note_busy(self, head: Head) -> DownloadError:
        """Note a 429 or 503 for the whole host; returns the error that says how long."""
        asked = retry.parse_retry_after(head.headers.get("Retry-After"), time.time())
        wait = self.cooldown.note(head.host, asked)
        return DownloadError("server_busy", f"HTTP {head.status}", retry_after=wait)


def client_for(config: Config, own_ports: Collection[int] = ()) -> HttpClient:
    """The client that the settings ask for."""
    patience = Patience(first_byte=units.parse_duration(config.network.first_byte))
    per_host = config.downloads.connections_per_host
    return HttpClient(config.network, patience, connections_per_host=per_host, own_ports=own_ports)


class Answer:
    """What a request leads to. `head` is None until `poll` found one that is no redirect."""

    def __init__(
        self,
        client: HttpClient,
        redirects: Redirects,
        named: Collection[str],
        wake: Callable[[], None],
        *,
        raw: bool,
        piece: int,
    ) -> None:
        self.head: Head | None = None
        self._client = client
        self._redirects = redirects
        self._named = named
        self._wake = wake
        self._piece = piece
        self.is_raw = raw
        """Whether the body is left as it comes, coded or not."""
        self._send()

    def _send(self) -> None:
        """Ask at the endpoint where the redirects have led. Raises as `HttpClient.ask` does."""
        redirects, client = self._redirects, self._client
        origin = redirects.endpoint.origin
        client.policy.check(origin.host, origin.port, self._named)
        if wait := client.cooldown.remaining(origin.authority):
            raise DownloadError("server_busy", origin.host, retry_after=wait, spent=False)
        headers = redirects.headers()
        self.exchange = Exchange(
            redirects.endpoint,
            BARE_LINES if headers is BARE else _lines(headers),
            self._wake,
            raw=self.is_raw,
            piece=self._piece,
        )
        client.transport.submit(self.exchange)

    def poll(self) -> Head | None:
        """The head, once it is here; follows redirects meanwhile. Raises DownloadError."""
        # 1. No head yet: there is nothing to judge.
        # 2. A redirect: the same question at the next address.
        # 3. Anything else is the answer, whatever its status.
        while self.head is None:
            exchange = self.exchange
            head = exchange.head
            if head is None:
                if exchange.ended:
                    raise exchange.error or DownloadError("network")
                return None
            if head.status not in REDIRECTS:
                self.head = head
                break
            self._redirects.follow(head.status, head.headers)
            self.cancel()  # its body is of no use to anyone
            self._send()
        return self.head

    @property
    def waited(self) -> float:
        """Seconds from the last request to its answer's head, connecting included."""
        return max(0.0, self.exchange.head_at - self.exchange.began)

    def attach(self, sink: Sink) -> None:
        """From now on the body goes to this sink."""
        self._client.transport.attach(self.exchange, sink)

    def resume(self) -> None:
        """There is room again for what the sink did not take."""
        self._client.transport.resume(self.exchange)

    def cancel(self) -> None:
        """End it, if it has not ended."""
        if not self.exchange.ended:
            self._client.transport.cancel(self.exchange)

    def __repr__(self) -> str:
        return f"<Answer: {self.exchange!r}>"


def _lines(headers: Mapping[str, str]) -> list[bytes]:
    """Header lines as libcurl takes them; raises DownloadError for what would break a line.

    `Name;` is its way to say a header without a value: `Name:` would take one away.
    """
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    if _BREAKS.search("".join(lines)):
        raise DownloadError("bad_url", "a header holds a control character")
    return [line.encode("utf-8", "surrogateescape") for line in lines]


BARE_LINES: Final = _lines(BARE)
"""Of most requests: made once."""
