"""The fake Flow holds exactly the data it is specified to hold, and refuses what the real one refuses."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.servers import flow_data as data
from tests.servers.flow import FakeFlow

COOKIE = {"Cookie": "__Secure-next-auth.session-token=st-alice-1"}
TOOL = "clientContext.tool=PINHOLE"


@pytest.fixture
def fake() -> Iterator[FakeFlow]:
    with FakeFlow() as server:
        yield server


def get(fake: FakeFlow, target: str, **headers: str) -> tuple[int, bytes]:
    """One GET of exactly this target."""
    connection = http.client.HTTPConnection(fake.base.removeprefix("http://"))
    try:
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def token(fake: FakeFlow, value: str = "st-alice-1") -> str:
    status, body = get(fake, "/fx/api/auth/session", Cookie=f"next-auth.session-token={value}")
    assert status == 200
    return str(json.loads(body)["access_token"])


def media(fake: FakeFlow, raw: str, key: str = data.API_KEY, **headers: str) -> tuple[int, Any]:
    status, body = get(fake, f"/v1/media/{raw}?key={key}&{TOOL}", **headers)
    return status, json.loads(body)


def test_the_data_is_golden() -> None:
    images = data.images_of("alice")
    names = "\n".join(data.canonical(medium.listed) for medium in images)
    digests = b"".join(hashlib.sha256(medium.body).digest() for medium in images)
    assert (
        hashlib.sha256(names.encode()).hexdigest()
        == "f8c2d751a5d745e1535691a94743575cac431c9e3661d561e95981dc1f7b89ca"
    )
    assert (
        hashlib.sha256(digests).hexdigest()
        == "106c0ec4d4023dc321a89f60b59859b882f7e7ab57f775adf5fe286ce1cf6318"
    )
    assert images[0].key == "f2c0ab3a-0b87-5f47-ac3e-6f850b9d12ef"
    assert images[4].name.startswith("CAMaJD$kyNGE0NDVk")
    assert sum(medium.created.startswith("2025-10-30") for medium in images) == 23
    video = data.video(1)
    assert video.key == "4b011a28-86f4-5db1-9129-5cfdeec63a6d"
    assert hashlib.sha256(video.body).hexdigest().startswith("9eeedbf46a39064f")
    assert len(video.name) == 162


def test_all_but_one_are_pictures() -> None:
    readable = 0
    for medium in data.images_of("alice"):
        try:
            with Image.open(io.BytesIO(medium.body)) as image:
                image.load()
                readable += 1
        except OSError:
            assert medium.index == 42
    assert readable == 41


def test_a_cookie_may_come_in_chunks(fake: FakeFlow) -> None:
    name = "__Secure-next-auth.session-token"
    status, body = get(
        fake, "/fx/api/auth/session", Cookie=f"{name}.1=ice-1; other=x; {name}.0=st-al"
    )
    assert (status, json.loads(body)["user"]["email"]) == (200, "alice@example.test")
    assert get(fake, "/fx/api/auth/session", Cookie="SID=st-alice-1") == (200, b"{}")


def test_media_is_given_to_its_owner_by_its_raw_name_only(fake: FakeFlow) -> None:
    bearer = {"Authorization": f"Bearer {token(fake)}"}
    bob = {"Authorization": f"Bearer {token(fake, 'st-bob-1')}"}
    odd = data.image("alice", 29).name
    assert media(fake, odd, **bearer)[0] == 200
    assert media(fake, odd, **bob)[0] == 404
    assert media(fake, odd)[0] == 401
    assert media(fake, odd, key="", **bearer)[0] == 403
    assert media(fake, odd, key="wrong", **bearer)[0] == 400
    assert media(fake, odd.replace("$", "%24"), **bearer)[0] == 400
    assert fake.state.stats()["not_raw"] == 1
    one = data.image("alice", 1).name
    assert media(fake, one, **bearer)[1] != media(fake, one, **bob)[1]


def test_a_signed_link_wants_no_credentials_and_has_an_end(fake: FakeFlow) -> None:
    bearer = {"Authorization": f"Bearer {token(fake)}"}
    medium = data.image("alice", 3)
    link = media(fake, medium.name, **bearer)[1]["userUploadedImage"]["fifeUrl"]
    parts = urlsplit(link)
    target = f"{parts.path}?{parts.query}"
    assert get(fake, target) == (200, medium.body)
    assert get(fake, target, Range="bytes=5-9") == (206, medium.body[5:10])
    assert get(fake, target, **bearer)[0] == 400
    assert get(fake, target.replace("Signature=", "Signature=x"))[0] == 403
    fake.state.now += 21_600
    assert b"ExpiredToken" in get(fake, target)[1]
    assert fake.state.stats()["leaks"] == 1


def test_the_log_masks_what_is_secret(fake: FakeFlow) -> None:
    media(fake, data.image("alice", 1).name, Authorization=f"Bearer {token(fake)}")
    _, body = get(fake, "/__fake__/log")
    assert data.API_KEY.encode() not in body
    assert json.loads(body)[1]["has_bearer"]
