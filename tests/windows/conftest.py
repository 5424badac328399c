"""The Windows Python, for tests that were asked for with --windows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop import rig
from tests.desktop.rig import Desktop
from tests.windows.bench import PROGRAMS, ROOT, Bench, BenchError, make

HERE = Path(__file__).parent
NOT_ASKED = (
    "runs a Windows Python under Wine: python3 dev.py test --windows "
    f"(Debian's packages: {' '.join(sorted(PROGRAMS.values()))})"
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --windows-core, only tests that say they are of the core get a bench."""
    if config.getoption("--windows") or not config.getoption("--windows-core"):
        return
    for item in items:
        if item.path.is_relative_to(HERE) and item.get_closest_marker("windows_core") is None:
            item.add_marker(pytest.mark.skip(reason=NOT_ASKED))


@pytest.fixture
def alone(bench: Bench) -> Iterator[Bench]:
    """The same Python in a Windows that nobody else uses."""
    with bench.apart() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Bench:
    """The bench, made first if need be; its cache is outside of the test's home.

    Who asks for --windows wants it, or learns what is missing. With --windows-core, the option of a
    run on any machine, a bench that cannot be had is a skip.
    """
    if request.config.getoption("--windows"):
        return compiled(make())
    if not request.config.getoption("--windows-core"):
        pytest.skip(NOT_ASKED)
    try:
        return compiled(make())
    except BenchError as error:
        pytest.skip(f"the Windows bench {error}")


def compiled(bench: Bench) -> Bench:
    """Have the agent's modules compiled once for this checkout: the first start would take a minute under Wine."""
    # Compiled modules are kept below the bench, each under the path of its source.
    if not (
        bench.folder / "bytecode" / ROOT.relative_to("/") / "trayagent/app.cpython-311.pyc"
    ).exists():
        bench.run("-c", "import trayagent.app, trayagent.cli.main", seconds=300)
    return bench


@pytest.fixture
def desktop(alone: Bench) -> Iterator[Desktop]:
    """A screen where Wine shows the icons of the tray in a window of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="desk-", ignore_cleanup_errors=True) as folder,
        rig.desktop(Path(folder) / "d") as running,
    ):
        yield running
