"""`connect` says what a foreign program needs, and locks it out again; a real agent answers it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.agent import Agent


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """An agent for all tests of this file."""
    with Agent(tmp_path_factory.mktemp("connect") / "home") as agent:
        yield agent


def ask(url: str, body: object | None) -> tuple[int, object]:
    """What a foreign program is answered."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    method = "GET" if body is None else "POST"
    connection.request(method, parts.path, None if body is None else json.dumps(body))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def version(url: str, secret: str) -> int:
    """The status of a call with this secret."""
    params = [f"token:{secret}"]
    return ask(url, {"id": 1, "method": "aria2.getVersion", "params": params})[0]


def test_an_aria2_client_gets_in_with_what_is_printed_until_it_is_revoked(agent: Agent) -> None:
    url, secret = agent.run("connect", "aria2", "--print").stdout.split()
    again = agent.run("connect", "aria2", "--print").stdout.split()
    other = json.loads(agent.run("connect", "aria2", "--name", "AriaNg", "--json").stdout)

    assert again == [url, secret]
    assert other["secret"] != secret
    assert version(url, secret) == version(url, other["secret"]) == 200

    revoked = agent.run("connect", "aria2", "--revoke", "--name", "AriaNg")

    assert "AriaNg is locked out." in revoked.stderr + revoked.stdout
    assert (version(url, other["secret"]), version(url, secret)) == (400, 200)


def test_the_secret_outlives_a_restart(agent: Agent) -> None:
    before = agent.run("connect", "aria2", "--print").stdout.split()
    agent.kill()
    agent.start()
    after = agent.run("connect", "aria2", "--print").stdout.split()

    assert after[1] == before[1]
    assert version(after[0], before[1]) == 200


def test_metubes_secret_is_in_its_address(agent: Agent) -> None:
    (url,) = agent.run("connect", "metube", "--print").stdout.split()
    clients = {client["kind"]: client for client in agent.get("clients")["clients"]}

    assert ask(f"{url}/history", None)[0] == 200  # a slash too many
    assert clients["metube"]["name"] == "MeTube clients"
    assert clients["metube"]["last_seen"] is None or "T" in clients["metube"]["last_seen"]
    assert url.split("/")[-2] not in json.dumps(clients)


def test_people_are_told_what_to_type_where(agent: Agent) -> None:
    said = agent.run("connect", "aria2").stdout

    assert "/jsonrpc" in said
    assert "trayagent connect aria2 --revoke" in said
    assert agent.run("connect", "metube", "--revoke", "--name", "nobody").returncode == 4


def test_what_the_command_line_adds_says_so(agent: Agent, tmp_path: Path) -> None:
    agent.run("add", "http://127.0.0.1:9/film.mp4")

    assert agent.get("downloads")["downloads"][0]["via"] == "cli"
