"""Waiting grows, is never the same for two clients, and keeps to what the server asked for, up to an hour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model import retry
from trayagent.model.errors import SENTENCES, DownloadError, traits_of
from trayagent.model.retry import NextTry, next_try

RAND = st.floats(0, 1, exclude_max=True)


@given(st.integers(-1, 10_000), RAND)
def test_the_wait_is_bounded(attempt: int, rand: float) -> None:
    assert 1 <= retry.delay(attempt, rand=rand) <= retry.LONGEST_SECONDS


@given(st.integers(1, 20), RAND)
def test_the_wait_grows(attempt: int, rand: float) -> None:
    assert retry.delay(attempt + 1, rand=rand) >= retry.delay(attempt, rand=rand)


@given(st.integers(1, 20), st.floats(0, 1e9), RAND)
def test_the_servers_wish_is_a_minimum_up_to_an_hour(
    attempt: int, wish: float, rand: float
) -> None:
    delay = retry.delay(attempt, retry_after=wish, rand=rand)
    assert delay >= min(wish, retry.LONGEST_SECONDS)
    assert delay >= min(retry.delay(attempt, rand=rand), retry.LONGEST_SECONDS)
    assert delay <= retry.LONGEST_SECONDS


def test_the_first_waits_in_figures() -> None:
    assert [retry.delay(n, rand=0.0) for n in (1, 2, 3)] == [1, 2, 4]
    assert retry.delay(1, retry_after=5, rand=0.0) == 5
    assert retry.delay(1, retry_after=60, rand=0.9) == 64.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("5", 5.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("1000000000", 3600.0),
        ("9" * 400, 3600.0),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("-1", None),
        ("1e9", None),
        ("5.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Thu, 99 Foo 2026", None),
    ],
)
def test_both_forms_of_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry.parse_retry_after(header, now=1000.0) == seconds


@given(st.text())
def test_odd_headers_never_fail(header: str) -> None:
    seconds = retry.parse_retry_after(header, now=1e9)
    assert seconds is None or 0 <= seconds <= 3600


@pytest.mark.parametrize("code", SENTENCES)
def test_only_what_time_may_mend_is_tried_again(code: str) -> None:
    """Everything else would only be asked for in vain."""
    again = next_try(DownloadError(code), attempts=1, retries=5, rand=0.5)

    assert (again is not None) == (traits_of(code).is_retryable or traits_of(code).blocks_folder)


def test_tries_run_out() -> None:
    """After the last retry it has failed."""
    assert next_try(DownloadError("network"), attempts=5, retries=5, rand=0) is None


def test_waiting_for_a_folder_or_a_network_uses_no_try_up() -> None:
    """However long it lasts, the download goes on by itself."""
    for code, offline in (
        *((code, False) for code in SENTENCES if traits_of(code).blocks_folder),
        ("network", True),
    ):
        error = DownloadError(code)
        again = next_try(error, attempts=99, retries=5, rand=0, offline=offline)
        assert again is not None
        assert not again.counts


def test_the_servers_wish_is_a_minimum() -> None:
    """`Retry-After` is honoured, whatever the jitter says."""
    again = next_try(DownloadError("server_busy", retry_after=50), attempts=0, retries=5, rand=0)

    assert again is not None
    assert again.seconds >= 50


def test_a_worker_that_died_is_replaced_once() -> None:
    """The download goes to another; if that dies as well, it is our fault and said so."""
    assert next_try(DownloadError("internal"), attempts=0, retries=5, rand=0) == NextTry(1.0)
    assert next_try(DownloadError("internal"), attempts=1, retries=5, rand=0) is None
