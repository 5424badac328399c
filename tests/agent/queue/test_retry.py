"""Whether a failed try is followed by another, and when."""

from __future__ import annotations

import pytest

from trayagent.agent.queue.retry import Again, decide
from trayagent.model.errors import SENTENCES, DownloadError, traits_of


@pytest.mark.parametrize("code", SENTENCES)
def test_only_what_time_may_mend_is_tried_again(code: str) -> None:
    """Everything else would only be asked for in vain."""
    again = decide(DownloadError(code), attempts=1, retries=5, rand=0.5)

    assert (again is not None) == (traits_of(code).is_retryable or traits_of(code).blocks_folder)


def test_tries_run_out() -> None:
    """After the last retry it has failed."""
    assert decide(DownloadError("network"), attempts=5, retries=5, rand=0) is None


def test_waiting_for_a_folder_or_a_network_uses_no_try_up() -> None:
    """However long it lasts, the download goes on by itself."""
    for code, offline in (
        *((code, False) for code in SENTENCES if traits_of(code).blocks_folder),
        ("network", True),
    ):
        error = DownloadError(code)
        again = decide(error, attempts=99, retries=5, rand=0, offline=offline)
        assert again is not None
        assert not again.counts


def test_the_servers_wish_is_a_minimum() -> None:
    """`Retry-After` is honoured, whatever the jitter says."""
    again = decide(DownloadError("server_busy", retry_after=50), attempts=0, retries=5, rand=0)

    assert again is not None
    assert again.seconds >= 50


def test_a_worker_that_died_is_replaced_once() -> None:
    """The download goes to another; if that dies as well, it is our fault and said so."""
    assert decide(DownloadError("internal"), attempts=0, retries=5, rand=0) == Again(1.0)
    assert decide(DownloadError("internal"), attempts=1, retries=5, rand=0) is None
