"""Names lose the white space that breaks them and nothing else; what no URL can carry raw is refused."""

from __future__ import annotations

import pytest

from tests.servers import flow_data as data
from trayagent.sources import names


def test_listed_names_become_canonical() -> None:
    for medium in data.images_of("alice"):
        assert names.canonical(medium.listed) == medium.name
        assert names.is_usable(medium.name)


def test_only_the_white_space_of_the_api_goes() -> None:
    assert names.canonical("a\u200bb\ufeffc\u00a0d\u2028e\r\nf\t g") == "abcdefg"
    assert names.canonical("a\u001cb\u0085c") == "a\u001cb\u0085c"


@pytest.mark.parametrize(
    "name", ["", "a?b", "a#b", "a%24b", "a\x00b", "ü", "../x", "a/./b", "a/..", "a\\b", "x" * 3000]
)
def test_names_a_client_would_alter_are_refused(name: str) -> None:
    assert not names.is_usable(name)


def test_ids_are_read_from_the_name() -> None:
    image, video = data.image("alice", 7), data.video(2)
    assert names.decoded(image.name) == names.Ids("image", image.workflow, image.key)
    assert names.decoded(video.name) == names.Ids("video", video.workflow, video.key)
    assert names.decoded("not base64!") == names.Ids()
    assert names.decoded("CAMa") == names.Ids("image")
