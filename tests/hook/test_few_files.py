"""With 64 open files allowed, the hook gets slower under a crowd, but it does not close."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hook.rig import read_answer
from trayagent.hook import connections

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_half_of_the_files_are_left_for_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    for soft, rush in (
        (64, 32),
        (1024, 512),
        (1 << 20, 1024),
        (resource.RLIM_INFINITY, 1024),
        (4, 8),
    ):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connections.most_in_rush() == rush


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
async def test_a_crowd_of_silent_clients_does_not_use_up_all_files(home: Path) -> None:
    env = os.environ | {"TRAYAGENT_HOOK__PORT": "0", "PYTHONPATH": str(ROOT)}
    agent = await asyncio.create_subprocess_exec(
        "sh", "-c", f"ulimit -n 64; exec {sys.executable} -m trayagent run --headless",
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert agent.stdout is not None
    try:
        async with asyncio.timeout(20):
            said = await agent.stdout.readline()
        port = json.loads((home / "runtime.json").read_text())["port"]
        token = (home / "token").read_text()
        with ExitStack() as stack:
            for _ in range(90):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                stack.callback(writer.close)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(
                f"GET /api/v1/status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode()
            )
            async with asyncio.timeout(20):
                answer = await read_answer(reader)
        agent.terminate()
        assert (answer.status, await agent.wait()) == (200, 0), said
    finally:
        if agent.returncode is None:
            agent.kill()
            await agent.wait()
