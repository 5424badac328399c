"""What the tests of the store share: a database in memory, as a first start makes it."""

import sqlite3
from collections.abc import Iterator

import pytest

from trayagent.store import database


@pytest.fixture
def conn() -> Iterator[sqlite3.Connection]:
    """Give the connection that writes."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.executescript("".join(database.MIGRATIONS))
    yield connection
    connection.close()
