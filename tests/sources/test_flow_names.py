"""Names lose the white space that breaks them and nothing else; what no URL can carry raw is refused."""

from __future__ import annotations

import pytest

from tests.servers import flow_data as data
from trayagent.sources import flow


def test_listed_names_become_canonical() -> None:
    for medium in data.images_of("alice"):
        assert flow.canonical_name(medium.listed) == medium.name
        assert flow.is_usable_name(medium.name)


def test_only_the_white_space_of_the_api_goes() -> None:
    assert flow.canonical_name("a\u200bb\ufeffc\u00a0d\u2028e\r\nf\t g") == "abcdefg"
    assert flow.canonical_name("a\u001cb\u0085c") == "a\u001cb\u0085c"


@pytest.mark.parametrize(
    "name", ["", "a?b", "a#b", "a%24b", "a\x00b", "ü", "../x", "a/./b", "a/..", "a\\b", "x" * 3000]
)
def test_names_a_client_would_alter_are_refused(name: str) -> None:
    assert not flow.is_usable_name(name)


def test_ids_are_read_from_the_name() -> None:
    image, video = data.image("alice", 7), data.video(2)
    assert flow.ids_in(image.name) == flow.NameIds("image", image.workflow, image.key)
    assert flow.ids_in(video.name) == flow.NameIds("video", video.workflow, video.key)
    assert flow.ids_in("not base64!") == flow.NameIds()
    assert flow.ids_in("CAMa") == flow.NameIds("image")
