"""Logs rotate and hold no secret."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.links import link
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


def test_a_log_that_somebody_reads_loses_no_entry_and_no_older_log(log: Path) -> None:
    logger = logging.getLogger("trayagent.test")
    older = [log.with_name(f"{log.name}.{n}") for n in range(1, 5)]
    for n, path in enumerate(older):
        path.write_text(f"older {n}")
    logger.error("first")
    with log.open() as reader:
        for _ in range(120):
            logger.error("x" * 20_000)
        logger.error("last")
        if sys.platform == "win32":  # others give a new name to a file that is open
            assert [path.read_text() for path in older] == [f"older {n}" for n in range(4)]
    assert reader.closed
    assert "last" in log.read_text()
    # Once nobody reads it, it gives way as ever.
    for _ in range(120):
        logger.error("x" * 20_000)
    assert log.stat().st_size <= 2_100_000
    assert not list(log.parent.glob("*.turn"))


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """No place to log is no reason to fail."""
    handler = logs.start(tmp_path / "logs")
    (tmp_path / "logs").rename(tmp_path / "away")
    try:
        logging.getLogger("trayagent.test").error("x")
    finally:
        logs.stop(handler)


@pytest.mark.parametrize("kind", ["file", "dangling link", "foreign folder"])
def test_what_is_in_the_way_of_the_logs_keeps_nothing_from_starting(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "logs"
    if kind == "file":
        place.write_text("mine")
    elif kind == "dangling link":
        link(place, tmp_path / "nowhere")
    else:
        if sys.platform == "win32" or os.geteuid() != 0:
            pytest.skip("only root can give a folder away")
        place.mkdir()
        os.chown(place, 65534, 65534)

    handler = logs.start(place)
    logging.getLogger("trayagent.test").error("Authorization: Bearer CANARY")
    logs.stop(handler)

    said = capsys.readouterr().err
    assert said.count(f"No log is kept: {place}") == 1
    assert "CANARY" not in said
    assert not (tmp_path / "nowhere").exists()
    assert kind != "file" or place.read_text() == "mine"


@pytest.mark.parametrize(
    "text",
    [
        "http://" * 15_000,
        "http://a@" * 11_000,
        "a" * 100_000,
        "token" * 20_000,
        "token" + " " * 100_000,
        "key=" * 25_000,
        "https://h/?" + "x" * 100_000,
    ],
)
def test_long_texts_are_redacted_in_no_time(text: str) -> None:
    began = time.process_time()
    logs.without_secrets(text)
    assert time.process_time() - began < 0.05


def test_an_address_keeps_what_tells_where_it_led() -> None:
    assert (
        logs.without_secrets("GET HTTPS://u:p@h:8/a/b.mp4?sig=x#y, then")
        == "GET HTTPS://h:8/a/b.mp4 then"
    )
