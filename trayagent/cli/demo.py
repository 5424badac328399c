"""`demo`: the whole job, offline, in under a minute."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trayagent.cli.client import AgentClient
from trayagent.cli.exits import Exit
from trayagent.cli.options import json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.cli.progress import Bars, bars
from trayagent.cli.wording import download_name
from trayagent.model.wording import show_count, show_duration, show_size

if TYPE_CHECKING:
    from trayagent.demo.story import Arrived


@click.command()
@click.option("--keep", is_flag=True, help="Also keep the agent's own files (database, log).")
@json_option
@pass_screen
def demo(screen: Screen, keep: bool) -> int:
    """Show the whole job offline, in under a minute."""
    from trayagent.demo.story import keep_only_files

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that `finally` runs, too
    folder = Path(tempfile.mkdtemp(prefix="trayagent-demo-"))
    began = time.monotonic()
    done = False
    # After the story the files stay for a person to look at; after Ctrl-C nothing does.
    try:
        arrived = _play(folder, screen)
        done = True
    finally:
        if done and not keep:
            keep_only_files(folder)
        elif not done and not keep:
            shutil.rmtree(folder, ignore_errors=True)
    _conclude(screen, folder, arrived, time.monotonic() - began)
    return Exit.OK


def _play(folder: Path, screen: Screen) -> list[Arrived]:
    from trayagent.demo.server import Samples, serving_aside
    from trayagent.demo.story import tell

    samples = Samples.make()
    with serving_aside(samples) as base, bars(screen) as shown:
        return tell(folder, base, samples, AgentClient.of, _Stage(screen, shown))


class _Stage:
    """Tells the story on the screen: bars where a person looks, lines on a pipe."""

    def __init__(self, screen: Screen, shown: Bars) -> None:
        self._screen = screen
        self._bars = shown

    def say(self, text: str) -> None:
        if not self._screen.json:
            self._bars.print(text)
            self._bars.flush()

    def command(self, text: str) -> None:
        self.say(f"   {text}")

    def event(self, name: str, data: Any) -> None:
        # Progress is for bars alone; a notice stands in both, since it is what a person gets from
        # the real agent.
        if name == "download.progress":
            self._bars.show_progress(data["id"], data["received"], data["size"])
        elif name == "notice":
            body = str(data["body"]).replace("\n", " · ")
            self.say(f"   notification: {data['title']}{f' – {body}' if body else ''}")
        elif name.startswith("download."):
            self._bars.show(data)
            if not self._screen.live:  # a pipe has no bars: the end of each is a line
                if name == "download.completed":
                    self.say(
                        f"   completed     {download_name(data)}  ({show_size(data['size'] or 0)})"
                    )
                elif name == "download.failed":
                    self.say(f"   failed        {download_name(data)}: {data['error']['message']}")


def _conclude(screen: Screen, folder: Path, arrived: list[Arrived], took: float) -> None:
    if screen.json:
        files = [
            {"path": str(a.path), "size": len(a.sample.data), "sha256": a.sample.sha256}
            for a in arrived
        ]
        screen.data({"folder": str(folder), "seconds": round(took, 1), "files": files})
        return
    size = show_size(sum(len(file.sample.data) for file in arrived))
    everything = f"All {show_count(len(arrived), 'file')} ({size}) arrived in {show_duration(took)}"
    screen.say(f"\n{everything}, each with the right SHA-256.", "ok")
    screen.say("They are in this folder, and nothing else is left behind:")
    screen.say(f"   {folder}")
    screen.say("\nNow for real: trayagent run")
