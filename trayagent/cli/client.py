"""The running agent, as its own command line talks to it.

The standard library's HTTP is ready in a tenth of the time that aiohttp takes to import. One connection
serves all requests; events come on a second one. The token is never told to a program that has not
proved that it knows it (`prove`): after a crash another program may own the port.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode, urlsplit

from trayagent import __version__
from trayagent.cli.exits import NotRunningError, RefusedError
from trayagent.cli.process import Process
from trayagent.files import read_shared
from trayagent.model.errors import ConfigError, NotFoundError, TrayagentError

ANSWER_SECONDS: Final = 30.0
"""Seconds the agent may take to answer; it normally needs milliseconds."""
STREAM_SILENCE_SECONDS: Final = 60.0
"""Seconds an event stream may be silent before we look whether the agent still lives."""
# Said no to: by the gate, or because the state forbids it. A script may try again later.
REFUSAL_STATUSES: Final = frozenset({401, 403, 409, 421, 429})


class NoAnswerError(TrayagentError):
    """The agent took longer than it may."""

    def __init__(self) -> None:
        super().__init__(
            "no_answer",
            "The agent does not answer.",
            "End it with: trayagent quit. Then start it again: trayagent run",
        )


class AgentFiles(Protocol):
    """The files of the home folder that lead to its agent."""

    @property
    def runtime(self) -> Path: ...
    @property
    def token(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event of the agent's stream."""

    name: str
    data: Any


class AgentClient:
    """Speaks to one agent over one connection; `close()` when done."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self.port = parts.port or 80
        self._host = parts.hostname or "127.0.0.1"
        self._token = token
        self._connection = http.client.HTTPConnection(self._host, self.port, timeout=ANSWER_SECONDS)

    def __repr__(self) -> str:
        return f"<AgentClient at {self.url}>"

    @classmethod
    def of(cls, home: AgentFiles) -> AgentClient:
        """The agent that runs in this home. Raises NotRunningError."""
        runtime = read_runtime(home)
        if runtime is None:
            raise NotRunningError
        try:
            token = read_shared(home.token).decode("ascii").strip()
        except OSError as error:
            raise NotRunningError(
                f"The agent's token cannot be read ({error.strerror})."
            ) from error
        agent = cls(runtime["url"], token)
        try:
            agent.prove()
        except TrayagentError:
            agent.close()
            raise
        return agent

    def prove(self) -> None:
        """Make sure that it is our agent, before it is told the token. Raises NotRunningError."""
        import hmac
        import secrets

        # A fresh question each time: an answer that was heard before proves nothing. Our own port is part
        # of it, so that nobody can pass the question on to the real agent elsewhere.
        nonce = secrets.token_hex(16)
        status, answer = self._exchange(
            "POST", "hello", {"client": "local", "nonce": nonce}, secret=False
        )
        message = f"127.0.0.1:{self.port}\n{nonce}"
        expected = hmac.new(self._token.encode(), message.encode(), "sha256").hexdigest()
        proof = answer.get("proof") if isinstance(answer, dict) else None
        if status != 200 or not hmac.compare_digest(str(proof).encode(), expected.encode()):
            raise NotRunningError("Another program answers at the agent's port.")

    def get(self, path: str, **query: str | int | None) -> Any:
        """The answer to `GET /api/v1/<path>`; raises what `ask` raises."""
        asked = {key: value for key, value in query.items() if value is not None}
        # What was typed may hold bytes that are no text (see `path_segment`).
        words = urlencode(asked, errors="replace")
        return self.ask("GET", f"{path}?{words}" if asked else path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to `POST /api/v1/<path>`; raises what `ask` raises."""
        return self.ask("POST", path, body or {})

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request. Raises NotRunningError, NotFoundError, RefusedError, or TrayagentError for the rest."""
        status, answer = self._exchange(method, path, body)
        if status < 400:
            return answer
        raise agent_error(status, answer)

    def pair(self, code: str, name: str, origin: str) -> Any:
        """Exchange a pairing's code for the token of an extension; raises what `ask` raises.

        It goes over the connection whose other end has proved itself: a new one might lead to another program.
        """
        # http.client would connect again by itself, to whatever listens there now.
        if self._connection.sock is None:
            raise NotRunningError
        status, answer = self._exchange(
            "POST", "pair", {"code": code, "name": name}, {"Origin": origin}, secret=False
        )
        if status < 400:
            return answer
        raise agent_error(status, answer)

    def post_patiently(self, path: str) -> Any:
        """As `post`, for long work that may be asked for again while it goes on.

        Waits for as long as the agent answers other questions; raises what `post` raises.
        """
        while True:
            try:
                return self.post(path)
            except NoAnswerError:
                self.prove()  # one that is only busy with this answers at once

    def add(self, body: Mapping[str, Any]) -> Any:
        """`POST downloads`: the receipt, also when nothing in it was accepted."""
        # When every item is rejected the status is 4xx, and the answer still is a receipt.
        status, answer = self._exchange("POST", "downloads", body)
        if status < 400 or (isinstance(answer, dict) and answer.get("rejected")):
            return answer
        raise agent_error(status, answer)

    @contextlib.contextmanager
    def events(self, silence: float = STREAM_SILENCE_SECONDS) -> Iterator[Iterator[StreamEvent]]:
        """The stream of events from now on, on a connection of its own; it ends when the agent does.

        Reading raises TimeoutError after `silence` seconds without a word.
        """
        connection = http.client.HTTPConnection(self._host, self.port, timeout=silence)
        try:
            connection.request(
                "GET", "/api/v1/events", headers=self._headers() | {"Accept": "text/event-stream"}
            )
            response = connection.getresponse()
            if response.status != 200:
                raise agent_error(response.status, _decode(response.read()))
            yield _events(response)
        except (ConnectionError, http.client.HTTPException) as error:
            raise NotRunningError("The agent went away.") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            "User-Agent": f"trayagent-cli/{__version__}",
        }

    def _exchange(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        extra: Mapping[str, str] = MappingProxyType({}),
        *,
        secret: bool = True,
    ) -> tuple[int, Any]:
        # `secret` is False for what is asked before the other end has proved itself, and for what another
        # origin asks: there the token would say more than the question needs.
        headers = {**(self._headers() if secret else {}), **extra}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        whole = False
        try:
            self._connection.request(method, f"/api/v1/{path}", payload, headers)
            response = self._connection.getresponse()
            answer = response.status, _decode(response.read())
            whole = True
            return answer
        except TimeoutError as error:
            raise NoAnswerError from error
        except (OSError, http.client.HTTPException) as error:
            raise NotRunningError from error
        finally:
            if not whole or self._connection.sock is None:
                # An answer that was left half-read, by Ctrl-C say, would be taken for the next one's.
                self._connection.close()


def read_runtime(home: AgentFiles) -> dict[str, Any] | None:
    """What a living agent wrote about itself; None when there is none."""
    try:
        runtime = json.loads(read_shared(home.runtime))
        url, pid = runtime["url"], int(runtime["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # The file is ours, but a person may have copied a home from elsewhere: never leave this machine.
    if urlsplit(url).hostname not in {"127.0.0.1", "::1", "localhost"}:
        return None
    with Process(pid) as process:
        if process.has_ended():  # killed: it could not remove its file
            return None
    found: dict[str, Any] = runtime
    return found


def agent_error(status: int, answer: Any) -> TrayagentError:
    """The error that an answer of the agent means."""
    error = answer.get("error") if isinstance(answer, dict) else None
    error = error if isinstance(error, dict) else {}
    code = str(error.get("code", f"http_{status}"))
    message = str(error.get("message", f"The agent answered with HTTP {status}."))
    action = str(error.get("action") or "")
    if code == "bad_config":  # the same exit code as where no agent had to be asked
        return ConfigError(message.splitlines())
    if status == 404:
        return NotFoundError(code, message, action)
    if status in REFUSAL_STATUSES:
        return RefusedError(code, message, action)
    return TrayagentError(code, message, action)


def path_segment(text: str) -> str:
    """An id or name as one part of a path.

    Bytes of the command line that are no UTF-8 arrive as half characters, which no request can carry. No id
    and no name has one, so any other letter in their place finds as much.
    """
    return quote(text, safe="", errors="replace")


def _decode(payload: bytes) -> Any:
    try:
        return json.loads(payload) if payload else {}
    except ValueError:
        return {}


def _events(response: http.client.HTTPResponse) -> Iterator[StreamEvent]:
    """The events of a stream, as WHATWG's "server-sent events" writes them; ids and retries are not used."""
    # A blank line ends an event; a line that begins with a colon is a comment, sent to keep the stream open.
    name, data = "message", ""
    for raw in response:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield StreamEvent(name, json.loads(data))
            name, data = "message", ""
        elif field == "event":
            name = value
        elif field == "data":
            data += value
