"""`sync` and `verify`: bring image libraries up to date, and check what was saved."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from trayagent.cli.client import AgentClient, StreamEvent, path_segment
from trayagent.cli.exits import Exit, InterruptedByUserError
from trayagent.cli.options import agent, json_option, pass_screen
from trayagent.cli.output import Screen
from trayagent.model.errors import TrayagentError
from trayagent.model.wording import show_count


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE...]")
@click.option("--list-only", is_flag=True, help="Only read the list; fetch nothing.")
@click.option("--wait", is_flag=True, help="Return when the list and its files are through.")
@json_option
@pass_screen
def sync(screen: Screen, sources: tuple[str, ...], list_only: bool, wait: bool) -> int:
    """Fetch the images that are missing here, from all sources or those named."""
    with agent() as running:
        names = sources or tuple(each["name"] for each in running.get("sources")["sources"])
        if not names:
            raise TrayagentError(
                "no_sources",
                "No image source is set up yet.",
                "Add one: trayagent source add NAME",
            )
        if wait:
            ended = _RunFollower(running, names, list_only, screen).follow()
            # A run is bad if it failed, half bad if anything is missing. The command is bad if all are.
            if screen.json:
                screen.data({"runs": ended})
            else:
                for run in ended:
                    screen.say(
                        f"{run['source']}: {_outcome(run)}",
                        "failed" if _exit_of_run(run) == Exit.ERROR else None,
                    )
            codes = [_exit_of_run(run) for run in ended]
            if all(code == Exit.ERROR for code in codes):
                return Exit.ERROR
            return Exit.SOME_FAILED if any(codes) else Exit.OK
        runs = [_start(running, name, list_only) for name in names]
    if screen.json:
        screen.data({"runs": runs})
    else:
        screen.say(f"Syncing {', '.join(names)}. To watch: trayagent status --watch")
    return Exit.OK


def _start(running: AgentClient, name: str, list_only: bool) -> dict[str, Any]:
    answer = running.post(f"sources/{path_segment(name)}/sync", {"list_only": list_only})
    return {"source": name, "run": answer["run"]}


class _RunFollower:
    """Starts runs and follows them to their end, by events while they come, by asking when they stop."""

    def __init__(
        self, running: AgentClient, names: Sequence[str], list_only: bool, screen: Screen
    ) -> None:
        self._running = running
        self._names = names
        self._list_only = list_only
        self._screen = screen
        self._open: dict[str, str] = {}
        """Run -> source, for runs that go on."""
        self.ended: list[dict[str, Any]] = []

    def follow(self) -> list[dict[str, Any]]:
        # The stream is opened first: a run may end before we could ask for it.
        with self._running.events() as events:
            for name in self._names:
                self._open[_start(self._running, name, self._list_only)["run"]] = name
            self._listen(iter(events))
        while self._open:
            # The stream broke off: what the agent remembers of the run is the truth. It is over when
            # 1. the source knows of no run any more;
            # 2. the newest run is another one: ours ended before that could begin;
            # 3. it says so itself.
            # It does not count its failed files, as the event of its end does: whether there are any is asked.
            for id, name in list(self._open.items()):
                last = self._running.get(f"sources/{path_segment(name)}")["last_run"]
                if last is None or last["id"] != id or last["state"] != "running":
                    failed = self._running.get(
                        f"sources/{path_segment(name)}/items", state="failed", limit=1
                    )["items"]
                    self._end(
                        name,
                        {
                            **(last or {"id": id, "state": "failed", "error": None}),
                            "failed": len(failed),
                        },
                    )
            time.sleep(0.5 if self._open else 0)
        return self.ended

    def _listen(self, events: Iterator[StreamEvent]) -> None:
        """Follow the events until all runs have ended, or the stream no longer tells everything."""
        while self._open:
            try:
                event = next(events, None)
            except TimeoutError:
                return
            # The stream ended, or the agent dropped events that we were too slow for.
            if event is None or event.name == "reset":
                return
            if event.name not in ("sync.progress", "sync.finished"):
                continue
            source, run = event.data["source"], event.data["run"]
            if run["id"] not in self._open:
                continue  # somebody else's
            if event.name == "sync.finished":
                self._end(source, run)
            elif self._screen.live and not self._screen.json:
                pages = show_count(run.get("pages", 0), "page")
                items = show_count(run.get("seen", 0), "item")
                wanted = run.get("wanted") or 0
                files = f", {run.get('fetched', 0):,} of {wanted:,} files" if wanted else ""
                self._screen.live_line(f"{source}: {pages}, {items}{files}")

    def _end(self, source: str, run: dict[str, Any]) -> None:
        self._open.pop(run["id"], None)
        self.ended.append({"source": source, **run})


def _exit_of_run(run: dict[str, Any]) -> Exit:
    # An incomplete listing is half bad, though every file of it came: a script must not take it for whole.
    if run["state"] == "failed":
        return Exit.ERROR
    return Exit.SOME_FAILED if run["state"] != "complete" or run.get("failed") else Exit.OK


def _outcome(run: dict[str, Any]) -> str:
    error = run.get("error")
    if run["state"] == "failed" and error:
        return f"{error['message']} {error['action']}".strip()
    parts = [show_count(run.get("seen", 0), "item"), f"{run.get('new', 0):,} new"]
    parts += [f"{run['fetched']:,} fetched"] if run.get("fetched") else []
    parts += [f"{run['failed']:,} failed"] if run.get("failed") else []
    parts += [f"{run['gone']:,} no longer on the server"] if run.get("gone") else []
    parts += (
        ["suspiciously many gone, so nothing was marked as gone; look at the site"]
        if run.get("suspicious")
        else []
    )
    parts += ["not all pages were read"] if run["state"] == "incomplete" else []
    parts += [f"{run['undated']:,} with a date we do not understand"] if run.get("undated") else []
    why = f". {error['message']} {error['action']}".rstrip() if error else ""
    return ", ".join(parts) + why


PROBLEMS: Final = ("changed", "moved", "missing")


@click.command()
@click.option(
    "--repair", is_flag=True, help="Fetch again what is changed or missing, note what was moved."
)
@json_option
@pass_screen
def verify(screen: Screen, repair: bool) -> int:
    """Hash what was saved and compare: ok, changed, moved, missing."""
    with agent() as running:
        try:
            report = _run(running, repair, screen)
        except KeyboardInterrupt:
            running.ask("DELETE", "verify")
            raise InterruptedByUserError(
                "The check has stopped; to begin anew: trayagent verify"
            ) from None
    if screen.json:
        screen.data(report)
    else:
        screen.table(
            [
                [
                    f["what"],
                    f["path"] + (f" → {f['found']}" if f["found"] else ""),
                    *(["repaired"] if f["repaired"] else []),
                ]
                for f in report["findings"]
            ],
        )
        ok = f"{report['ok']:,} ok"
        kinds = [f"{report[kind]:,} {kind}" for kind in PROBLEMS if report[kind]]
        screen.say(f"{show_count(report['checked'], 'file')} checked: {', '.join([ok, *kinds])}.")
        if report["elsewhere"]:
            there = show_count(report["elsewhere"], "file")
            screen.say(f"Not read, because they are on no disk of this machine: {there}.")
        if kinds and not report["repaired"]:
            screen.say("To mend what can be mended: trayagent verify --repair")
    # What was repaired counts as found, and is right again.
    wrong = sum(report[kind] for kind in PROBLEMS) - report["repaired"]
    if report["state"] == "cancelled":
        return Exit.ERROR
    return Exit.SOME_FAILED if wrong > 0 else Exit.OK


def _run(running: AgentClient, repair: bool, screen: Screen) -> dict[str, Any]:
    # The stream first: a small library is checked before we could begin to listen.
    with running.events() as events:
        running.post("verify", {"repair": repair})
        for event in events:
            if event.name == "verify.finished":
                found: dict[str, Any] = event.data
                return found
            if event.name == "verify.progress":
                so_far = event.data
                wrong = sum(so_far[kind] for kind in PROBLEMS)
                problems = f", {show_count(wrong, 'problem')}" if wrong else ""
                total = show_count(so_far["total"], "file")
                screen.live_line(f"Checking: {so_far['checked']:,} of {total}{problems}")
    # The stream broke off; the agent itself remembers the last check.
    while True:
        report: dict[str, Any] = running.get("verify")
        if report["state"] != "running":
            return report
        time.sleep(1)
