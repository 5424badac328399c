"""`python -m tests.house_figures`: how the house reads, counted: what a reader meets, not what it does.

Each figure is a rule of thumb, for comparing one month's house with the next:

    files, median, largest   Python files of trayagent/, in lines
    used once                private functions and methods that their file names at one place only, in
                             percent of all functions
    comments                 comment lines for each 100 lines of code
    participles              functions named by a bare participle (`told`, `claimed`): a reader cannot
                             tell whether they ask or do
    names twice              class names that more than one file defines
    satellites               files that only one other file of the house imports
    rooms of one line        room docstrings that say less than two lines
"""

from __future__ import annotations

import ast
import re
import statistics
import tokenize
from collections import Counter
from pathlib import Path
from typing import Final

HOUSE: Final = Path(__file__).parent.parent / "trayagent"
_PARTICIPLE: Final = re.compile(
    r"_?[a-z]+(?:ed|told|said|kept|made|held|lost|left|found|taken|given|shown)"
)
_WORDS: Final = frozenset({"need", "feed", "seed", "speed", "embed", "shed", "red", "bed"})


def figures(house: Path = HOUSE) -> dict[str, float]:
    """Every figure by its name."""
    sources = {path: path.read_text("utf-8") for path in sorted(house.rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in sources.items()}
    lengths = [text.count("\n") for text in sources.values()]
    code, comments = map(sum, zip(*map(_lines, sources), strict=True))
    functions = [node for tree in trees.values() for node in ast.walk(tree) if _is_function(node)]
    once = sum(_used_once(trees[path], sources[path]) for path in sources)
    classes = Counter(
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    )
    return {
        "files": len(sources),
        "median lines": statistics.median(lengths),
        "largest file": max(lengths),
        "private functions used once, %": 100 * once / len(functions),
        "comment lines per 100 of code": 100 * comments / code,
        "functions named by a participle": sum(map(is_participle, functions)),
        "class names used twice": sum(count > 1 for count in classes.values()),
        "files that one neighbour imports": _satellites(house, trees),
        "rooms described in one line": sum(
            len((ast.get_docstring(tree) or "").splitlines()) < 2
            for path, tree in trees.items()
            if path.name == "__init__.py"
        ),
    }


def _lines(path: Path) -> tuple[int, int]:
    """Lines with code, docstrings left out, and lines that are only a comment."""
    code: set[int] = set()
    comments = 0
    with path.open("rb") as file:
        before = tokenize.NEWLINE
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                comments += token.line.lstrip().startswith("#")
            elif token.type == tokenize.STRING and before in (tokenize.NEWLINE, tokenize.INDENT):
                pass  # a docstring
            elif token.type not in (
                tokenize.NL,
                tokenize.NEWLINE,
                tokenize.INDENT,
                tokenize.DEDENT,
            ):
                code.update(range(token.start[0], token.end[0] + 1))
            if token.type not in (tokenize.NL, tokenize.COMMENT):
                before = token.type
    return len(code), comments


def _used_once(tree: ast.Module, text: str) -> int:
    """Private functions of a file whose names stand in it twice: where they are made, and used."""
    words = Counter(re.findall(r"\w+", text))
    names = [_name(node) for node in ast.walk(tree) if _is_function(node)]
    return sum(words[name] == 2 for name in names if name[:1] == "_" and name[:2] != "__")


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def _name(node: ast.AST) -> str:
    return str(getattr(node, "name", ""))


def is_participle(node: ast.AST) -> bool:
    """Whether a function is named by one; properties and class methods are facts, and may be."""
    name = _name(node)
    decorators = {ast.unparse(one) for one in getattr(node, "decorator_list", ())}
    is_fact = bool(decorators & {"property", "cached_property", "classmethod"})
    return (
        not is_fact and name.lstrip("_") not in _WORDS and _PARTICIPLE.fullmatch(name) is not None
    )


def _satellites(house: Path, trees: dict[Path, ast.Module]) -> int:
    """Files, `__init__` and the top of the house left out, that one file of the house imports."""
    users: Counter[str] = Counter()
    for path, tree in trees.items():
        own = ".".join(("trayagent", *path.relative_to(house).with_suffix("").parts))
        users.update({name for node in ast.walk(tree) for name in _imported(node)} - {own})
    modules = [
        ".".join(("trayagent", *path.relative_to(house).with_suffix("").parts))
        for path in trees
        if path.parent != house and path.name != "__init__.py"
    ]
    return sum(users[module] == 1 for module in modules)


def _imported(node: ast.AST) -> set[str]:
    """The modules that a statement may mean."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return set()


if __name__ == "__main__":
    for name, value in figures().items():
        print(f"{name:<36}{value:>8.1f}")
