"""Every command of the HTTP documentation works as it is written."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from tests.hook.rig import Rig

PAGE = Path(__file__).parents[2] / "docs" / "http.md"


@pytest.mark.needs("curl")
async def test_the_commands_of_the_page_run_one_after_the_other(rig: Rig) -> None:
    home = rig.db.path.parent
    (home / "runtime.json").write_text(json.dumps({"url": rig.listener.url}))
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)

    process = await asyncio.create_subprocess_exec(
        "sh", "-e",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], "TRAYAGENT_HOME": str(home)},
    )  # fmt: skip
    said, _ = await process.communicate("\n".join(blocks).encode())

    assert process.returncode == 0, said.decode()
    assert len(blocks) >= 5
    assert b"retry: 1000" in said
    assert await rig.count() == 3
