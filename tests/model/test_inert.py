"""What browsers call dangerous never keeps an ending that a double click runs."""

import pytest

from trayagent.model import filenames
from trayagent.model.inert import CHROMIUM, DANGEROUS, KEPT


@pytest.mark.parametrize("ending", sorted(CHROMIUM))
def test_what_chromium_calls_dangerous_is_inert_or_named(ending: str) -> None:
    named = filenames.safe(f"film.{ending.upper()}")
    kept = [why for why, endings in KEPT.items() if ending in endings]
    assert named.endswith(filenames.INERT) is not bool(kept), kept


def test_the_differences_are_of_that_list_and_of_no_other_of_ours() -> None:
    for endings in KEPT.values():
        assert endings <= CHROMIUM
        assert not endings & filenames.RUNNABLE
    assert len(CHROMIUM) == len(DANGEROUS) + sum(map(len, KEPT.values()))


def test_media_are_not_among_them() -> None:
    assert not DANGEROUS & (filenames.VIDEO | filenames.AUDIO | filenames.IMAGE)
