"""What an API answers is JSON, or a failure in our words."""

import pytest

from trayagent.model.errors import DownloadError
from trayagent.sources.api_client import ApiAnswer


def answer(body: bytes) -> ApiAnswer:
    """An answer of 200 with this body."""
    return ApiAnswer(200, "h:443", (), body)


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"[" * 100_000, b"[" * 300_000])
async def test_an_answer_that_is_no_json_is_a_failure_of_the_download(body: bytes) -> None:
    with pytest.raises(DownloadError) as failed:
        await answer(body).json()
    assert failed.value.code == "truncated"


async def test_a_page_instead_of_data_means_a_login() -> None:
    with pytest.raises(DownloadError) as failed:
        await answer(b"<html>").json()
    assert failed.value.code == "needs_login"


async def test_a_name_that_was_cut_inside_an_emoji_costs_half_a_character() -> None:
    assert await answer(rb'{"name": "Rain \ud83c"}').json() == {"name": "Rain �"}


@pytest.mark.parametrize(
    "before",
    [b"\xef\xbb\xbf", b")]}'\n", b")]}',\n", b"\xef\xbb\xbf)]}\r\n", b"for(;;);", b"while(1);"],
)
async def test_what_stands_before_the_json_on_purpose_is_no_part_of_it(before: bytes) -> None:
    assert await answer(before + b' {"a": 1}').json() == {"a": 1}
    with pytest.raises(DownloadError):
        await answer(before).json()


async def test_one_name_that_is_no_text_costs_no_other() -> None:
    """A server that hands on file names as they are, and one in Python that knows no size."""
    assert await answer(b'[{"name": "\xff"}, {"size": NaN}]').json() == [
        {"name": "�"},
        {"size": None},
    ]
    latin = ApiAnswer(200, "h:443", (), b'["caf\xe9"]', "http://h/", "ISO-8859-1")
    assert await latin.json() == ["café"]
