"""Killed at any moment: nothing is asked for again once it has its name, and every line has its one outcome.

Five hundred kills for every change, in short runs: a test that has the machine alone waits for the end of one.
Five thousand with `--soak`.
"""

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.agent import PATIENCE, Agent, environ, until
from tests.servers.json_library import TOKEN, JsonLibrary, body
from tests.servers.media import Media, content
from tests.servers.site import Site
from tests.servers.site import media as films

FILES = 60
SIZES = (2_000, 30_000, 150_000, 400_000)
FEW = 12
"""Kills of one agent, or one `get`, before it may come to its end; then the next begins."""


def runs(kills: int, count: int, soak: int) -> pytest.MarkDecorator:
    """So many runs of so many kills, each with chances of its own, and one long one.

    A start takes Wine twenty times as long: there it is one agent, or one `get`, with all its kills.
    """
    if sys.platform == "win32":
        kills, count = min(kills, FEW), 1
    short = [pytest.param(kills, seed, id=f"{kills} kills, {seed}") for seed in range(count)]
    long = pytest.param(soak, count, id=f"{soak} kills", marks=pytest.mark.soak)
    return pytest.mark.parametrize(("kills", "seed"), [*short, long])


class ServedFiles:
    """The files of a server, and what may be asked for from now on."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self.sizes = {f"file-{n}.bin": SIZES[n % len(SIZES)] for n in range(FILES)}
        self._had: dict[str, int] = {}
        """Files that had their name at a kill, and how often they had been asked for by then."""

    def lines(self) -> str:
        """Their addresses, one a line; the third is there twice, the fourth is refused by the server."""
        rate = 700_000
        urls = [self._media.url(name, size, rate=rate) for name, size in self.sizes.items()]
        return "\n".join([*urls, urls[2], self._media.url("none.bin", status=404)]) + "\n"

    def check(self, folder: Path) -> None:
        """After a kill, or the end: what has its name is whole, single, and was never asked for since."""
        asked = Counter(path.rpartition("/")[2] for path in self._media.requests)
        for name, before in self._had.items():
            assert (folder / name).exists(), f"{name} is gone"
            assert asked[name] == before, f"{name} was asked for again"
        for path in folder.glob("*.bin"):
            assert path.name in self.sizes, f"{path.name} is a second copy"
            assert path.read_bytes() == content(path.name, self.sizes[path.name])
            self._had[path.name] = asked[path.name]

    def check_all(self, folder: Path) -> None:
        """At the end: all of them, and nothing else."""
        self.check(folder)
        assert {path.name for path in folder.iterdir()} == set(self.sizes)


SOURCE = """\
base = "{base}"
page_delay = "0"
list = {{ url = "{{base}}/items", query = {{ cursor = "{{cursor}}", limit = "10" }} }}
page = {{ items = "data.items", next = "data.next" }}
item = {{ id = "id", name = "file.name", kind = "type", created = "created_at", url = "file.url" }}
auth = {{ headers = {{ Authorization = "Bearer {{secret:token}}" }} }}
"""
PAGES = 4


def settle(media: Media) -> None:
    """Return once no answer is under way: what a killed program asked for counts as before the kill."""
    until(lambda: media.active == 0, "the server to be quiet")


def wait_until_at_work(media: Media, is_over: Callable[[], bool]) -> None:
    """On Windows, return once the server is asked for more, or all is over: a kill shall meet more than a start.

    Elsewhere a start is so short that moments by chance meet all of it.
    """
    if sys.platform == "win32":
        before = len(media.requests)
        until(lambda: len(media.requests) > before or is_over(), "a request")


@pytest.mark.timeout(3600)
@runs(FEW, 17, soak=2000)
def test_a_list_that_is_killed_again_and_again(tmp_path: Path, kills: int, seed: int) -> None:
    chance, done = random.Random(seed), 0
    while done < kills:
        home = tmp_path / str(done)
        with Media() as media:
            files, downloads = ServedFiles(media), home / "downloads"
            report = home / "drop" / "failed" / "films.txt.report.json"
            agent = Agent(home, DOWNLOADS__KEEP_FREE="0")
            agent.start()
            (home / "drop" / "films.txt").write_text(files.lines())
            until((home / "drop" / "working" / "films.txt").exists, "the list to be taken")
            for _ in range(min(FEW, kills - done)):
                time.sleep(chance.uniform(0, 0.5))
                agent.kill()
                done += 1
                settle(media)
                files.check(downloads)
                agent.launch()
                wait_until_at_work(media, report.exists)
                time.sleep(chance.choice([0.1, 0.3, 0.7]))
            agent.kill()
            settle(media)
            with agent:
                until(report.exists, "the report", 3 * PATIENCE)
                files.check_all(downloads)
            lines = json.loads(report.read_text())["lines"]
            assert [line["line"] for line in lines] == list(range(1, FILES + 3))
            outcomes = [line["outcome"] for line in lines]
            assert outcomes == ["completed"] * (FILES + 1) + ["failed"]


@pytest.mark.timeout(3600)
@runs(FEW, 19, soak=2000)
def test_a_get_that_is_killed_again_and_again(tmp_path: Path, kills: int, seed: int) -> None:
    chance, done = random.Random(seed), 0
    while done < kills:
        home = tmp_path / str(done)
        home.mkdir()
        with Media() as media:
            files, folder = ServedFiles(media), home / "out"
            folder.mkdir()
            (home / "list.txt").write_text(files.lines())
            words = [sys.executable, "-m", "trayagent", "get", "-i", "list.txt", "-o", str(folder)]
            where = {"env": environ(home, TRAYAGENT_DOWNLOADS__KEEP_FREE="0"), "cwd": home}
            for _ in range(min(FEW, kills - done)):
                with subprocess.Popen(words, stdout=subprocess.DEVNULL, **where) as process:  # type: ignore[call-overload]
                    wait_until_at_work(media, lambda: process.poll() is not None)
                    time.sleep(chance.uniform(0.2, 0.6))
                    process.kill()
                done += 1
                settle(media)
                files.check(folder)
                if len(list(folder.glob("*.bin"))) == FILES:
                    break
            here = len(list(folder.glob("*.bin")))
            if here == FILES and not (folder / ".trayagent-get.json").exists():
                continue  # it had come to its end: the same command would be another wish
            last = subprocess.run(words, capture_output=True, text=True, check=False, **where)  # type: ignore[call-overload]
            assert last.returncode == 6, last.stderr
            files.check_all(folder)


@pytest.mark.timeout(3600)
@runs(FEW, 5, soak=900)
def test_a_sync_that_is_killed_again_and_again(tmp_path: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for at in range(0, kills, FEW):
        sync_and_kill(tmp_path / str(at), min(FEW, kills - at), chance)


def sync_and_kill(home: Path, kills: int, chance: random.Random) -> None:
    """One library, synced to its end in spite of so many kills."""
    had: dict[Path, int] = {}
    numbers = {body(n): n for n in range(FILES)}
    agent = Agent(home, DOWNLOADS__KEEP_FREE="0")
    with JsonLibrary() as library:
        library.shots.count, library.shots.wait = FILES, 0.03

        def check() -> None:
            time.sleep(0.2)  # what was under way is answered: it counts as before the kill
            for path in (home / "library").rglob("*.png"):
                times = library.shots.paths[f"/plain/{numbers[path.read_bytes()]}"]
                assert had.setdefault(path, times) == times, f"{path.name} was asked for again"

        with agent:
            (home / "shots.toml").write_text(SOURCE.format(base=library.base))
            words = ("source", "add", "shots", "--type", "json", "--from", "shots.toml")
            assert agent.run(*words).returncode == 0
            assert agent.run("source", "login", "shots", "--stdin", input=TOKEN).returncode == 0
        for _ in range(kills):
            agent.start()
            agent.post("sources/shots/sync")
            time.sleep(chance.uniform(0, 0.5))
            agent.kill()
            check()
        with agent:
            assert agent.run("sync", "shots", "--wait").returncode == 0
            state = agent.get("sources/shots")
        check()
    assert (state["present"], len(had)) == (FILES, FILES)
    files = [path for path in (home / "library").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(had), "no second copy and no rest of one"


@pytest.mark.needs("ffmpeg")
@pytest.mark.timeout(3600)
@runs(4, 4, soak=100)
def test_pages_that_are_killed_again_and_again(tmp_path: Path, kills: int, seed: int) -> None:
    chance, made = random.Random(seed), films(tmp_path, "ts/index.m3u8")
    for at in range(0, kills, 4):
        watch_and_kill(tmp_path / str(at), made, min(4, kills - at), chance)


def watch_and_kill(home: Path, made: dict[str, bytes], kills: int, chance: random.Random) -> None:
    """Some films, made to their end in spite of so many kills."""
    had: dict[str, int] = {}
    films = {f"/p{n}{path[3:]}": data for n in range(PAGES) for path, data in made.items()}
    agent = Agent(home, DOWNLOADS__KEEP_FREE="0", DOWNLOADS__WORKERS="2")
    with Site(films) as site:

        def check() -> None:
            time.sleep(0.2)  # as above
            for path in (home / "downloads").glob("*.mp4"):
                asked = sum(url.startswith(f"/{path.stem}/") for url, _ in site.asked)
                assert had.setdefault(path.name, asked) == asked, f"{path.name}: asked again"

        agent.start()
        urls = [f"{site.base}/p{n}/index.m3u8" for n in range(PAGES)]
        items = [{"url": url, "filename": f"p{n}.mp4"} for n, url in enumerate(urls)]
        agent.post("downloads", {"items": items})
        for _ in range(kills):
            time.sleep(chance.uniform(0.5, 4))
            agent.kill()
            check()
            agent.launch()
        agent.kill()
        with agent:
            until(lambda: agent.get("status")["completed"] == PAGES, "the films", 3 * PATIENCE)
        check()
    left = {path.name for path in (home / "downloads").iterdir()}
    assert left == {f"p{n}.mp4" for n in range(PAGES)}
