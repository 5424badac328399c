"""Whatever a person pastes, only the session's cookie comes out of it."""

from __future__ import annotations

import json

import pytest

from trayagent.sources.cookies import session_cookie

NAME = "__Secure-next-auth.session-token"
VALUE = "eyJhbGciOi.Jkkk-_x.y+z/w=="


@pytest.mark.parametrize(
    "text",
    [
        VALUE,
        f"  {VALUE}\n",
        f'"{VALUE}"',
        f"{VALUE[:9]}\n{VALUE[9:]}",
        f"{NAME}={VALUE}",
        f"Cookie: SID=g.a000; {NAME}={VALUE}; __Secure-1PSID=zzz",
        f"cookie:a=b;{NAME}={VALUE}",
        f"-H 'cookie: a=b; {NAME}={VALUE}'",
        f"next-auth.session-token={VALUE}",
        f"{NAME}.1={VALUE[5:]}; {NAME}.0={VALUE[:5]}",
        f"#\n.google.com\tTRUE\t/\tTRUE\t0\tSID\tzzz\n#HttpOnly_labs.google\tFALSE\t/\tTRUE\t1\t{NAME}\t{VALUE}\n",
        json.dumps([{"name": "SID", "value": "zzz"}, {"name": NAME, "value": VALUE, "domain": "labs.google"}]),
        json.dumps({"cookies": [{"name": NAME, "value": VALUE}]}),
        json.dumps({NAME: VALUE}),
    ],
)  # fmt: skip
def test_the_session_is_found(text: str) -> None:
    assert session_cookie(text) == VALUE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "SID=only; HSID=others",
        '[{"name":"SID","value":"zzz"}]',
        "[broken",
        f"{NAME}=",
        "two words here; no",
        "a\x00bcdefgh",
        pytest.param(f"{NAME}.{'9' * 5000}={VALUE}", id="a number without end"),
    ],
)
def test_nothing_else_is_taken(text: str) -> None:
    assert session_cookie(text) is None


def test_chunks_are_joined_by_number() -> None:
    chunks = {10: "last-one", 9: "b" * 9, 0: "first-"}
    text = json.dumps([{"name": f"{NAME}.{n}", "value": value} for n, value in chunks.items()])
    assert session_cookie(text) == "first-" + "b" * 9 + "last-one"
