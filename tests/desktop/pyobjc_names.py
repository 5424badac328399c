"""What PyObjC knows of macOS, taken from its wheels: `python -m tests.desktop.pyobjc_names FOLDER`.

The wheels can be read on any system. Into FOLDER they come with

    pip download --no-deps -d FOLDER --only-binary=:all: --python-version 3.11 \\
        --platform macosx_10_9_universal2 pyobjc-core==VERSION pyobjc-framework-cocoa==VERSION

where VERSION is that of requirements.lock. Only what our tray and pystray's name is kept, in
`pyobjc_names.json`, so that the test needs neither a network nor a Mac.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_suffix(".json")
FRAMEWORKS: Final = ("AppKit", "Foundation")
HELPERS: Final = ("AppHelper", "MachSignals")


def sources() -> list[Path]:
    """Our tray of macOS, and the backend of pystray below it."""
    import trayagent

    # Its package would choose a backend when it is imported.
    pystray = find_spec("pystray")
    assert pystray is not None
    assert pystray.origin is not None
    ours = Path(trayagent.__file__).parent / "desktop/tray/darwin.py"
    return [ours, Path(pystray.origin).parent / "_darwin.py"]


def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text("utf-8"))


def names(source: Path) -> Iterator[tuple[str, str]]:
    """What a file takes from the frameworks and their helpers: ("AppKit", "NSMenu")."""
    for node in ast.walk(tree(source)):
        if not isinstance(node, ast.Attribute):
            continue
        owner = ast.unparse(node.value).removeprefix("PyObjCTools.")
        if owner in (*FRAMEWORKS, *HELPERS):
            yield owner, node.attr


def selectors(source: Path) -> Iterator[tuple[str, int]]:
    """The Objective-C methods that a file calls or answers, and with how many arguments."""
    for node in ast.walk(tree(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if is_selector(name):
                yield name, len(node.args)
            # pystray spells its longest one as text.
            case ast.Call(
                func=ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value)])
            ):
                yield str(value), len(node.args)
            case ast.FunctionDef(name=name) if is_selector(name):
                yield name, len(node.args.args) - 1


def is_selector(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


def selector(name: str) -> str:
    """`setMenu_`, as Objective-C spells it: PyObjC writes every colon as an underscore."""
    return name.replace("_", ":")


def metadata(wheels: Path, file: str) -> str:
    """A file of the wheels."""
    for wheel in sorted(wheels.glob("pyobjc_*.whl")):
        with zipfile.ZipFile(wheel) as content:
            if file in content.namelist():
                return content.read(file).decode()
    raise SystemExit(f"no wheel in {wheels} has {file}")


def kinds(text: str) -> dict[str, str]:
    """Every name of a framework that its metadata knows: constant, enum, function or class."""
    known = dict.fromkeys(re.findall(r'r\(\s*b"(\w+)"', text), "class")
    known |= dict.fromkeys(re.findall(r'FromSelector\(\s*"(\w+)"', text), "class")
    known |= dict.fromkeys(re.findall(r'"(\w+)": objc\.create', text), "struct")
    known |= dict.fromkeys(re.findall(r'^    "(\w+)": "CG\w+",$', text, re.MULTILINE), "struct")
    for variable, mark in (("constants", "constant"), ("enums", "enum")):
        for block in re.findall(rf'^{variable}\s*=\s*"""(.*?)"""', text, re.DOTALL | re.MULTILINE):
            known |= dict.fromkeys(re.findall(r"\$(\w+)", block), mark)
    return known


def signatures(text: str) -> dict[str, set[str]]:
    """The classes by the methods that the metadata describes: those with more than objects in them."""
    found: dict[str, set[str]] = {}
    for owner, name in re.findall(r'r\(\s*b"(\w+)",\s*b"([\w:]+)"', text):
        found.setdefault(name, set()).add(owner)
    for owner, name in re.findall(r'FromSelector\(\s*"(\w+)",\s*b"([\w:]+)"', text):
        found.setdefault(name, set()).add(owner)
    return found


def record(wheels: Path) -> dict[str, Any]:
    """What there is of the names and methods that the sources use."""
    texts = {one: metadata(wheels, f"{one}/_metadata.py") for one in FRAMEWORKS}
    texts["AppKit"] += metadata(wheels, "AppKit/__init__.py")
    # Structures that AppKit shares with Foundation are found in both.
    shared = kinds(texts["Foundation"])
    known = {"AppKit": shared | kinds(texts["AppKit"]), "Foundation": shared}
    for helper in HELPERS:
        functions = ast.parse(metadata(wheels, f"PyObjCTools/{helper}.py")).body
        known[helper] = {
            one.name: "function" for one in functions if isinstance(one, ast.FunctionDef)
        }
    described = signatures(texts["AppKit"] + texts["Foundation"])
    used = sorted({name for source in sources() for name in names(source)})
    called = sorted({selector(name) for source in sources() for name, _ in selectors(source)})
    return {
        "wheels": sorted(wheel.name for wheel in wheels.glob("pyobjc_*.whl")),
        "names": {
            owner: {name: known[owner].get(name, "") for of, name in used if of == owner}
            for owner in (*FRAMEWORKS, *HELPERS)
        },
        "methods": {name: sorted(described.get(name, ()))[:8] for name in called},
    }


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(record(Path(sys.argv[1])), indent=1) + "\n", "ascii")
