"""Lint, format and types hold for the whole tree, on the three systems we ship for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def clean(*command: str) -> None:
    """Run a tool from the locked environment; its complaints are the message of the failure."""
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_lint() -> None:
    clean("ruff", "check", "--quiet", "--output-format=concise", ".")


def test_format() -> None:
    clean("ruff", "format", "--check", "--output-format=concise", ".")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_types(platform: str) -> None:
    # The tests themselves run here only: elsewhere it is the product that must fit.
    parts = [] if platform == "linux" else ["trayagent", "dev.py"]
    clean("mypy", "--platform", platform, "--cache-dir", f".mypy_cache/{platform}", *parts)
