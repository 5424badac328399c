"""A request that passed the gate, as handlers see it; and the reply that they give."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import parse_qsl

import msgspec

from trayagent.model import lenient_json
from trayagent.model.errors import StoreUnavailableError, TrayagentError
from trayagent.model.extension import ExtensionFiles
from trayagent.store.admission import IdempotencyKey
from trayagent.store.database import waiting_at_most

if TYPE_CHECKING:
    from aiohttp import web

    from trayagent.agent import Agent
    from trayagent.hook.events import EventRing
    from trayagent.hook.foreign.sockets import RpcSockets
    from trayagent.hook.gate import RequestFacts
    from trayagent.hook.pages import Nonces
    from trayagent.hook.routing import Route
    from trayagent.model.access import Caller
    from trayagent.model.downloads import Via

T = TypeVar("T")

NOTE_SECONDS: Final = 0.2
"""A request waits so long for the note that its client was seen."""


class MalformedError(TrayagentError):
    """The body is not JSON at all (HTTP 400)."""


class SchemaError(TrayagentError):
    """JSON, but not what the route takes (HTTP 422); the message names the path."""


class Desktop(Protocol):
    """What shows files to the person at this computer. These calls block, for a few seconds at most."""

    def open_file(self, path: Path) -> None:
        """Open a file with its program. Raises TrayagentError when it is gone, or nothing opens it."""

    def open_folder(self, path: Path) -> None:
        """Open a folder, or that of a file with the file selected. Raises TrayagentError likewise."""

    def choose_folder(self, start: Path) -> Path | None:
        """Let the person choose a folder; None: none was. Waits for minutes. Raises TrayagentError."""

    def unpack_extension(self) -> ExtensionFiles:
        """Unpack the browser extension, and let the browsers start us. Raises TrayagentError."""

    def starts_with_session(self) -> bool:
        """Whether the session starts this program."""

    def start_with_session(self, start: bool) -> None:
        """Let the session start this program from now on, or not. Raises TrayagentError."""


@dataclass(frozen=True, slots=True)
class HookContext:
    """The parts that all handlers share."""

    agent: Agent
    port: int
    events: EventRing
    sockets: RpcSockets
    nonces: Nonces
    quit: Callable[[], None]
    """Ends the program; returns at once."""
    desktop: Desktop
    routes: tuple[Route, ...]

    @property
    def url(self) -> str:
        """The address of this agent."""
        return f"http://127.0.0.1:{self.port}"

    async def note_seen(self, caller: Caller) -> None:
        """Note that a client was here, as far as the store can within a moment."""
        # Nobody is refused because the time of a visit cannot be written down now.
        with contextlib.suppress(StoreUnavailableError), waiting_at_most(NOTE_SECONDS):
            await self.agent.clients.note_seen(caller)

    @contextlib.contextmanager
    def ending_revoked(self) -> Iterator[None]:
        """End, afterwards, the streams and sockets of those whose token has become worth nothing inside.

        Also after an error: a client that the store could not forget is out until the next start.
        """
        try:
            yield
        finally:
            self.events.recheck_listeners()
            self.sockets.end_revoked()


@dataclass(frozen=True, slots=True)
class HookRequest:
    """One request: its facts, its body, and the agent that is to do something about it."""

    context: HookContext
    facts: RequestFacts
    route: Route
    http: web.BaseRequest = field(repr=False)
    """aiohttp's request, for the rare header and for streams."""
    body: bytes = field(default=b"", repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    """Every answer to this request carries them; a stream sends them itself."""

    @property
    def agent(self) -> Agent:
        """The agent, which does the work."""
        return self.context.agent

    @property
    def caller(self) -> Caller | None:
        """The owner of the token; None on routes that need no token."""
        return self.facts.caller

    @property
    def params(self) -> dict[str, str]:
        """The parameters in the path."""
        return self.facts.params

    @property
    def is_from_extension(self) -> bool:
        """Whether a paired extension asks: it sees and changes only what it sent."""
        return self.caller is not None and self.caller.kind == "extension"

    @property
    def via(self) -> Via:
        """The way in that a download of this request came by."""
        # Only people read it, so a program may call itself the command line.
        if self.caller is None or self.caller.kind == "session":
            return "page"
        if self.caller.kind == "extension":
            return "extension"
        program = self.http.headers.get("User-Agent", "")
        return "cli" if program.startswith("trayagent-cli/") else "hook"

    def is_still_allowed(self) -> bool:
        """Whether the token of the request is still good: a stream of events may last for days."""
        token = self.facts.token
        return token is not None and self.agent.clients.recognise(token) == self.caller

    def json(self, type: type[T]) -> T:
        """The body as a value; `{}` where the route lets it be left out.

        Raises MalformedError or SchemaError.
        """
        return decode(self.body or (b"{}" if self.route.is_body_optional else b""), type)

    def query(self, type: type[T]) -> T:
        """The query as a value. Raises SchemaError for keys or values that the type does not have."""
        _, _, query = self.http.path_qs.partition("?")
        # The number of fields is bounded before any of them is taken apart.
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=16)
        except ValueError as error:
            raise SchemaError("bad_query", "The query has too many parts.") from error
        values = dict(pairs)
        # As with a key of the body: two readers could believe two different things of it.
        if len(values) < len(pairs):
            raise SchemaError("bad_query", "The query says the same thing twice.")
        try:
            return msgspec.convert(values, type, strict=False)
        except msgspec.ValidationError as error:
            raise SchemaError("bad_query", _sentence(error)) from error

    def idempotency_key(self) -> IdempotencyKey | None:
        """The Idempotency-Key, which counts for its sender only. Raises SchemaError.

        A request of an extension without a key gets a random one: by that key the store knows later
        which downloads the extension sent.
        """
        keys = self.http.headers.getall("Idempotency-Key", [])
        if not keys and self.is_from_extension:
            keys = [secrets.token_hex(16)]
        if not keys:
            return None
        if len(keys) > 1 or not (
            0 < len(keys[0]) <= 255 and keys[0].isascii() and keys[0].isprintable()
        ):
            raise SchemaError(
                "bad_key", "Idempotency-Key must be one plain text of at most 255 characters."
            )
        # Two programs that count from 1 must not get each other's answers.
        sender = self.caller.id if self.caller else ""
        return IdempotencyKey(f"{sender}:{keys[0]}", hashlib.sha256(self.body).hexdigest())


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON of `content`, or bytes of another `type`."""

    status: int
    content: Any = None
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def decode(body: bytes | msgspec.Raw, type: type[T]) -> T:
    """JSON as a value. Raises MalformedError or SchemaError.

    An object with a key twice is refused: two readers could believe two different things of it.
    """
    repeated = lenient_json.repeated_key(body)
    if repeated is not None:
        raise SchemaError("bad_request", f"The key {_printable(repeated[:40])} is given twice.")
    return decode_loosely(body, type)


def decode_loosely(body: bytes | msgspec.Raw, type: type[T]) -> T:
    """As `decode`, but the last of a repeated key counts: for what is decoded again in parts."""
    try:
        try:
            value: T = lenient_json.read(body, type)
            return value
        except msgspec.ValidationError as error:
            # msgspec stops at the first value that does not fit. Whether the rest is JSON at all
            # decides between 400 and 422.
            lenient_json.read(body)
            raise SchemaError("bad_request", _sentence(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError("bad_json", "The body is not valid JSON.") from error


def _sentence(error: msgspec.ValidationError) -> str:
    return f"{_printable(str(error))[:300]}."


def _printable(text: str) -> str:
    # The text repeats keys of the body; in a terminal a control character could pass for ours.
    return "".join(c if c.isprintable() else "?" for c in text)
