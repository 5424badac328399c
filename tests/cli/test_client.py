"""The token goes to our own agent and to nobody else; every answer becomes one plain error."""

import contextlib
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from trayagent.cli import client
from trayagent.cli.client import AgentClient, NoAnswerError, agent_error, path_segment
from trayagent.cli.exits import Exit, NotRunningError, exit_of, exit_of_several, exit_of_states
from trayagent.model.errors import ConfigError, NotFoundError, TrayagentError
from trayagent.settings.home import Home

TOKEN = "t" * 43


class Stranger:
    """Answers at a port; proves itself only when it knows the token."""

    def __init__(self, token: str | None, busy: float = 0) -> None:
        self.heard: list[str] = []
        heard = self.heard
        work = iter([busy])

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

            def do_GET(self) -> None:
                self.answer({"version": "1"})

            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/undo"):
                    time.sleep(next(work, 0))
                    with contextlib.suppress(OSError):  # whoever asked is gone
                        self.answer({"undone_at": "now"})
                    return
                key = (token or "guess").encode()
                _, port = self.connection.getsockname()
                said = f"127.0.0.1:{port}\n{asked['nonce']}"
                proof = hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
                self.answer({"proof": proof})

            def answer(self, value: object) -> None:
                heard.append(str(self.headers))
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        """Go."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def place(home: Path) -> Home:
    found = Home.under(home)
    found.token.write_text(TOKEN)
    return found


def announce(place: Home, port: int, pid: int) -> None:
    place.runtime.write_text(
        json.dumps({"url": f"http://127.0.0.1:{port}", "port": port, "pid": pid})
    )


@pytest.fixture(params=[TOKEN, None], ids=["ours", "stranger"])
def stranger(request: pytest.FixtureRequest) -> Iterator[tuple[Stranger, bool]]:
    found = Stranger(request.param)
    yield found, request.param is not None
    found.close()


def test_the_token_waits_for_the_proof(place: Home, stranger: tuple[Stranger, bool]) -> None:
    server, ours = stranger
    announce(place, server.server.server_address[1], os.getpid())
    if ours:
        agent = AgentClient.of(place)
        assert agent.get("status") == {"version": "1"}
        agent.close()
        assert TOKEN in server.heard[-1]
    else:
        with pytest.raises(NotRunningError):
            AgentClient.of(place)
        assert not any(TOKEN in heard for heard in server.heard)


def test_long_work_is_waited_for_as_long_as_the_agent_answers(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.3)
    server = Stranger(TOKEN, busy=1)
    announce(place, server.server.server_address[1], os.getpid())
    agent = AgentClient.of(place)
    assert agent.post_patiently("batches/b1/undo") == {"undone_at": "now"}
    agent.close()
    server.close()


def test_an_agent_that_hangs_is_told_from_one_that_works(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        agent = AgentClient(f"http://127.0.0.1:{silent.getsockname()[1]}", TOKEN)
        with pytest.raises(NoAnswerError, match="does not answer"):
            agent.post_patiently("batches/b1/undo")
        agent.close()


@pytest.mark.parametrize("runtime", ["", "{", "[]", '{"url": "http://evil.example:80", "pid": 1}'])
def test_a_broken_runtime_file_means_not_running(place: Home, runtime: str) -> None:
    place.runtime.write_text(runtime)
    with pytest.raises(NotRunningError):
        AgentClient.of(place)


def test_a_file_left_by_a_dead_agent_means_not_running(place: Home) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    announce(place, 1, ended.pid)
    with pytest.raises(NotRunningError):
        AgentClient.of(place)


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 1), (401, 5), (403, 5), (404, 4), (409, 5), (413, 1), (421, 5), (429, 5), (503, 1)],
)
def test_every_refusal_has_its_exit_code(status: int, code: int) -> None:
    answer: Any = {"error": {"code": "x", "message": "It cannot be.", "action": "Wait."}}
    error = agent_error(status, answer)
    assert (exit_of(error), error.message, error.action) == (code, "It cannot be.", "Wait.")
    assert str(status) in agent_error(status, None).message


def test_exit_codes_of_several_things() -> None:
    missing = NotFoundError("not_found", "None.")
    other = TrayagentError("x", "No.")
    assert exit_of_several(2, []) == Exit.OK
    assert exit_of_several(2, [missing]) == Exit.SOME_FAILED
    assert exit_of_several(1, [missing]) == Exit.NO_SUCH_ID
    assert exit_of_several(2, [missing, other]) == Exit.ERROR
    assert exit_of(ConfigError(["a", "b"])) == Exit.USAGE
    assert exit_of_states(["completed"]) == Exit.OK
    assert exit_of_states(["completed", "cancelled"]) == Exit.SOME_FAILED
    assert exit_of_states(["failed"]) == Exit.ERROR


def test_bytes_that_are_no_text_find_nothing_and_break_nothing() -> None:
    """A shell hands over what was typed in another coding, as half characters."""
    stranger = Stranger(TOKEN)
    try:
        client = AgentClient(f"http://127.0.0.1:{stranger.server.server_port}", TOKEN)
        assert client.get(f"downloads/{path_segment(chr(0xDCFF))}", q="\udcff") == {"version": "1"}
        client.close()
    finally:
        stranger.close()
