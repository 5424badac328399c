"""The house rules hold: imports point downwards, packages have homes, files and functions stay small."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.house_figures import is_participle

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "trayagent").rglob("*.py"))

# A room may import the rooms above it in this list; rooms on one line never import each other.
FLOORS = [
    {"model"},
    {"net", "files", "child_process"},
    {"store", "transfer", "sources", "sites", "lists", "settings", "engines"},
    {"targets"},
    {"agent"},
    {"hook", "desktop", "instance", "logs", "loopthread", "oneshot", "wiring"},
    {"app"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Where each foreign package, and each part of the standard library that needs care, may be imported.
HOMES = {
    "AppKit": ("desktop.tray",),
    "Foundation": ("desktop.tray",),
    "PIL": ("desktop.tray", "agent.library.thumbnail_child"),
    "PyObjCTools": ("desktop.tray",),
    "Xlib": ("desktop",),
    "aiohttp": ("net",),
    "aiohttp.http_exceptions": ("hook",),
    "aiohttp.web": ("hook", "demo"),
    "brotli": ("net.codings",),
    "click": ("cli",),
    "dbus_fast": ("desktop.tray",),
    "desktop_notifier": ("desktop.notifier",),
    "filelock": ("app", "instance"),
    "keyring": ("store",),
    "msgspec": ("",),
    "multidict": ("net", "hook"),
    "platformdirs": ("settings",),
    "obstore": ("targets.bucket_worker",),
    "pycurl": ("net",),
    "pystray": ("desktop.tray",),
    "rich": ("cli",),
    "send2trash": ("agent",),
    "sqlite3": ("store",),  # rows stop there: frozen values come out
    "tomlkit": ("settings",),
    "watchdog": ("agent.drops.folder",),
    "yarl": ("net",),
    "yt_dlp": ("sites",),
}
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
GRAB_BAGS = re.compile(r"utils?|helpers?|managers?|common|misc|stuff|tools?")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
FILE_LINES, FUNCTION_LINES = 500, 60

# "path" or "path:function" -> why it reads better long.
LONG: dict[str, str] = {}


def name_of(path: Path) -> str:
    """Return the dotted name of a module below trayagent, "" for the package itself."""
    parts = path.relative_to(ROOT / "trayagent").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path, *, types: bool = True) -> Iterator[str]:
    """Yield the full name of all that a module imports anywhere; what only types need, if asked."""
    for node in ast.walk(tree(path) if types else without_types(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports name the whole path here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def without_types(path: Path) -> ast.Module:
    """Return the tree without what stands under TYPE_CHECKING: it never runs."""
    body = tree(path).body
    runs = [
        n for n in body if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))
    ]
    return ast.Module(runs, [])


def ours(path: Path, *, types: bool = True) -> Iterator[str]:
    """Yield the modules of ours that a module imports."""
    for name in imports(path, types=types):
        if name.partition(".")[0] == "trayagent":
            module = name.removeprefix("trayagent").removeprefix(".")
            yield module if module in NAMES else module.rpartition(".")[0]


def room(module: str) -> str:
    """Return the room of a module."""
    return module.partition(".")[0]


def within(module: str, home: str) -> bool:
    """Tell whether a module is a home or lives in it."""
    return not home or module == home or module.startswith(f"{home}.")


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of every tree, with the place to name when it breaks a rule."""
    for module, path in NAMES.items():
        for node in ast.walk(tree(path)):
            yield f"{module or 'trayagent'}:{getattr(node, 'lineno', 0)}", node


def lines(broken: Iterable[str]) -> str:
    """Return what breaks a rule, one to a line."""
    return "".join(f"\n{each}" for each in sorted(broken))


def test_every_room_is_on_the_plan() -> None:
    assert {room(module) for module in NAMES} - {""} <= FLOOR.keys()


def test_imports_point_downwards() -> None:
    upwards = [
        f"{module} imports {other}"
        for module, path in NAMES.items()
        for other in ours(path)
        if module and other and room(other) != room(module)
        if FLOOR[room(other)] >= FLOOR[room(module)]
    ]
    assert not upwards, lines(upwards)


def test_imports_have_no_cycles() -> None:
    graph = {module: set(ours(path, types=False)) - {module, ""} for module, path in NAMES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def homes(name: str) -> tuple[str, ...]:
    """Return where a foreign name may be imported; nowhere, until somebody gives it a home."""
    known = [home for home in HOMES if within(name, home)]
    if known:
        return HOMES[max(known, key=len)]
    own = name.partition(".")[0] in {"trayagent", *sys.stdlib_module_names}
    return ("",) if own else ()


def test_foreign_packages_stay_at_home() -> None:
    strays = [
        f"{module} imports {name}, which lives in {' and '.join(homes(name)) or 'no room'}"
        for module, path in NAMES.items()
        for name in imports(path)
        if not any(within(module, home) for home in homes(name))
    ]
    assert not strays, lines(strays)


def test_the_model_is_pure() -> None:
    impure = [
        f"{module} imports {name}"
        for module, path in NAMES.items()
        for name in imports(path)
        if room(module) == "model" and name.partition(".")[0] in IMPURE
    ]
    clocks = [
        place
        for place, node in nodes()
        if room(place.partition(":")[0]) == "model"
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert not (impure + clocks), lines(impure + clocks)


def test_there_are_no_globals() -> None:
    globals_ = [place for place, node in nodes() if isinstance(node, ast.Global)]
    assert not globals_, lines(globals_)


def test_every_task_has_a_name_and_a_group() -> None:
    lost = [
        f"{place} {ast.unparse(node.func)}"
        for place, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr == "create_task"
        if "loop" in ast.unparse(node.func) or all(word.arg != "name" for word in node.keywords)
    ]
    assert not lost, lines(lost)


def test_modules_are_named_for_what_they_hold() -> None:
    assert [m for m in NAMES if any(GRAB_BAGS.fullmatch(part) for part in m.split("."))] == []


def test_functions_are_commands_or_questions() -> None:
    """A bare participle (`told`, `claimed`) says neither: one cannot tell a write from a read."""
    unclear = [
        f"{place} {node.name}"
        for place, node in nodes()
        if isinstance(node, FUNCTIONS) and is_participle(node)
    ]
    assert not unclear, lines(unclear)


def test_a_class_name_means_one_thing() -> None:
    places: dict[str, set[str]] = {}
    for place, node in nodes():
        if isinstance(node, ast.ClassDef):
            places.setdefault(node.name, set()).add(place.partition(":")[0])
    twice = [
        f"{name}: {', '.join(sorted(where))}" for name, where in places.items() if len(where) > 1
    ]
    assert not twice, lines(twice)


def too_long() -> Iterator[str]:
    """Yield every file and function that is over the limit."""
    for path in [*MODULES, ROOT / "dev.py"]:
        where = path.relative_to(ROOT).as_posix()
        if len(path.read_text(encoding="utf-8").splitlines()) > FILE_LINES:
            yield where
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, FUNCTIONS)
                and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
            ):
                yield f"{where}:{node.name}"


def test_files_and_functions_stay_small() -> None:
    unexplained = set(too_long()) ^ LONG.keys()
    assert not unexplained, "shorten, or say in LONG why it reads better long:" + lines(unexplained)


def test_modules_only_define() -> None:
    defines = (ast.Import, ast.ImportFrom, ast.ClassDef, *FUNCTIONS)
    values = (ast.Assign, ast.AnnAssign, ast.If, ast.Try)
    acts = [
        f"{module}:{node.lineno}"
        for module, path in NAMES.items()
        for node in tree(path).body
        if module != "__main__"
        if not isinstance(node, defines + values)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert not acts, lines(acts)


ACTS_ON_IMPORT = """
import importlib, sys
acts = []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "sqlite3.", "os.mkdir", "os.rename", "os.remove", "_thread.start")):
        acts.append((event, module))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        acts.append((event, arguments[0], module))
sys.addaudithook(watch)
sys.dont_write_bytecode = True
for module in sys.argv[1:]:
    importlib.import_module(module)
print(acts) if acts else None
"""
ELSEWHERE = {"win32": "win32", "darwin": "darwin"}  # modules named for the one system they run on


def test_importing_does_nothing(home: Path) -> None:
    names = [
        f"trayagent.{module}".rstrip(".")
        for module in NAMES
        if module != "__main__"
        and ELSEWHERE.get(module.rpartition(".")[2], sys.platform) == sys.platform
    ]
    result = subprocess.run(
        [sys.executable, "-c", ACTS_ON_IMPORT, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stdout + result.stderr
    assert list(home.iterdir()) == []
