"""The scripts of packaging/, which import each other from their own folder."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
checkout = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout, not an sdist")


def script(name: str) -> ModuleType:
    """One of them, as a module; `sys.path` is afterwards as it was."""
    before = [*sys.path]
    sys.path.insert(0, str(PACKAGING))
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = before
