"""What every test may rely on: loopback only, an empty home, a quiet event loop, honest skips."""

import contextlib
import inspect
import logging
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest

from tests import loopback, programs

SESSION = ("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS")
PROFILE = {
    "LOCAL_APPDATA": "AppData/Local",
    "APPDATA": "AppData/Roaming",
    "PERSONAL": "Documents",
    "DOWNLOADS": "Downloads",
    "MYPICTURES": "Pictures",
}
"""A person's folders on Windows, as platformdirs calls them."""
SESSIONS = ("gnome", "plasma", "sway")
"""Whole desktops, each asked for by its name."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flags of the test command."""
    # Without a value it must not be followed by a path, which would be taken for one.
    parser.addoption(
        "--desktop",
        nargs="?",
        const="panels",
        choices=["panels", *SESSIONS],
        help="missing system packages are failures; with a name: only the tests of that desktop",
    )
    parser.addoption("--windows", action="store_true", help="run a Windows Python under Wine, too")
    parser.addoption(
        "--windows-core", action="store_true", help="of that the core, and only where it can be had"
    )
    parser.addoption("--soak", action="store_true", help="run the tests that take minutes, too")


def pytest_configure() -> None:
    """Forget the session of the person at the keyboard: their desktop, proxies and settings."""
    for name in list(os.environ):
        if name in SESSION or name.lower() in PROXIES or name.startswith("TRAYAGENT_"):
            del os.environ[name]
    sys.addaudithook(loopback.watch)
    # How long an example takes says more about the other workers than about the code.
    hypothesis.settings.register_profile("ours", deadline=None)
    hypothesis.settings.load_profile("ours")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out unless they are asked for; a whole desktop is a job of its own."""
    session = config.getoption("--desktop") in SESSIONS
    unwanted = [
        item
        for item in items
        if (item.get_closest_marker("session") is not None) != session
        or (item.get_closest_marker("soak") and not config.getoption("--soak"))
    ]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a program this machine does not have, with the line that installs it."""
    needed: list[str] = []
    for marker in item.iter_markers():
        if marker.name in {"needs", "desktop", "browser"}:
            needed += {"desktop": programs.DESKTOP, "browser": programs.BROWSER}.get(
                marker.name, ()
            )
            needed += marker.args
    if reason := programs.lacking(tuple(dict.fromkeys(needed))):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    """With --desktop, a skip that a package would cure is a failure."""
    with alarm_held():
        report: pytest.TestReport = yield
    if (
        report.skipped
        and item.config.getoption("--desktop") == "panels"
        and "apt install" in str(report.longrepr)
    ):
        report.outcome = "failed"
        report.longrepr = skip_reason(report)
    return report


@contextlib.contextmanager
def alarm_held() -> Iterator[None]:
    """Stop the clock of the test's time limit meanwhile.

    The alarm of pytest-timeout raises wherever the process is. While pytest writes down why a test has
    failed, which takes seconds on a busy machine, that ends the whole run, and nobody learns the reason.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Put everything that was skipped for want of a package into one line to paste."""
    tell_windows(terminalreporter)
    reasons = [skip_reason(report) for report in terminalreporter.stats.get("skipped", [])]
    curable = [reason for reason in reasons if "apt install " in reason]
    if curable:
        packages = {
            name for reason in curable for name in reason.partition("apt install ")[2].split()
        }
        terminalreporter.write_line(
            f"To run the {len(curable)} skipped for want of packages: "
            f"sudo apt install {' '.join(sorted(packages))}"
        )


def tell_windows(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests ran under Windows' Python inside of ours (see tests/windows)."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [
        pair
        for report in reports
        if getattr(report, "when", "") == "call"
        for pair in getattr(report, "user_properties", ())
    ]
    counts = {
        outcome: sum(count for name, count in properties if name == f"windows {outcome}")
        for outcome in ("passed", "skipped", "failed")
    }
    if any(counts.values()):
        words = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        terminalreporter.write_line(f"Under Windows' Python: {words}")


def skip_reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped."""
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Keep the room quiet for a test that measures time, before its own clock starts."""
    with room(item.config, alone=item.get_closest_marker("alone") is not None):
        return (yield)


@contextlib.contextmanager
def room(config: pytest.Config, *, alone: bool) -> Iterator[None]:
    """Share the machine with the other workers, or have it alone; the gate keeps it fair."""
    if "PYTEST_XDIST_WORKER" not in os.environ or sys.platform == "win32":
        yield
        return
    import fcntl

    folder = Path(config.rootpath, ".pytest_cache")
    folder.mkdir(exist_ok=True)
    with (folder / "gate.lock").open("w") as gate, (folder / "room.lock").open("w") as inside:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(inside, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not alone:
            fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty home of its own, and return what TRAYAGENT_HOME names."""
    base = tmp_path_factory.mktemp("home")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(base))
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(base / f".{name.lower()}"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
    # Windows answers from its registry, whatever the environment says; these come before it.
    for name, place in PROFILE.items():
        monkeypatch.setenv(f"WIN_PD_OVERRIDE_{name}", str(base / place))
    folder = base / "trayagent"
    folder.mkdir()
    monkeypatch.setenv("TRAYAGENT_HOME", str(folder))
    monkeypatch.setenv("TRAYAGENT_SECRETS", "file")
    return folder


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """Fail a test that tried to leave this machine, also if the attempt was swallowed."""
    loopback.attempts.clear()
    yield
    assert loopback.attempts == []


class Complaints(logging.Handler):
    """What asyncio complains about: tasks destroyed while pending, errors nobody looked at."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.heard.append(record.getMessage())


@pytest.fixture(autouse=True)
def loop_complaints() -> Iterator[list[str]]:
    """Fail a test whose event loop complained; one that provokes it clears the list."""
    complaints = Complaints()
    logger = logging.getLogger("asyncio")
    logger.addHandler(complaints)
    yield complaints.heard
    logger.removeHandler(complaints)
    assert complaints.heard == []


@pytest.fixture(autouse=True)
def aioresponses_with_aiohttp_314(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let aioresponses 0.7.9 work with aiohttp 3.14; test_conftest says when this may go."""
    if "aioresponses" in sys.modules:
        repair_aioresponses(monkeypatch)


def repair_aioresponses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give its responses the argument that aiohttp 3.14 asks for, and a buffer without end."""
    import aiohttp
    import aioresponses.core
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.streams import StreamReader

    if "stream_writer" not in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
        return

    def response(*args: Any, **options: Any) -> aiohttp.ClientResponse:
        options.setdefault("stream_writer", SimpleNamespace(output_size=0))
        return aiohttp.ClientResponse(*args, **options)

    def reader(loop: Any = None) -> StreamReader:
        return StreamReader(ResponseHandler(loop=loop), limit=2**30, loop=loop)

    monkeypatch.setattr(aioresponses.core, "ClientResponse", response)
    monkeypatch.setattr(aioresponses.core, "stream_reader_factory", reader)
