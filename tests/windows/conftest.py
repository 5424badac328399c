"""The Windows Python, for tests that were asked for with --windows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.windows.bench import PROGRAMS, Bench, make

NOT_ASKED = (
    "runs a Windows Python under Wine: python3 dev.py test --windows "
    f"(Debian's packages: {' '.join(sorted(PROGRAMS.values()))})"
)


@pytest.fixture
def alone(bench: Bench) -> Iterator[Bench]:
    """The same Python in a Windows that nobody else uses."""
    with bench.apart() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Bench:
    """The bench, made first if need be; its cache is outside of the test's home."""
    if not request.config.getoption("--windows"):
        pytest.skip(NOT_ASKED)
    return make()
