"""What a browser starts answers its extension, and nobody else; nothing it is sent breaks it."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.browser.running import Running
from trayagent.cli import native_host
from trayagent.desktop.native_messaging import CHROMIUM_ID, FIREFOX_ID

ORIGIN = f"chrome-extension://{CHROMIUM_ID}"


def framed(payload: bytes) -> bytes:
    """Return a message as browsers write it."""
    return struct.pack("=I", len(payload)) + payload


def ask(agent: Running, *requests: Any, caller: str = f"{ORIGIN}/") -> list[dict[str, Any]]:
    """Start the host as a browser does, and return its answers."""
    done = subprocess.run(
        [sys.executable, "-m", "trayagent", "native-host", caller],
        input=b"".join(framed(json.dumps(request).encode()) for request in requests),
        env=agent.environ,
        capture_output=True,
        check=False,
        timeout=60,
    )
    out, found = done.stdout, []
    while out:
        (length,) = struct.unpack("=I", out[:4])
        found.append(json.loads(out[4 : 4 + length]))
        out = out[4 + length :]
    return found


def test_it_starts_the_agent_and_pairs_on_the_port_that_was_named(tmp_path: Path) -> None:
    agent = Running(tmp_path / "home")
    agent.home.mkdir()
    started, found = ask(agent, {"do": "start"}, {"do": "find"})
    agent.find()
    try:
        assert started == found == {"ok": True, "running": True, "port": agent.port}
        wish = {"do": "pair", "name": "Chromium on Linux", "origin": ORIGIN}
        other, paired = ask(agent, wish | {"port": agent.port + 1}, wish | {"port": agent.port})
        assert (other["ok"], other["code"]) == (False, "moved")
        assert paired["port"] == agent.port
        clients = agent.call("GET", "clients")["clients"]
        assert [(c["id"], c["origin"]) for c in clients] == [(paired["client"], ORIGIN)]
    finally:
        agent.call("POST", "quit", {})


def test_without_an_agent_it_says_so(tmp_path: Path) -> None:
    agent = Running(tmp_path / "home")
    found, paired = ask(
        agent, {"do": "find"}, {"do": "pair", "name": "x", "origin": ORIGIN, "port": 1}
    )
    assert found == {"ok": True, "running": False, "port": None}
    assert (paired["ok"], paired["code"]) == (False, "not_running")


@pytest.mark.parametrize("caller", ["chrome-extension://abcdefghijklmnop/", "https://evil.example"])
def test_it_answers_no_other_extension(caller: str, tmp_path: Path) -> None:
    assert ask(Running(tmp_path / "home"), {"do": "find"}, caller=caller) == []


def test_firefox_names_the_extension_by_its_id(tmp_path: Path) -> None:
    (found,) = ask(Running(tmp_path / "home"), {"do": "find"}, caller=FIREFOX_ID)
    assert found["ok"]


@given(st.binary(max_size=300))
def test_whatever_it_is_sent_it_ends_or_answers(sent: bytes) -> None:
    answers = io.BytesIO()
    native_host.converse(io.BytesIO(sent), answers)


@pytest.mark.parametrize(
    "request_", [{}, [], "find", {"do": None}, {"do": []}, {"do": "quit"}, {"do": "find\0"}]
)
def test_what_it_does_not_know_it_refuses(request_: object) -> None:
    assert native_host.answer(request_)["code"] == "bad_request"


def test_a_message_that_is_too_long_ends_it() -> None:
    head = struct.pack("=I", native_host.MOST_BYTES + 1)
    assert native_host.receive(io.BytesIO(head + b"x" * 100_000)) is None
