"""`native-host`: what a browser starts for our extension, and asks over stdin and stdout.

Each message is its length, four bytes in the machine's order, and then JSON (Chrome's documentation,
"Native messaging protocol"). A request is `{"do": …}`, an answer has `"ok"`:

| do          | beside it                | answer beside `"ok": true`        | needs the agent    |
|-------------|--------------------------|-----------------------------------|--------------------|
| `find`      |                          | `running`, `port` (null if down)  | no                 |
| `start`     |                          | `running`, `port`                 | no: it is started  |
| `pair`      | `name`, `origin`, `port` | `port`, `client`, `token`         | yes, on that port  |
| `dashboard` |                          |                                   | yes                |
| `open`      | `id`, `what`             |                                   | yes                |

`pair` is where this is safer than a page: the agent is recognised by the token in our 0600 file, and
the new token comes back over the very connection on which it was, so a program that has taken our
port, or another user of the machine, never has a part in it. Whether to pair a person was asked
before, by the extension; the browser lets no other extension start us.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final

import click

from trayagent.cli.client import path_segment
from trayagent.cli.exits import MisuseError, NotRunningError
from trayagent.cli.options import agent
from trayagent.model.access import EXTENSION_ORIGIN
from trayagent.model.errors import TrayagentError

MOST_BYTES: Final = 64 * 1024
"""Of a request; the longest that the extension makes has a few hundred."""
START_SECONDS: Final = 30.0
"""How long an agent may take until it answers; it needs one or two."""
CALLERS: Final = (
    re.compile(r"chrome-extension://dbnbolgofkekndhohmficdkcdkeinkal/?"),
    re.compile(r"trayagent@trayagent\.local"),
)
"""How browsers name our extension on the command line."""


@click.command("native-host", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def native_host(words: Sequence[str]) -> None:
    """Answer the browser extension; browsers start this."""
    if not any(caller.fullmatch(word) for word in words for caller in CALLERS):
        raise MisuseError("Browsers start this for the trayagent extension.")
    converse(sys.stdin.buffer, sys.stdout.buffer)


def converse(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after the other until the browser ends it, or says what nobody can understand."""
    while (request := receive(requests)) is not None:
        payload = json.dumps(answer(request)).encode()
        answers.write(struct.pack("=I", len(payload)) + payload)
        answers.flush()


def receive(stream: BinaryIO) -> Any:
    """The next request; None at the end, and for one that is too long or no JSON."""
    # After a message that was not read to its end nobody knows where the next begins: so the host ends
    # there, and the extension starts another one.
    head = stream.read(4)
    if len(head) < 4:
        return None
    (length,) = struct.unpack("=I", head)
    if length > MOST_BYTES:
        return None
    try:
        return json.loads(stream.read(length))
    except (ValueError, RecursionError):
        return None


def answer(request: Any) -> dict[str, Any]:
    """What to say to a request; an error is an answer, too."""
    task = TASKS.get(str(request.get("do"))) if isinstance(request, dict) else None
    if task is None:
        return _failure(
            TrayagentError(
                "bad_request",
                "This trayagent does not know that request.",
                "Bring it and its extension to the same version: trayagent extension",
            )
        )
    try:
        return {"ok": True, **task(request)}
    except TrayagentError as error:
        return _failure(error)
    except OSError as error:
        return _failure(TrayagentError("os_error", f"{error.strerror or error}."))


def _failure(error: TrayagentError) -> dict[str, Any]:
    return {"ok": False, "code": error.code, "message": error.message, "action": error.action}


def _find(_: Mapping[str, Any]) -> dict[str, Any]:
    try:
        with agent() as running:
            return {"running": True, "port": running.port}
    except NotRunningError:
        return {"running": False, "port": None}


def _start(request: Mapping[str, Any]) -> dict[str, Any]:
    if (found := _find(request))["running"]:
        return found
    from trayagent.desktop.autostart import our_command

    process = _start_detached(our_command(sys.executable, os.environ).words)
    # Two browsers may ask at once. Both start one; the lock of the home lets one of them live.
    deadline = time.monotonic() + START_SECONDS
    while not (found := _find(request))["running"]:
        # 0: it found another that was starting, and left that one to it.
        if process.poll() not in (None, 0) or time.monotonic() > deadline:
            raise TrayagentError(
                "not_started", "trayagent did not start.", "To see why, run: trayagent doctor"
            )
        time.sleep(0.1)
    return found


def _start_detached(words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program that outlives the browser: in a session of its own, on Windows out of the browser's job.

    MDN, "Native messaging": browsers end what runs in the job of the host that they started.
    """
    quiet = subprocess.DEVNULL
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_BREAKAWAY_FROM_JOB
        return subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, creationflags=flags)
    return subprocess.Popen(words, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)


def _pair(request: Mapping[str, Any]) -> dict[str, Any]:
    name, origin = str(request.get("name", ""))[:200], str(request.get("origin", ""))
    if not EXTENSION_ORIGIN.fullmatch(origin):
        raise TrayagentError("bad_request", "Only a browser extension can be paired.")
    with agent() as running:
        if running.port != request.get("port"):
            # A person said yes to another port; the extension asks again.
            raise TrayagentError("moved", f"trayagent listens on port {running.port} now.")
        code = running.post("clients/codes")["code"]
        paired = running.pair(code, name, origin)
    return {"port": running.port, "client": paired["client"], "token": paired["token"]}


def _dashboard(_: Mapping[str, Any]) -> dict[str, Any]:
    from trayagent.cli.desktop import raise_dashboard

    with agent() as running:
        # The code stays with us: an extension has fewer rights than the dashboard.
        raise_dashboard(running)
    return {}


def _open(request: Mapping[str, Any]) -> dict[str, Any]:
    from trayagent.desktop import opener

    with agent() as running:
        download = running.get(f"downloads/{path_segment(str(request.get('id', '')))}")
    if not download["path"]:
        raise TrayagentError("not_complete", "It is not complete yet.", "Wait for its end.")
    show = opener.open_folder if request.get("what") == "folder" else opener.open_file
    show(download["path"])
    return {}


TASKS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "find": _find,
    "start": _start,
    "pair": _pair,
    "dashboard": _dashboard,
    "open": _open,
}
