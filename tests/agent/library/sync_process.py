"""A program that syncs until it is killed: `python -m tests.agent.library.sync_process HOME BASE`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.agent.library.running_library import ALICE, running_library
from trayagent.model.settings import SourceSettings


async def main(home: Path, base: str) -> None:
    """Sync once."""
    source = SourceSettings("flow", labs_base=f"{base}/fx", media_base=f"{base}/v1", page_delay="0")
    async with running_library(home, source) as agent:
        if not (home / "secrets.json").exists():
            await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
