"""aria2's JSON-RPC over HTTP POST, spoken as a client (aria2 manual, "RPC INTERFACE").

Facts that this rests on, seen with aria2 1.36 and 1.37:

1. The caller may choose a download's `gid`. One that is in use, or among the results that aria2 still
   remembers, is not taken a second time.
2. aria2 forgets: its results beyond the last 1,000, what somebody purges, and all that its session file
   does not hold when it is started anew. `getSessionInfo` names the run; the results that were dropped
   are those counted (`numStoppedTotal`) less those there (`numStopped`). Both together are the *mark*:
   as long as it stays the same, nothing was forgotten.
3. `system.multicall` is one step of aria2's loop, so that what it says of many fits together.
4. All values are strings, numbers as well. Errors come with status 400, which is no failure of HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from trayagent.model import filenames, urls
from trayagent.model.errors import DownloadError
from trayagent.model.settings import EngineSettings
from trayagent.model.transfer import Request
from trayagent.net.api_client import ApiClient, was_sent

PATIENCE_SECONDS: Final = 20.0
"""For one request and its answer; aria2 answers within milliseconds, a sleeping disk may not."""
MOST_ANSWER_BYTES: Final = 16 << 20
MOST_REQUEST_BYTES: Final = 1 << 20
"""Of one request; aria2 refuses more than 2 MiB."""
KEYS: Final = (
    "gid status totalLength completedLength downloadSpeed errorCode errorMessage files".split()
)
"""What is asked of each download."""
WRONG_SECRET: Final = "it does not know our secret"  # noqa: S105  a sentence

RemoteState = Literal["active", "waiting", "paused", "error", "complete", "removed"]


class RemoteStatus(Struct, frozen=True):
    """A download as its engine has it."""

    state: RemoteState
    size: int = 0
    """0: unknown."""
    received: int = 0
    speed: int = 0
    path: str = ""
    """Over there; empty until it is known."""
    error_code: int = 0
    error_message: str = ""


class RemoteView(Struct, frozen=True):
    """What an engine said at one moment."""

    mark: str
    """The same as before means: since then the engine has forgotten nothing."""
    downloads: dict[str, RemoteStatus]
    """By gid; one that is not there is not known to the engine."""


class EngineCall(Struct, frozen=True):
    """One thing to be done with one download."""

    method: str
    gid: str
    params: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<EngineCall {self.method} {self.gid}>"  # parameters hold cookies


class Offer(Struct, frozen=True):
    """A download as an engine gets it."""

    gid: str
    request: Request
    filename: str | None = None
    folder: str | None = None
    """Relative to the engine's own folder."""
    checksum: str | None = None
    segments: int | None = None
    speed_limit: int = 0
    is_paused: bool = False

    def __repr__(self) -> str:
        return f"<Offer {self.gid}>"


class Aria2:
    """One aria2. `secret` gives its secret when it is needed, since a keyring may ask its owner."""

    def __init__(
        self, settings: EngineSettings, apis: ApiClient, secret: Callable[[], Awaitable[str]]
    ) -> None:
        self.settings = settings
        self._apis = apis
        self._secret = secret
        self._token: str | None = None
        self._own_folder: str | None = None
        """aria2's `dir`, where the settings name no folder and an item does."""

    def __repr__(self) -> str:
        return f"<Aria2 {self.settings.name}>"

    async def look(self, gids: Sequence[str]) -> RemoteView:
        """What it remembers, and how these downloads are. Raises DownloadError when it is away."""
        asked: list[tuple[str, Sequence[Any]]] = [
            ("aria2.getSessionInfo", ()),
            ("aria2.getGlobalStat", ()),
        ]
        asked += [("aria2.tellStatus", (gid, KEYS)) for gid in gids]
        # One request, however many downloads it has of ours: each costs the way to another machine.
        session, counts, *told = await self._call(asked)
        if isinstance(session, str) or isinstance(counts, str):
            raise DownloadError("engine_away", WRONG_SECRET)
        try:
            # Two things make it forget: a new start, which has another session id, and its own limit
            # (`--max-download-result`), beyond which it drops what ended first. The mark has both.
            dropped = int(counts["numStoppedTotal"]) - int(counts["numStopped"])
            mark = f"{session['sessionId']} {dropped}"
            known = {
                gid: _status(status)
                for gid, status in zip(gids, told, strict=True)
                if not isinstance(status, str)
            }
        except (KeyError, ValueError, TypeError) as error:
            raise DownloadError("engine_away", "it does not speak as aria2 does") from error
        return RemoteView(mark, known)

    async def send(self, commands: Sequence[EngineCall]) -> list[str | None]:
        """Each command's error, None for what was done. Raises DownloadError when the answer is lost."""
        answers = await self._call(
            [(command.method, command.params or (command.gid,)) for command in commands]
        )
        return [answer if isinstance(answer, str) else None for answer in answers]

    async def version(self) -> str:
        """Its version. Raises DownloadError when it is away."""
        (answer,) = await self._call([("aria2.getVersion", ())])
        if isinstance(answer, str):
            raise DownloadError("engine_away", WRONG_SECRET)
        return str(answer.get("version", ""))[:40]

    async def take(self, offer: Offer) -> EngineCall:
        """The command that hands a download over. Raises DownloadError when it is away."""
        folder = self.settings.folder
        # An item's folder lies in aria2's own, whose place only aria2 knows: asked for once.
        if not folder and offer.folder:
            if self._own_folder is None:
                (answer,) = await self._call([("aria2.getGlobalOption", ())])
                self._own_folder = "" if isinstance(answer, str) else str(answer.get("dir", ""))
            folder = self._own_folder
        request = offer.request
        options: dict[str, Any] = {
            "gid": offer.gid,
            # A torrent or a Metalink is a file like any other: it does not begin further downloads.
            "follow-torrent": "false",
            "follow-metalink": "false",
            # Nothing is overwritten there either; what has begun under this name goes on.
            "allow-overwrite": "false",
            "auto-file-renaming": "true",
            "continue": "false",
            "header": [f"{name}: {value}" for name, value in request.headers.items()],
        }
        relative = filenames.safe_folder(offer.folder).as_posix() if offer.folder else ""
        where = "/".join(part for part in (folder.rstrip("/") or folder, relative) if part)
        words = {
            "dir": where,
            "out": filenames.safe(offer.filename) if offer.filename else "",
            "referer": request.referer or "",
            "user-agent": request.user_agent or "",
            "checksum": offer.checksum or "",
            "split": str(offer.segments or ""),
            "max-connection-per-server": str(offer.segments or ""),
            "max-download-limit": str(offer.speed_limit or ""),
            "pause": "true" if offer.is_paused else "",
        }
        options.update({name: value for name, value in words.items() if value})
        return EngineCall("aria2.addUri", offer.gid, ([request.url, *request.mirrors], options))

    async def _call(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """What each call gave: a dict or a text of aria2's; of a refused one its message, as a `str`.

        A plain text result ("OK", a gid) is given as a dict, so that it cannot be taken for a refusal.
        """
        if self._token is None:
            self._token = f"token:{await self._secret()}"
        inner = [
            {"methodName": method, "params": [self._token, *params]} for method, params in calls
        ]
        body = msgspec.json.encode(
            {"jsonrpc": "2.0", "id": "trayagent", "method": "system.multicall", "params": [inner]}
        )
        request = Request(self.settings.url, named=frozenset({urls.authority(self.settings.url)}))
        said = {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(PATIENCE_SECONDS),
                self._apis.open(request, said, method="POST", body=body) as response,
            ):
                answer = msgspec.json.decode(await response.read(MOST_ANSWER_BYTES))
        except TimeoutError:
            raise DownloadError("engine_away", "it took too long to answer") from None
        except msgspec.DecodeError:
            raise DownloadError("engine_away", "it does not speak JSON-RPC") from None
        except DownloadError as error:
            # Not sent, then nothing of it can have been done: whoever asked need not find out.
            reason = error.message.rstrip(".").lower()
            raise DownloadError("engine_away", reason, spent=was_sent(error)) from error
        results = answer.get("result") if isinstance(answer, dict) else None
        # Each answer belongs to the call in its place, so one answer less would mix them up.
        if not isinstance(results, list) or len(results) != len(calls):
            raise DownloadError("engine_away", "it does not speak as aria2 does")
        return [_result(one) for one in results]


def fitting(commands: Sequence[EngineCall]) -> int:
    """How many of the commands one request may carry; always one at least."""
    size = 0
    for count, command in enumerate(commands):
        size += len(msgspec.json.encode(command.params)) + 200
        if size > MOST_REQUEST_BYTES and count:
            return count
    return len(commands)


def _result(one: Any) -> Any:
    """A good result comes in a list of one, a refusal as an object."""
    if isinstance(one, list) and one:
        return one[0] if isinstance(one[0], dict) else {"": one[0]}
    message = one.get("message", "") if isinstance(one, dict) else ""
    return str(message)[:300]


def _status(told: dict[str, Any]) -> RemoteStatus:
    """Raises KeyError, ValueError, TypeError for what aria2 never says."""
    files = told.get("files") or [{}]
    return msgspec.convert(
        {
            "state": told["status"],
            "size": int(told.get("totalLength", 0)),
            "received": int(told.get("completedLength", 0)),
            "speed": int(told.get("downloadSpeed", 0)),
            "path": str(files[0].get("path", ""))[:4096],
            "error_code": int(told.get("errorCode", 0)),
            "error_message": str(told.get("errorMessage", ""))[:200],
        },
        RemoteStatus,
    )


CODES: Final = {
    2: "timeout",
    3: "not_found",
    6: "network",
    8: "server_error",
    9: "disk_full",
    19: "network",
    22: "server_error",
    23: "too_many_redirects",
    24: "forbidden",
    29: "server_busy",
    32: "checksum_mismatch",
}
"""aria2's exit status (manual, "EXIT STATUS") -> our code; all others are `engine_failed`."""


def error_of(name: str, status: RemoteStatus) -> DownloadError:
    """Why a download failed there, in our words; aria2's own may hold an address, so its queries go."""
    said = " ".join(
        urls.redact(word) if "://" in word else word for word in status.error_message.split()
    ).rstrip(".")
    detail = f"at {name}: {said}" if said else f"at {name}"
    return DownloadError(CODES.get(status.error_code, "engine_failed"), detail)
