"""An assistant adds downloads and looks at them, and can do nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.agent import Agent, environ


def call(name: str, **arguments: object) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": name, "arguments": arguments}}


def test_a_conversation(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = [
        {"method": "initialize", "params": {"protocolVersion": "2025-06-18"}},
        {"method": "tools/list"},
        call("add_download", url="http://example.invalid/film.mp4?token=CANARY", folder="Films"),
        call("list_downloads"),
        call("get_download", id="d1"),
        call("get_status"),
        call("add_download", url="http://127.0.0.1:9/admin"),
        call("add_download", url="http://example.invalid/x", folder="../../etc"),
        call("get_download", id="../../config"),
        call("quit"),
        {"method": "resources/list"},
    ]
    lines = [json.dumps({"jsonrpc": "2.0", "id": n, **one}) for n, one in enumerate(asked)]
    lines.insert(1, json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
    with Agent(tmp_path / "home") as agent:
        said = agent.run("mcp", input="\n".join([*lines, "nonsense", ""])).stdout
        rows = agent.get("downloads")["downloads"]
    answers = [json.loads(line) for line in said.splitlines()]
    results = [answer.get("result", {}) for answer in answers]

    assert [answer["id"] for answer in answers] == [*range(len(asked)), None]
    names = {tool["name"] for tool in results[1]["tools"]}
    assert names == {"add_download", "list_downloads", "get_download", "get_status"}
    assert [len(rows), rows[0]["url"].partition("?")[0]] == [1, "http://example.invalid/film.mp4"]
    assert json.loads(results[3]["content"][0]["text"])[0]["id"] == "d1"
    assert "version" in results[5]["content"][0]["text"]
    assert [result.get("isError") for result in results[2:9]] == [None] * 4 + [True] * 3
    assert [answer["error"]["code"] for answer in answers[-3:]] == [-32602, -32601, -32700]
    assert "CANARY" not in said


def test_messages_are_utf8_whatever_the_system_writes(tmp_path: Path) -> None:
    """Windows reads pipes in a code page; and what is no text costs its message alone."""
    asked = (
        '{"id":1,"method":"é"}\n'.encode() + b'{"id":2,"method":"\xff"}\n{"id":3,"method":"ping"}\n'
    )
    with Agent(tmp_path / "home"):
        said = subprocess.run(
            [sys.executable, "-m", "trayagent", "mcp"],
            input=asked,
            env=environ(tmp_path / "home") | {"PYTHONIOENCODING": "ascii:strict"},
            capture_output=True,
            check=True,
        )
    answers = [json.loads(line) for line in said.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert answers[2]["result"] == {}
