"""An extension signs a source in: it learns which cookies are wanted, and no secret ever comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hook.library import FakeLibrary
from tests.hook.rig import EXTENSION, running
from trayagent.model.settings import SourceSettings
from trayagent.sources.build import cookie_wish

ORIGIN = {"Origin": EXTENSION}
COOKIE = {"name": "next-auth.session-token", "value": "CANARY", "domain": ".labs.google"}


async def test_an_extension_hands_over_cookies_and_sees_whose_they_are(tmp_path: Path) -> None:
    async with running(tmp_path, FakeLibrary()) as rig:
        _, token = await rig.paired()
        signed = await rig.ask(
            "POST", "sign-ins/flow", {"cookies": [COOKIE]}, token=token, headers=ORIGIN
        )
        nowhere = await rig.ask(
            "POST", "sign-ins/none", {"cookies": [COOKIE]}, token=token, headers=ORIGIN
        )
        page = await rig.ask("POST", "sign-ins/flow", {"cookies": [COOKIE]}, token=None)
    assert (signed.status, signed.json()["account"]) == (200, "me")
    assert b"CANARY" not in signed.body
    assert (nowhere.status, page.status) == (404, 401)


@pytest.mark.parametrize(
    "body",
    [
        {"cookies": []},
        {"cookies": [COOKIE] * 65},
        {"cookies": [COOKIE | {"name": ""}]},
        {"cookies": [COOKIE | {"value": "x" * 16385}]},
        {"cookies": [{"name": "a", "value": "b"}]},  # whose is it?
        {"secret": "CANARY"},
    ],
)
async def test_what_is_no_cookie_of_a_site_is_refused(body: object, tmp_path: Path) -> None:
    async with running(tmp_path, FakeLibrary()) as rig:
        assert (await rig.ask("POST", "sign-ins/flow", body)).status == 422


@pytest.mark.parametrize(
    ("settings", "site", "names"),
    [
        (
            {"type": "flow", "labs_base": "https://labs.google/fx"},
            "https://labs.google:443/",
            ("__Secure-next-auth.session-token", "next-auth.session-token"),
        ),
        (
            {
                "type": "json",
                "base": "https://api.example.com/v1",
                "auth": {"headers": {"Cookie": "sid={secret:a}; csrf={secret:b}"}},
            },
            "https://api.example.com:443/",
            ("sid", "csrf"),
        ),
    ],
)
def test_each_source_names_its_own_cookies(
    settings: dict[str, object], site: str, names: tuple[str, ...]
) -> None:
    wish = cookie_wish(SourceSettings("shots", **settings))  # type: ignore[arg-type]
    assert wish is not None
    assert (wish.site, wish.cookies) == (site, names)


def test_a_source_with_a_token_wants_no_cookies() -> None:
    auth = {"headers": {"Authorization": "Bearer {secret:token}"}}
    assert (
        cookie_wish(SourceSettings("shots", type="json", base="https://a.example/", auth=auth))
        is None
    )
