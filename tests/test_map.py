"""Who looks for a test finds it: it mirrors a module, or stands in the table of tests/README.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
ROOT = TESTS.parent
ROW = re.compile(r"^\| `(\S*test_\w+\.py)` \| (.+) \|$", re.MULTILINE)
TABLE = {
    test: re.findall(r"`([^`]+)`", covers)
    for test, covers in ROW.findall((TESTS / "README.md").read_text("utf-8"))
}


def mirrors(test: Path) -> bool:
    """Whether a test file is named after a module, a package, or the package that it lies beside."""
    noun = test.stem.removeprefix("test_")
    folder = ROOT / "trayagent" / test.parent.relative_to(TESTS)
    is_room = noun == folder.name and (folder / "__init__.py").exists()
    return is_room or (folder / f"{noun}.py").exists() or (folder / noun / "__init__.py").exists()


def exists(covered: str) -> bool:
    """Whether a module of the program, or a file or folder of the checkout, has this name."""
    module = ROOT / "trayagent" / covered
    return any(path.exists() for path in (module, module.with_suffix(".py"), ROOT / covered))


def test_every_test_mirrors_a_module_or_is_a_topic() -> None:
    topics = {
        test.relative_to(TESTS).as_posix() for test in TESTS.rglob("test_*.py") if not mirrors(test)
    }
    assert sorted(topics - TABLE.keys()) == [], (
        "each needs a row in tests/README.md, with what it covers"
    )
    assert sorted(TABLE.keys() - topics) == [], "these are gone, or mirror a module"


def test_the_table_names_what_is_there() -> None:
    stale = [
        f"{test}: {covered}"
        for test, all_covered in TABLE.items()
        for covered in all_covered or ["nothing"]
        if not exists(covered)
    ]
    assert stale == []


def test_a_fake_has_one_name_and_a_name_one_fake() -> None:
    """Of whole files; a class in a function or a private one is nobody else's."""
    places: dict[str, list[str]] = {}
    for file in TESTS.rglob("*.py"):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(file.relative_to(TESTS).as_posix())
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
