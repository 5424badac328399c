"""Whatever the page engine does, one download fails with its reason, and nothing is left running."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.links import link
from tests.sites.rig import release, resolving
from tests.transfer.rig import until
from trayagent.model import filenames
from trayagent.model.downloads import Cookie
from trayagent.model.errors import DownloadError
from trayagent.model.settings import DownloadSettings
from trayagent.sites import engine, landlock
from trayagent.sites.engine import WorkerBounds
from trayagent.sites.protocol import MediumAddress
from trayagent.sites.worker_process import environment

URL = "https://example.com/watch"
SKELETON = """
import os, subprocess, sys, time, types

class _FFmpegFD: pass
class _HlsFD:
    @classmethod
    def can_download(cls, *more): return True

downloader = types.SimpleNamespace(
    external=types.SimpleNamespace(FFmpegFD=_FFmpegFD), hls=types.SimpleNamespace(HlsFD=_HlsFD))
extractor = types.SimpleNamespace(gen_extractor_classes=lambda: [])
networking = types.SimpleNamespace(
    common=types.SimpleNamespace(Response=None),
    exceptions=types.SimpleNamespace(HTTPError=OSError),
)

class YoutubeDL:
    def urlopen(self, request): raise AssertionError("nothing is asked for")
    cookiejar = None
    def __init__(self, params): self.params = params
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def add_progress_hook(self, hook): self.hook = hook
    def add_postprocessor_hook(self, hook): pass
    def extract_info(self, url, download):
        {look}
        return {{"id": "1", "title": "A Film", "ext": "mp4", "protocol": "m3u8_native"}}
    def process_ie_result(self, info, download):
        {fetch}
        return {{**info, "requested_downloads": [{{"filepath": "media.mp4"}}]}}
"""


def broken(folder: Path, look: str = "pass", fetch: str = "pass") -> Path:
    """A release that does these things while it looks and while it fetches."""
    return release(folder / "releases", SKELETON.format(look=look, fetch=fetch))


async def reason(
    folder: Path, look: str = "pass", fetch: str = "pass", **options: object
) -> DownloadError:
    """Why a download fails with such a release."""
    async with resolving(folder / "to", releases=broken(folder, look, fetch), **options) as rig:  # type: ignore[arg-type]
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(URL)
    return caught.value


JAR = "types.SimpleNamespace(set_cookie=lambda one: None, get_cookies_for_url=lambda url: ())"
ELSEWHERE = "https://cdn.example.net/v"


async def test_a_page_keeps_to_the_speed_limit_of_its_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its worker receives is paid for from the same buckets as any file."""
    limits: list[int] = []

    def throttle(limit: int) -> Callable[[int], float]:
        limits.append(limit)
        return lambda count: 0.0

    async with resolving(tmp_path / "to", releases=broken(tmp_path, "return None")) as rig:
        monkeypatch.setattr(rig.engine, "_throttle", throttle)
        with pytest.raises(DownloadError):
            await rig.resolve(URL, speed_limit=700)
    assert limits == [700]


async def test_what_the_engine_found_elsewhere_gets_nothing_of_the_users_and_names_no_path(
    tmp_path: Path,
) -> None:
    """The headers, cookies, referer and mirrors were for the page, and a title is only a title."""
    title = "..\\\\..\\\\.profile\u202e"
    look = f"return {{'id': '1', 'title': '{title}', 'ext': 'sh', 'protocol': 'https', 'url': '{ELSEWHERE}'}}"
    code = SKELETON.format(look=look, fetch="pass").replace("jar = None", f"jar = {JAR}")
    async with resolving(tmp_path / "to", releases=release(tmp_path / "releases", code)) as rig:
        answer = await rig.resolve(
            URL,
            headers={"Authorization": "CANARY"},
            cookies=(Cookie("sid", "CANARY", "example.com"),),
            referer="https://example.com/?CANARY",
            mirrors=("https://mirror.example.com/CANARY",),
        )
    assert isinstance(answer, MediumAddress)
    asked = answer.request
    assert (asked.url, asked.headers, asked.cookies) == (ELSEWHERE, {}, ())
    assert (asked.referer, asked.mirrors) == (None, ())
    assert answer.filename == filenames.safe(answer.filename)
    assert filenames.extension(answer.filename) not in filenames.RUNNABLE


@pytest.mark.timeout(20)
async def test_a_worker_that_never_ends_talking_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every word is a sign of life; so many are a sign of something else."""
    monkeypatch.setattr(engine, "MOST_MESSAGES", 2)
    words = "while True: self.hook({'status': 'downloading', 'downloaded_bytes': time.time()})"
    error = await reason(tmp_path, fetch=words)
    assert (error.code, error.detail) == ("internal", "the page engine said too much")


KILLED = 9 if sys.platform == "win32" else -9
"""How a process that was killed has ended."""


@pytest.mark.parametrize(
    ("look", "code", "says"),
    [
        ("os.kill(os.getpid(), 9)", "internal", f"ended by itself ({KILLED})"),
        ("os.abort()", "internal", "ended by itself"),
        ("sys.exit(3)", "no_media_found", "SystemExit"),
        (
            "raise KeyError('https://example.com/?token=CANARY')",
            "no_media_found",
            "yt-dlp, the page engine, stumbled over it (KeyError in __init__.py",
        ),
        ("raise OSError(28, 'No space left on device')", "disk_full", ""),
        ("return {'id': '1', 'is_live': True}", "no_media_found", "live"),
        ("return None", "no_media_found", ""),
    ],
)
async def test_a_crash_has_a_reason(tmp_path: Path, look: str, code: str, says: str) -> None:
    error = await reason(tmp_path, look)
    assert (error.code, "CANARY" in str(error)) == (code, False)
    assert says in error.message


async def test_a_release_that_cannot_be_imported_has_a_reason(tmp_path: Path) -> None:
    folder = release(tmp_path / "releases", "raise ImportError('it wants another Python')")
    async with resolving(tmp_path / "to", releases=folder) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(URL)
    assert caught.value.code == "no_media_found"
    assert "stumbled over it (ImportError in __init__.py" in caught.value.message


async def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    bounds = WorkerBounds(looking=0.5, fetching=0.5)
    assert (await reason(tmp_path, "time.sleep(60)", bounds=bounds)).code == "stalled"
    assert (await reason(tmp_path, fetch="time.sleep(60)", bounds=bounds)).code == "stalled"


async def test_a_flood_on_standard_output_harms_nobody(tmp_path: Path) -> None:
    flood = "os.write(1, b'{}' * 10**6 + b'\\n'); os.write(2, b'x' * 10**6); print('y' * 10**6)"
    fetch = flood + "; open('media.mp4', 'wb').write(b'film')"
    async with resolving(tmp_path / "to", releases=broken(tmp_path, flood, fetch)) as rig:
        answer = await rig.resolve(URL)
        assert answer is not None
        assert answer.filename == "A Film.mp4"  # type: ignore[union-attr]


@pytest.mark.parametrize("words", ["'no json'", "'x' * 10**6", '\'{"type":"done"}\''])
async def test_odd_words_are_not_believed(tmp_path: Path, words: str) -> None:
    # The channel is an open file of the worker: a release that wants to can find it.
    look = f"[os.write(fd, ({words}).encode() + b'\\n') for fd in range(3, 12) if _pipe(fd)]"
    folder = broken(tmp_path, look)
    package = folder / "2099.1.1" / "yt_dlp" / "__init__.py"
    package.write_text(
        package.read_text()
        + "\nimport stat\ndef _pipe(fd):\n    try: return stat.S_ISFIFO(os.fstat(fd).st_mode)\n"
        "    except OSError: return False\n"
    )
    async with resolving(tmp_path / "to", releases=folder) as rig:
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(URL)
    assert caught.value.code == "internal"


@pytest.mark.parametrize("made", ["/etc/hostname", "../outside.mp4", "link.mp4"])
async def test_a_file_outside_its_folder_is_not_taken(tmp_path: Path, made: str) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "outside.mp4").write_text("mine")
    fetch = f"return {{**info, 'requested_downloads': [{{'filepath': {made!r}}}]}}"
    if made == "link.mp4":
        link(tmp_path / "a link can be made", tmp_path)
        fetch = f"os.path.lexists({made!r}) or os.symlink('../outside.mp4', {made!r}); {fetch}"
    error = await reason(tmp_path, fetch=fetch)
    # Where the kernel confines it, it cannot even look at such a file.
    said = (error.code, error.detail)
    confined = {("permission_denied", "")} if landlock.version() and made[0] != "/" else set()
    assert said in {("internal", "the page engine left its folder")} | confined
    assert (tmp_path / "to" / "outside.mp4").read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is the kernel's, RLIMIT_AS")
async def test_memory_is_bounded(tmp_path: Path) -> None:
    error = await reason(
        tmp_path, "x = bytearray(3 * 2**30)", bounds=WorkerBounds(memory=2 * 2**30)
    )
    assert "more memory" in error.message


async def test_a_full_disk_stops_it(tmp_path: Path) -> None:
    full = DownloadSettings(folder=str(tmp_path / "to"), keep_free="999TB")
    error = await reason(
        tmp_path, "time.sleep(60)", downloads=full, bounds=WorkerBounds(looking=30)
    )
    assert error.code == "disk_full"


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


FAMILY = (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "open('pids', 'w').write(f'{os.getpid()} {child.pid} '); time.sleep(60)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_download_that_is_stopped_ends_worker_and_children(tmp_path: Path) -> None:
    async with resolving(tmp_path / "to", releases=broken(tmp_path, FAMILY)) as rig:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(rig.resolve(URL), name="page")
            await until(lambda: bool(pids(tmp_path)))
            family = pids(tmp_path)
            work.cancel()
        await until(lambda: not any(alive(pid) for pid in family))
        assert len(rig.scratches()) == 1, "kept for resuming"
        await rig.engine.discard("d1")
        assert rig.scratches() == []


@pytest.mark.skipif(sys.platform != "linux", reason="sees that a process has ended, and leaves it")
async def test_a_worker_is_reaped_by_asyncio_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks a dead process anything through `subprocess` takes its status away from asyncio."""
    killpg, waitpid = os.killpg, os.waitpid

    def ended(pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def kill(pid: int, number: int) -> None:
        killpg(pid, number)
        ended(pid)

    def wait(pid: int, options: int) -> tuple[int, int]:
        ended(pid)
        time.sleep(0.3)  # as on a busy machine, where asyncio comes second
        return waitpid(pid, options)

    monkeypatch.setattr(os, "killpg", kill)
    monkeypatch.setattr(os, "waitpid", wait)
    assert (await reason(tmp_path, "return None")).code == "no_media_found"
    assert "Unknown child process" not in caplog.text


def pids(folder: Path) -> list[int]:
    """Worker and child, once both have told."""
    found = list(folder.glob("to/.trayagent-*/pids"))
    numbers = found[0].read_text().split(" ") if found else []
    return [int(number) for number in numbers[:2]] if len(numbers) == 3 else []


PARENT = """
import asyncio, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.sites.rig import resolving
async def main():
    async with resolving(Path({to!r}), releases=Path({releases!r})) as rig:
        await rig.resolve("https://example.com/watch")
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
async def test_a_killed_agent_leaves_nobody_behind(tmp_path: Path) -> None:
    releases = broken(tmp_path, FAMILY)
    root = str(Path(__file__).parents[2])
    code = PARENT.format(root=root, to=str(tmp_path / "to"), releases=str(releases))
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    await until(lambda: bool(pids(tmp_path)))
    family = pids(tmp_path)
    agent.send_signal(signal.SIGKILL)
    await agent.wait()
    await until(lambda: not any(alive(pid) for pid in family))


def test_a_worker_gets_no_settings_of_the_person_and_no_secrets(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin", "HOME": "/home/me", "PYTHONPATH": "/evil", "HTTPS_PROXY": "http://x",
        "AWS_SECRET": "s", "TRAYAGENT_HOME": "/h", "XDG_CONFIG_HOME": "/home/me/.config",
    }  # fmt: skip
    variables = environment(given, tmp_path)
    assert variables["HOME"] == str(tmp_path)
    assert variables["YTDLP_NO_PLUGINS"] == "1"
    assert not variables.keys() & (given.keys() - {"PATH", "HOME"})


async def test_without_yt_dlp_the_install_line_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trayagent.sites.update.find_spec", lambda _: None)
    async with resolving(tmp_path / "to") as rig:
        assert repr(rig.engine) == "<YtDlpEngine without yt-dlp>"
        with pytest.raises(DownloadError) as caught:
            await rig.resolve(URL)
        assert await rig.resolve(URL, known_only=True) is None
    assert caught.value.code == "needs_sites_extra"
    assert "pip install 'trayagent[sites]'" in caught.value.action
