"""What the demonstration does, from the first file to the last check; blocking, for a thread of its own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from trayagent.demo.server import Sample, Samples
from trayagent.files import remove_shared
from trayagent.model.errors import TrayagentError
from trayagent.settings.home import Home

START_SECONDS: Final = 60.0
"""The agent has to start; on a busy Windows, whose scanner reads every module, it takes forty. One that has ended
is not waited for, so this bounds only one that hangs."""

WHOLE_SECONDS: Final = 55.0
"""The whole may take once the agent runs."""

QUIT_SECONDS: Final = 10.0
"""The agent has to go when it is asked to."""

SILENCE_SECONDS: Final = 10.0
"""Without any event after which nothing more is to be expected."""

SETTINGS: Final = """\
[hook]
port = 0

[[sources]]
name = "shots"
type = "json"
base = "{base}"
page_delay = "0"
list = {{ url = "{{base}}/library/items", query = {{ cursor = "{{cursor}}" }}, page_size = 10 }}
page = {{ items = "data.items", next = "data.next_cursor", style = "cursor" }}
item = {{ id = "id", name = "file.name", kind = "type", created = "created_at", size = "file.size", sha256 = "hash" }}
fetch = {{ url = "{{base}}/library/items/{{id}}/original" }}
"""


class RunningAgent(Protocol):
    """What the story asks of the running agent."""

    def get(self, path: str, **query: str | int | None) -> Any: ...
    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any: ...
    def events(self, silence: float = ...) -> contextlib.AbstractContextManager[Iterator[Any]]: ...
    def close(self) -> None: ...


class Stage(Protocol):
    """Where the story is told."""

    def say(self, text: str) -> None:
        """A sentence."""

    def command(self, text: str) -> None:
        """What a person would type or do."""

    def event(self, name: str, data: Any) -> None:
        """What the agent announced: progress, notices."""


class DemoError(TrayagentError):
    """The demonstration did not go as it should."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "demo_failed",
            message,
            "Run: trayagent doctor. Or keep its log, and look there: trayagent demo --keep",
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that should be on the disk now."""

    sample: Sample
    path: Path | None


def tell(
    folder: Path, base: str, samples: Samples, connect: Callable[[Home], RunningAgent], stage: Stage
) -> list[Arrived]:
    """Run an agent in `folder`, send it everything there is three ways, and return what arrived.

    Raises DemoError when something is missing or damaged.
    """
    home = Home.under(folder)
    home.prepare()
    home.config.write_text(SETTINGS.format(base=base), "utf-8")
    with _agent(home, connect) as agent:
        stage.say(f"An agent runs in {folder}, with a sample media server at {base}")
        with agent.events(silence=SILENCE_SECONDS) as events:
            asked = _send(agent, home, base, samples, stage)
            _watch(events, asked, stage)
        arrived = _arrivals(agent, asked, samples)
    _check(arrived)
    return arrived


@dataclass(frozen=True, slots=True)
class _Asked:
    film: str
    run: str


def _send(agent: RunningAgent, home: Home, base: str, samples: Samples, stage: Stage) -> _Asked:
    film = f"{base}/films/{samples.film.name}"
    stage.say("\n1. A video, sent through the hook as a browser or script would:")
    stage.command(f'POST /api/v1/downloads {{"url": "{film}", "kind": "video"}}')
    receipt = agent.post("downloads", {"url": film, "kind": "video", "page_url": f"{base}/"})
    stage.say(f"\n2. A list of {len(samples.pictures)} pictures, dropped into the folder:")
    stage.command(f"cp postcards.txt {home.drop}")
    home.drop.mkdir(parents=True, exist_ok=True)
    lines = ["# postcards", *(f"{base}/pictures/{sample.name}" for sample in samples.pictures)]
    (home.drop / "postcards.txt").write_text("\n".join(lines) + "\n", "utf-8")
    stage.say(f"\n3. An image library of {len(samples.library)} pictures, synced page by page:")
    stage.command("trayagent sync shots")
    run = agent.post("sources/shots/sync", {"list_only": False})["run"]
    stage.say("\nFour at a time:")
    return _Asked(receipt["downloads"][0]["id"], run)


def _watch(events: Iterator[Any], asked: _Asked, stage: Stage) -> None:
    # The three go on at the same time, and each has an end of its own:
    #   video    its download has settled; a failure is found by `_check`
    #   list     its batch is finished; it is told apart by the way it came
    #   library  its run is over, which includes the files
    # Then come the notices, one for each: a person shall see them before the agent goes.
    waiting = {"video", "list", "library"}
    told = 0
    deadline = time.monotonic() + WHOLE_SECONDS
    while (waiting or told < 3) and time.monotonic() < deadline:
        try:
            event = next(events)
        except (StopIteration, TimeoutError):
            break  # the stream ended, or was silent for too long
        stage.event(event.name, event.data)
        if (
            event.name in ("download.completed", "download.failed")
            and event.data["id"] == asked.film
        ):
            waiting.discard("video")
        elif event.name == "batch.finished" and event.data["via"] == "drop":
            waiting.discard("list")
        elif event.name == "sync.finished" and event.data["run"]["id"] == asked.run:
            waiting.discard("library")
        elif event.name == "notice":
            told += 1
    if waiting:
        raise DemoError(f"This did not arrive in time: {', '.join(sorted(waiting))}.")


def _arrivals(agent: RunningAgent, asked: _Asked, samples: Samples) -> list[Arrived]:
    # By the names of the server: a file on the disk may have been named otherwise.
    film = agent.get(f"downloads/{asked.film}")
    found = {samples.film.name: film["path"] if film["state"] == "completed" else None}
    for download in agent.get("downloads", state="completed", limit=500)["downloads"]:
        found.setdefault(download["url"].rpartition("/")[2], download["path"])
    for item in agent.get("sources/shots/items", limit=500)["items"]:
        found[item["name"]] = item["local_path"]
    wanted = (samples.film, *samples.pictures, *samples.library)
    return [
        Arrived(sample, Path(path) if (path := found.get(sample.name)) else None)
        for sample in wanted
    ]


def _check(arrived: list[Arrived]) -> None:
    for file in arrived:
        if file.path is None or not file.path.exists():
            raise DemoError(f"{file.sample.name} is missing.")
        if hashlib.sha256(file.path.read_bytes()).hexdigest() != file.sample.sha256:
            raise DemoError(f"{file.path} is not what the server sent.")


@contextlib.contextmanager
def _agent(home: Home, connect: Callable[[Home], RunningAgent]) -> Iterator[RunningAgent]:
    """A real agent in a process of its own, ended in any case."""
    # Settings of the user's own agent must not reach into the demonstration.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TRAYAGENT_")}
    environ |= {"TRAYAGENT_HOME": str(home.data), "TRAYAGENT_SECRETS": "file"}
    command = [sys.executable, "-m", "trayagent", "run", "--headless"]
    with (home.logs / "output.log").open("wb") as output:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        agent = _ready(process, home, connect)
        try:
            yield agent
            # Asked, it puts everything away. Only an agent that does not go is ended, below: then with
            # the signal first that it can still obey.
            agent.post("quit")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(QUIT_SECONDS)
        finally:
            agent.close()
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(6)
            process.kill()
            process.wait()


def _ready(
    process: subprocess.Popen[bytes], home: Home, connect: Callable[[Home], RunningAgent]
) -> RunningAgent:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(TrayagentError):
            if home.runtime.exists():
                return connect(home)
        time.sleep(0.02)
    said = (home.logs / "output.log").read_text("utf-8", "replace").strip()
    raise DemoError(f"The agent did not start.\n{said[-2000:]}")


def keep_only_files(folder: Path) -> None:
    """Remove all of the temporary home but the files that were fetched."""
    for path in folder.iterdir():
        if path.name in ("downloads", "library"):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            remove_shared(path)
