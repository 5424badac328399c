"""The docs say what the code does: pages made from it are current, links lead somewhere, commands work."""

import asyncio
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.e2e.agent import Agent, environ, until
from tests.packaging.scripts import ROOT, script
from tests.servers.media import Media
from trayagent.demo.media import picture
from trayagent.demo.server import Sample, Samples, serving
from trayagent.loopthread import LoopThread

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").glob("*.md")),
]
WALKED = [
    page for page in PAGES if page.name != "http.md"
]  # whose commands have a test of their own
docs = script("docs")


@pytest.mark.parametrize("page", sorted(docs.PAGES))
def test_a_page_made_from_the_code_is_current(page: str) -> None:
    assert (ROOT / "docs" / page).read_text("utf-8") == docs.PAGES[page](), (
        f"docs/{page} is behind the code: .venv/bin/python packaging/docs.py"
    )


def heading_ids(page: Path) -> set[str]:
    """The anchors that a page has."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path) if path else page
        if not file.exists() or (anchor and anchor not in heading_ids(file)):
            dead.append(target)
    assert dead == []


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [
        page.name
        for page in PAGES
        if page.parent.name == "docs" and f"docs/{page.name}" not in readme
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_the_place_it_was_written_at(page: Path) -> None:
    text = page.read_text("utf-8")
    assert re.findall(r"/(?:root|home)/\w|/tmp/(?!trayagent)|localhost:\d", text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = re.findall(r"`([\w./-]+/[\w-]+\.(?:py|md|lock|nsi))`", page.read_text("utf-8"))
    places = (ROOT, ROOT / "trayagent", page.parent)
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


def blocks(page: Path) -> str:
    """All commands of a page, one block after the other."""
    return "\n".join(
        re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )


SOURCE = """\
base = "{base}"
page_delay = "0"
list = {{ url = "{{base}}/library/items", query = {{ cursor = "{{cursor}}" }}, page_size = 10 }}
page = {{ items = "data.items", next = "data.next_cursor" }}
item = {{ id = "id", name = "file.name", kind = "type", created = "created_at" }}
fetch = {{ url = "{{base}}/library/items/{{id}}/original" }}
"""


@pytest.fixture(scope="module")
def library() -> Iterator[str]:
    """The settings of a library with three pictures."""
    noise = random.Random(1)
    shots = [Sample(f"{n}.png", "image/png", picture(40, 30, n, noise)) for n in range(3)]
    bases: list[str] = []

    async def serve(ready: Callable[[], None]) -> None:
        async with serving(Samples(Sample("film.mp4", "video/mp4", b""), (), tuple(shots))) as base:
            bases.append(base)
            ready()
            await asyncio.Event().wait()

    thread = LoopThread(serve)
    thread.start()
    yield SOURCE.format(base=bases[0])
    thread.stop()
    assert thread.join() is None


@pytest.mark.needs("bash")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "page", [page for page in WALKED if blocks(page)], ids=lambda page: page.name
)
def test_every_command_of_a_page_works(page: Path, tmp_path: Path, library: str) -> None:
    home = tmp_path / "home"
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "trayagent").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m trayagent "$@"\n'
    )
    (tools / "trayagent").chmod(0o755)
    with Media() as media, Agent(home, DOWNLOADS__WORKERS="2") as agent:
        commands = blocks(page).replace("https://example.com", media.base)
        (home / "list.txt").write_text(f"{media.url('a.bin')}\n")
        (home / "shots.toml").write_text(library)
        agent.run("source", "add", "shots", "--type", "json", "--from", "shots.toml")
        done = subprocess.run(
            ["sh", "-e"],
            input=commands,
            env=environ(home, PATH=f"{tools}{os.pathsep}{os.environ['PATH']}"),
            cwd=home,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}\n{agent.log()}"
        if page.name == "README.md":
            until((home / "drop/done/list.txt.report.json").exists, "the report of the list")
            assert len([*(home / "library").rglob("*.png")]) == 3
            assert {file.name for file in (home / "downloads").iterdir()} == {"film.mp4", "a.bin"}
            assert (home / "film.mp4").exists()


def test_each_example_of_a_list_is_read_back() -> None:
    from trayagent.lists import DIALECTS

    text = (ROOT / "docs/lists.md").read_text("utf-8").replace("⇥", "\t")
    for dialect in DIALECTS:
        sample = re.search(
            rf"^`\.{dialect.endings[0]}`\n\n```\n(.*?)^```", text, re.MULTILINE | re.DOTALL
        )
        assert sample, dialect.name
        lines = list(dialect.parse(sample[1]))
        assert lines
        assert [line.error for line in lines if line.error] == []


def test_the_settings_shown_are_accepted(home: Path) -> None:
    from trayagent.settings import Home, load

    for page in ("sources.md", "configuration.md"):
        for sample in re.findall(
            r"^```toml\n(.*?)^```",
            (ROOT / "docs" / page).read_text("utf-8"),
            re.MULTILINE | re.DOTALL,
        ):
            (home / "config.toml").write_text(sample)
            load(Home.find(os.environ), os.environ)
