"""The tables in the docs say what the code does."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def generator() -> ModuleType:
    """packaging/docs.py, which is a script."""
    spec = importlib.util.spec_from_file_location("packaging_docs", ROOT / "packaging/docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["errors.md", "cli.md", "http.md"])
def test_the_page_is_current(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert (ROOT / "docs" / page).read_text("utf-8") == generator().PAGES[page](), (
        f"docs/{page} is behind the code: python packaging/docs.py"
    )
