"""An image library is added, synced, verified and undone from the command line."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.agent import Agent, until
from tests.servers.media import Media, content
from trayagent.demo.media import picture
from trayagent.demo.server import Sample, Samples, serving_aside

SETTINGS = """\
base = "{base}"
page_delay = "0"
list = {{ url = "{{base}}/library/items", query = {{ cursor = "{{cursor}}" }}, page_size = 10 }}
page = {{ items = "data.items", next = "data.next_cursor", style = "cursor" }}
item = {{ id = "id", name = "file.name", kind = "type", created = "created_at", sha256 = "hash" }}
fetch = {{ url = "{{base}}/library/items/{{id}}/original" }}
"""


@pytest.fixture(scope="module")
def samples() -> Samples:
    noise = random.Random(1)
    shots = [
        Sample(f"shot-{number:02}.png", "image/png", picture(40, 30, number, noise))
        for number in range(23)
    ]
    return Samples(Sample("film.mp4", "video/mp4", b""), (), tuple(shots))


@pytest.fixture(scope="module")
def base(samples: Samples) -> Iterator[str]:
    with serving_aside(samples) as base:
        yield base


@pytest.fixture
def agent(tmp_path: Path, base: str) -> Iterator[Agent]:
    with Agent(tmp_path) as running:
        (tmp_path / "shots.toml").write_text(SETTINGS.format(base=base))
        added = running.run("source", "add", "shots", "--type", "json", "--from", "shots.toml")
        assert added.returncode == 0, added.stderr
        yield running


def test_sync_fetches_everything_once(agent: Agent, samples: Samples) -> None:
    done = agent.run("sync", "--wait", "--json")
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)["runs"][0]
    assert (run["source"], run["state"], run["seen"], run["pages"]) == ("shots", "complete", 23, 3)
    items = json.loads(agent.run("source", "items", "shots", "--limit", "0", "--json").stdout)[
        "items"
    ]
    assert {item["state"] for item in items} == {"present"}
    wanted = {sample.name: sample.data for sample in samples.library}
    for item in items:
        path = Path(item["local_path"])
        assert path.read_bytes() == wanted[item["name"]]
        assert path.parent.parent == agent.home / "library/shots"
    again = json.loads(agent.run("sync", "shots", "--wait", "--json").stdout)["runs"][0]
    assert again["new"] == 0
    assert "shots" in agent.run("source", "list").stdout


def test_an_unknown_source_is_4_and_a_broken_one_1(agent: Agent) -> None:
    assert agent.run("sync", "holidays").returncode == 4
    assert agent.run("source", "items", "holidays").returncode == 4
    broken = agent.home / "broken.toml"
    broken.write_text(SETTINGS.format(base="http://127.0.0.1:1"))
    assert (
        agent.run("source", "add", "gone", "--type", "json", "--from", "broken.toml").returncode
        == 0
    )
    assert (
        agent.run("source", "add", "gone", "--type", "json", "--from", "broken.toml").returncode
        == 2
    )
    assert agent.run("sync", "gone", "--wait").returncode == 1


def test_verify_notices_what_changed_and_mends_it(agent: Agent, samples: Samples) -> None:
    assert agent.run("sync", "--wait").returncode == 0
    hashed(agent)
    assert agent.run("verify").returncode == 0
    victim = next((agent.home / "library").rglob("shot-05.png"))
    victim.write_bytes(b"not any more")
    missing = next((agent.home / "library").rglob("shot-06.png"))
    missing.unlink()
    done = agent.run("verify")
    assert done.returncode == 6
    assert "changed" in done.stdout
    assert str(victim) in done.stdout
    assert "1 missing" in done.stdout
    agent.run("verify", "--repair")
    until(missing.exists, "the missing file")


def test_undo_of_a_sync_asks_first(agent: Agent) -> None:
    assert agent.run("sync", "--wait").returncode == 0
    asked = agent.run("undo")
    assert asked.returncode == 2
    assert "23 images" in asked.stderr
    assert "undo --yes" in asked.stderr
    assert agent.run("undo", "--yes").returncode == 0
    assert not list((agent.home / "library").rglob("*.png"))
    items = json.loads(agent.run("source", "items", "shots", "--json").stdout)["items"]
    assert {item["state"] for item in items} == {"ignored"}
    assert agent.run("sync", "--wait").returncode == 0
    assert not list((agent.home / "library").rglob("*.png"))


def test_undo_takes_the_last_batch_back(tmp_path: Path) -> None:
    with Media() as media, Agent(tmp_path) as agent:
        assert agent.run("undo").returncode == 4
        listed = f"{media.url('a.bin')}\n{media.url('b.bin')}\n"
        assert agent.run("add", "-", "--wait", input=listed).returncode == 0
        assert (tmp_path / "downloads/a.bin").read_bytes() == content("a.bin", 10_000)
        asked = agent.run("undo")
        assert asked.returncode == 2
        assert "Move 2 files to the trash" in asked.stderr
        assert len(list((tmp_path / "downloads").glob("*.bin"))) == 2
        done = agent.run("undo", "--yes")
        assert done.returncode == 0, done.stderr
        assert not list((tmp_path / "downloads").glob("*.bin"))
        assert agent.run("undo", "b999").returncode == 4


def hashed(agent: Agent) -> None:
    """Wait until the background has a checksum of every file."""
    until(
        lambda: all(
            d["sha256"] for d in agent.get("downloads?state=completed&limit=100")["downloads"]
        ),
        "checksums",
    )
