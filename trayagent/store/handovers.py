"""Downloads that an engine elsewhere fetches (an aria2 on a NAS), and how far each is handed over.

A download for an engine has `engine` set, and a host that no server can have (`model/jobs`), so that the pool
never claims it. While the engine has it, a row of `handovers` stands beside it; see
`agent/queue/elsewhere` for the states. Its `gid` is made from the row and written before the engine
hears of it: the engine takes each gid once, so that nothing is fetched twice.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
ALTER TABLE downloads ADD COLUMN engine TEXT;
ALTER TABLE downloads ADD COLUMN remote_path TEXT;
CREATE TABLE handovers (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    n INTEGER NOT NULL,
    engine TEXT NOT NULL,
    gid TEXT NOT NULL UNIQUE,
    mark TEXT NOT NULL,
    is_known INTEGER NOT NULL DEFAULT 0,
    is_paused INTEGER NOT NULL DEFAULT 0,
    speed_limit INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX handover_of ON handovers(n);
DROP INDEX active;
CREATE INDEX active ON downloads(engine, n) WHERE state = 'active';
CREATE INDEX for_engine ON downloads(engine, urgent DESC, n)
    WHERE engine IS NOT NULL AND state = 'queued' AND not_before IS NULL;
"""
