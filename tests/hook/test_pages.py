"""The static pages come with their strict headers, hold nothing secret, and lead nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.hook.rig import Rig
from trayagent.hook import pages

CONFIRM = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self';"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.fixture
def static(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of small pages in the place of the real ones."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "views").mkdir()
    for name in (
        "views/list.js",
        "index.html",
        "pair.html",
        "app.js",
        "base.css",
        "icon.svg",
        "bookmarklet.txt",
        "notes.md",
        ".hidden.js",
    ):
        (folder / name).write_text(f"{name} {{{{nonce}}}}")
    (folder / "send.html").write_text(
        '<meta name="nonce" content="{{nonce}}"><meta name="folder" content="{{folder}}">'
    )
    (tmp_path / "secret.js").write_text("CANARY")
    monkeypatch.setattr(pages, "STATIC", folder)
    return folder


DASHBOARD = (
    CONFIRM.replace("img-src 'self'", "img-src 'self' blob:")
    + "; media-src blob:; manifest-src 'self'"
)


@pytest.mark.parametrize("path", ["/", "/welcome", "/send", "/pair"])
async def test_pages_have_the_strict_headers(rig: Rig, static: Path, path: str) -> None:
    answer = await rig.ask("GET", path, token=None)

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy == (DASHBOARD if path in ("/", "/welcome") else CONFIRM)
    assert "unsafe" not in policy
    for name, value in {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }.items():
        assert answer.headers[name] == value
    assert "set-cookie" not in answer.headers


async def test_the_confirm_page_has_a_fresh_nonce_and_a_folder_without_a_name(
    rig: Rig, static: Path
) -> None:
    answers = [(await rig.ask("GET", "/send", token=None)).body.decode() for _ in range(2)]
    nonces = [re.findall(r'nonce" content="([\w.-]+)"', text)[0] for text in answers]

    assert nonces[0] != nonces[1]
    assert 'folder" content="downloads"' in answers[0]
    assert str(Path.home()) not in answers[0]


async def test_the_home_folder_is_written_as_a_tilde() -> None:
    assert pages.folder_without_user(str(Path.home() / "Downloads" / "a")) == "~/Downloads/a"
    assert pages.folder_without_user("~/Downloads") == "~/Downloads"


async def test_data_in_the_query_is_not_repeated(rig: Rig) -> None:
    for attack in (
        "<script>CANARY</script>",
        "javascript:CANARY",
        '"><img%20onerror=CANARY>',
        "%22%3ECANARY",
    ):
        answer = await rig.ask("GET", f"/send?url={attack}".replace(" ", "%20"), token=None)
        assert answer.status in {200, 400}
        assert b"CANARY" not in answer.body


async def test_a_megabyte_in_the_address_is_too_long(rig: Rig) -> None:
    assert (await rig.ask("GET", "/send?url=" + "a" * 1_000_000, token=None)).status == 414


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("views/list.js", "text/javascript; charset=utf-8"),
        ("base.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("bookmarklet.txt", "text/plain; charset=utf-8"),
    ],
)
async def test_files_have_their_types(rig: Rig, static: Path, name: str, kind: str) -> None:
    answer = await rig.ask(
        "GET", f"/static/{name}", token=None, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert answer.body.decode() == f"{name} {{{{nonce}}}}"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.js", "..%2fsecret.js", "%2e%2e/secret.js", "%2e%2e%2fsecret.js", "..%5csecret.js", "....//secret.js",
        "/etc/passwd", "%2fetc%2fpasswd", ".hidden.js", "%2ehidden.js", "send.html", "notes.md", "app.js%00.svg",
        "none.js", "", ".",
        "app.js/", "views", "views/", "views/../app.js", "views/%2e%2e%2fapp.js", "views/none.js",
        "..", "%252e%252e%252fsecret.js",
    ],
)  # fmt: skip
async def test_nothing_but_the_files_of_the_pages_is_served(
    rig: Rig, static: Path, path: str
) -> None:
    answer = await rig.ask("GET", f"/static/{path}", token=None)

    assert answer.status == 404
    assert b"CANARY" not in answer.body


async def test_other_sites_may_link_to_pages_but_not_embed_or_read_them(rig: Rig) -> None:
    link = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    frame = link | {"Sec-Fetch-Dest": "iframe"}
    script = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "script",
    }
    cases = [
        ("/send", link, 200),
        ("/pair", link, 200),
        ("/send", frame, 403),
        ("/static/send.js", script, 403),
    ]

    for path, headers, status in cases:
        assert (await rig.ask("GET", path, token=None, headers=dict(headers))).status == status


async def test_the_real_pages_ask_for_nothing_from_outside_and_run_nothing_inline() -> None:
    found = sorted(pages.STATIC.glob("*.html"))

    assert found
    for page in found:
        text = page.read_text("utf-8")
        assert re.findall(r'(?:src|href)="(?!/|#|data:)[^"]*"', text) == []
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
        assert re.findall(r"<style|\son\w+=|\sstyle=", text) == []


async def test_a_person_gets_a_page_at_an_unknown_address(rig: Rig) -> None:
    """It leads to the dashboard and repeats nothing; programs get JSON as before."""
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await rig.ask("GET", "/CANARY?q=CANARY", token=None, headers=accept)
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == CONFIRM
    assert b'href="/"' in page.body
    assert b"CANARY" not in page.body

    for path, headers in (("/nonsense", {}), ("/api/v1/nonsense", accept)):
        answer = await rig.ask("GET", path, token=None, headers=headers)
        assert (answer.status, answer.code) == (404, "not_found")


async def test_the_manifest_makes_the_dashboard_a_window_of_its_own(rig: Rig) -> None:
    answer = await rig.ask("GET", "/manifest.webmanifest", token=None)
    manifest = answer.json()
    assert answer.headers["content-type"] == "application/manifest+json"
    assert (manifest["start_url"], manifest["display"]) == ("/", "standalone")
    for icon in manifest["icons"]:
        assert (await rig.ask("GET", icon["src"], token=None)).status == 200
