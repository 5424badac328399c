"""`sites`: the engine for video pages, how old it is and how to renew it."""

from __future__ import annotations

import asyncio
import os

import click

from trayagent.cli.doctor import ffmpeg, page_engine
from trayagent.cli.exits import Exit
from trayagent.cli.options import home, json_option, pass_screen
from trayagent.cli.output import Screen


@click.group()
def sites() -> None:
    """What reads video pages: yt-dlp."""


@sites.command()
@json_option
@pass_screen
def status(screen: Screen) -> int:
    """Which yt-dlp is used, and whether it is old."""
    from trayagent.sites.update import Releases, installed_version

    releases = Releases(home().data / "sites")
    checks = [page_engine(home()), ffmpeg()]
    if screen.json:
        own = releases.current()
        screen.data(
            {
                "version": releases.version(),
                "installed": installed_version(),
                "updated": own.name if own else None,
                "ffmpeg": checks[1].verdict == "ok",
                "old": checks[0].verdict != "ok",
            }
        )
        return Exit.OK
    for check in checks:
        screen.say(check.detail)
        if check.mend:
            screen.say(f"  {check.mend}")
    return Exit.OK


@sites.command("update")
@click.option("--undo", is_flag=True, help="Go back to the release before.")
@json_option
@pass_screen
def renew(screen: Screen, undo: bool) -> int:
    """Fetch the newest yt-dlp; it is used from the next page on."""
    from trayagent.sites.update import Releases

    releases = Releases(home().data / "sites")
    # No agent is needed: it looks at the releases anew with each page.
    before = releases.version()
    after = releases.go_back() if undo else asyncio.run(_update())[1]
    if screen.json:
        screen.data({"before": before, "after": after})
    elif before == after:
        screen.say(
            f"yt-dlp {after or 'none'} is used; there is no {'other' if undo else 'newer'} one."
        )
    else:
        screen.say(f"yt-dlp {after} is used from now on (before: {before or 'none'}).")
    return Exit.OK


async def _update() -> tuple[str | None, str]:
    from trayagent import settings
    from trayagent.net.api_client import ApiClient
    from trayagent.sites import update
    from trayagent.sites.update import Releases

    place = home()
    config = settings.load(place, os.environ, {})
    async with ApiClient(config.network) as client:
        releases = Releases(place.data / "sites")
        return await update.ReleaseUpdater(
            client, releases, os.environ, index=update.INDEX
        ).update()


@sites.command(hidden=True)
def worker() -> int:
    """What the frozen program starts for one page; see trayagent.sites.worker_process."""
    from trayagent.sites.worker import main

    return main()


@sites.command(hidden=True)
def thumbnails() -> int:
    """What the frozen program starts to decode pictures; see trayagent.agent.library.thumbnails."""
    from trayagent.agent.library.thumbnail_child import main

    return main()
