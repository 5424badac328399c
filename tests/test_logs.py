"""Logs rotate and hold no secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.privacy import is_private
from trayagent import logs

SECRETS = [
    "GET http://user:CANARY@h/film.mp4?sig=CANARY#CANARY failed",
    "Authorization: Bearer CANARY",
    "{'cookie': 'CANARY'}",
    "X-API-Key: CANARY",
]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    handler = logs.start(tmp_path / "logs")
    yield tmp_path / "logs" / "trayagent.log"
    logs.stop(handler)


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_reaches_the_disk(log: Path, text: str) -> None:
    """Not by a message, not by an argument, not by a traceback."""
    logger = logging.getLogger("trayagent.test")
    logger.error(text)
    logger.error("%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("broken")

    written = log.read_text()
    assert written.count("ERROR") == 3
    assert "CANARY" not in written


def test_only_the_user_may_read_it(log: Path) -> None:
    """0600, whatever the umask says."""
    logging.getLogger("trayagent.test").error("x")

    assert is_private(log)


def test_the_log_never_grows_beyond_its_share(log: Path) -> None:
    """Five files of 2 MB are the most."""
    logger = logging.getLogger("trayagent.test")
    for _ in range(700):
        logger.error("x" * 20_000)

    files = list(log.parent.iterdir())
    assert len(files) <= 5
    assert sum(file.stat().st_size for file in files) <= 11_000_000


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """No place to log is no reason to fail."""
    handler = logs.start(tmp_path / "logs")
    (tmp_path / "logs").rename(tmp_path / "away")
    try:
        logging.getLogger("trayagent.test").error("x")
    finally:
        logs.stop(handler)
