"""The tests' own floor holds: loopback only, an empty home, skips that say what to install."""

import asyncio
import inspect
import os
import socket
from pathlib import Path

import aiohttp
import aioresponses
import aioresponses.core
import pytest
from aiohttp import web
from aioresponses import aioresponses as mocked
from pytest_aiohttp.plugin import AiohttpClient

from tests import loopback, programs
from trayagent.settings import Home

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "10.0.0.1", "0.0.0.0"])
def test_a_connection_to_elsewhere_is_refused_and_noted(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(loopback.OutsideNetworkError):
        sock.connect((host, 80))
    assert len(loopback.attempts) == 1
    loopback.attempts.clear()


async def test_a_lookup_of_elsewhere_is_refused_in_the_loop_too() -> None:
    with pytest.raises(loopback.OutsideNetworkError):
        await asyncio.get_running_loop().getaddrinfo("python.org", 80)
    assert loopback.attempts == ["socket.getaddrinfo python.org"]
    loopback.attempts.clear()


def test_names_that_never_exist_are_answered_without_asking() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("media.example.test", 80)


async def test_loopback_works_as_usual(aiohttp_client: AiohttpClient) -> None:
    application = web.Application()
    client = await aiohttp_client(application)
    assert (await client.get("/")).status == 404
    assert socket.getaddrinfo("localhost", 80)


def test_home_is_empty_and_our_own(home: Path) -> None:
    assert list(home.iterdir()) == []
    assert Path(os.environ["HOME"]) in home.parents
    assert Path.home() == Path(os.environ["HOME"])
    assert not {"DISPLAY", "DBUS_SESSION_BUS_ADDRESS"} & os.environ.keys()


def test_no_folder_of_a_person_is_ours_in_a_test() -> None:
    """Also where the system says where they are, and not the environment: Windows asks its registry."""
    of_platform = Home.of_platform()
    base = Path(os.environ["HOME"])
    for place in (of_platform.data, of_platform.config, of_platform.drop, of_platform.downloads):
        assert base in place.parents
    assert base in of_platform.library.parents


async def test_aioresponses_answers_with_large_bodies() -> None:
    with mocked() as server:
        server.get("http://api.example/items", body=b"x" * 200_000)
        async with (
            aiohttp.ClientSession() as session,
            session.get("http://api.example/items") as answer,
        ):
            assert len(await answer.read()) == 200_000


def test_the_shim_for_aioresponses_is_still_needed() -> None:
    parameters = inspect.signature(aiohttp.ClientResponse.__init__).parameters
    source = inspect.getsource(aioresponses.core.RequestMatch)
    assert "stream_writer" in parameters
    assert "stream_writer" not in source, "aioresponses caught up: delete the shim in conftest.py"


@pytest.fixture
def small(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A little test suite under our conftest, in a process of its own."""
    monkeypatch.setenv("PYTHONPATH", str(CONFTEST.parent.parent))
    markers = "\n".join(
        f"    {name}: x" for name in ("alone", "browser", "desktop", "needs", "soak")
    )
    pytester.makeini(f"[pytest]\nasyncio_mode = auto\nmarkers =\n{markers}\n")
    pytester.makeconftest(
        "from tests import programs\n"
        "programs.PACKAGES['no-such-program'] = 'no-such-package'\n"
        "from tests.conftest import *\n"
    )
    return pytester


NEEDY = "import pytest\n@pytest.mark.needs('no-such-program')\ndef test_it(): pass\n"


def test_a_missing_program_skips_with_the_line_that_installs_it(small: pytest.Pytester) -> None:
    small.makepyfile(NEEDY)
    result = small.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["To run the 1 skipped*", "*needs no-such-program: sudo apt install no-such-package"]
    )


def test_with_the_desktop_flag_that_skip_is_a_failure(small: pytest.Pytester) -> None:
    small.makepyfile(NEEDY)
    result = small.runpytest_subprocess("--desktop")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*sudo apt install no-such-package*"])


def test_soaks_run_only_when_asked_for(small: pytest.Pytester) -> None:
    small.makepyfile("import pytest\n@pytest.mark.soak\ndef test_it(): pass\n")
    small.runpytest_subprocess().assert_outcomes(deselected=1)
    small.runpytest_subprocess("--soak").assert_outcomes(passed=1)


def test_a_swallowed_attempt_and_a_lost_task_fail_the_test(small: pytest.Pytester) -> None:
    small.makepyfile(
        "import asyncio, socket\n"
        "def test_swallowed():\n"
        "    try: socket.create_connection(('192.0.2.1', 80))\n"
        "    except Exception: pass\n"
        "async def test_lost():\n"
        "    async def fails(): raise ValueError('nobody looked')\n"
        "    asyncio.get_running_loop().create_task(fails())\n"
        "    await asyncio.sleep(0)\n"
        "    await asyncio.sleep(0)\n"
    )
    small.runpytest_subprocess().assert_outcomes(passed=2, errors=2)


SLOW_TO_TELL = """
import time, pytest
class SlowError(Exception):
    def __str__(self):
        time.sleep(1.2)
        return "the reason"
@pytest.mark.timeout(1)
def test_it(): raise SlowError
def test_next(): pass
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows ends a test by a thread, not by an alarm")
def test_a_time_limit_that_ends_while_a_failure_is_told_does_not_end_the_run(
    small: pytest.Pytester,
) -> None:
    small.makepyfile(SLOW_TO_TELL)
    result = small.runpytest_subprocess()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*SlowError: the reason"])


@pytest.mark.skipif(os.name != "posix", reason="workers share the machine by locks of POSIX")
def test_a_test_that_measures_time_has_the_machine_alone(small: pytest.Pytester) -> None:
    alone = (
        "import time, pathlib, pytest\n"
        "@pytest.mark.alone\n"
        "def test_it():\n"
        "    start = time.monotonic(); time.sleep(0.5)\n"
        "    pathlib.Path('alone').write_text(f'{start} {time.monotonic()}')\n"
    )
    other = (
        "import time, pathlib, pytest\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_it(number):\n"
        "    start = time.monotonic(); time.sleep(0.1)\n"
        "    pathlib.Path(f'other{number}').write_text(f'{start} {time.monotonic()}')\n"
    )
    small.makepyfile(test_alone=alone, test_other=other)
    small.runpytest_subprocess("-n", "2", "--dist", "loadfile").assert_outcomes(passed=9)

    def span(name: str) -> tuple[float, float]:
        start, end = (small.path / name).read_text().split()
        return float(start), float(end)

    start, end = span("alone")
    others = [span(f"other{number}") for number in range(8)]
    assert all(theirs[1] <= start or end <= theirs[0] for theirs in others)


def test_ci_installs_every_package_a_test_may_ask_for() -> None:
    script = (CONFTEST.parent.parent / ".ci/run").read_text()
    listed = set(script.partition("packages=(")[2].partition("\n)")[0].split())
    assert {*programs.PACKAGES.values(), *programs.DATA} <= listed
