"""The history is trimmed beside the queue, and the counts follow."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.agent.running_queue import running_queue, until
from trayagent.agent import history
from trayagent.agent.history import History
from trayagent.model.errors import NotFoundError
from trayagent.model.settings import HistorySettings


async def test_other_settings_count_at_once_and_the_newest_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "STEP_SECONDS", 0.0)
    async with running_queue(tmp_path) as h, asyncio.TaskGroup() as group:
        trimmed = History(h.db, h.bus, HistorySettings())
        running = group.create_task(trimmed.run(), name="history")
        ids = [(await h.add(f"http://h/{n}"))[0] for n in range(5)]
        await h.settled(*ids)
        # A moment later nothing lies beside their files any more.
        await until(lambda: sum(len(names) for names in h.transfer.forgotten) == 5)
        assert h.live_status.status.completed == 5
        trimmed.configure(HistorySettings(most=2))
        await until(lambda: h.live_status.status.completed == 2)
        with pytest.raises(NotFoundError):
            await h.queries.download(ids[0])
        assert (await h.queries.download(ids[4])).state == "completed"
        assert (tmp_path / "0").exists()
        running.cancel()
