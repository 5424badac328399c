"""No pattern of the tree takes more than a moment over foreign text: none is slower than linear.

Every regular expression of the source is found in its syntax tree and run against 64 kB of the
letters it likes best: each letter that occurs in it, pairs of them, its own literal words over and
over, and such a word followed by one letter for ever.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.wine import WINE
from trayagent.sites import reasons

ROOT = Path(__file__).parent.parent / "trayagent"
SIZE = 64 * 1024
MOMENT = 0.150 if WINE else 0.050
"""Seconds of the processor's time, which Windows counts in steps of a sixty-fourth of one."""
CALLS = {"compile", "search", "match", "fullmatch", "findall", "finditer", "sub", "subn", "split"}
TRIED = 7
"""Letters of a pattern that are put together."""


@dataclass(frozen=True)
class Found:
    """A pattern in the source, and the ways in which it is used."""

    place: str
    pattern: str | bytes
    flags: int
    ways: frozenset[str]

    def __repr__(self) -> str:
        return self.place


SOURCES = {path: path.read_text("utf-8") for path in sorted(ROOT.rglob("*.py"))}
NAMED = re.compile(r"\b([A-Z_]+)\.(search|match|fullmatch|findall|finditer|sub|subn|split)\(")


def patterns() -> Iterator[Found]:
    for path, text in SOURCES.items():
        tree = ast.parse(text)
        names = {
            id(node.value): target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            if of_re and node.func.attr in CALLS and node.args:
                yield from found(path, node, node.func.attr, names.get(id(node)))
    for number, (pattern, *_) in enumerate(reasons._WORDS):
        yield Found(f"sites/reasons.py, row {number}", pattern, 0, frozenset({"search"}))


def found(path: Path, node: ast.Call, call: str, name: str | None) -> Iterator[Found]:
    """The pattern of one call; a compiled one is used as its name is, wherever that stands."""
    try:
        pattern = ast.literal_eval(node.args[0])
    except ValueError:
        return  # put together from our own words
    ways = {call}
    if call == "compile":
        text = SOURCES[path] if name and name.startswith("_") else "".join(SOURCES.values())
        ways = {way for one, way in NAMED.findall(text) if one == name} or {"search"}
    flags = 0
    for word in ast.walk(node):
        if isinstance(word, ast.Attribute) and word.attr.isupper():
            flags |= int(getattr(re, word.attr))
    yield Found(f"{path.relative_to(ROOT)}:{node.lineno}", pattern, flags, frozenset(ways))


INNER = {"IN", "SUBPATTERN", "MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT", "ASSERT"}
CATEGORIES = {"DIGIT": "1", "SPACE": " "}


def letters(parsed: Any) -> Iterator[str]:
    """One letter for each thing that the pattern can match, and one beside it."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(argument)
        elif name == "RANGE":
            yield chr(argument[0])
        elif name in ("CATEGORY", "ANY"):
            yield CATEGORIES.get(str(argument).rpartition("_")[2], "a")
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from letters(branch)
        elif name in INNER:
            yield from letters(argument if name == "IN" else argument[-1])


def words(parsed: Any) -> Iterator[str]:
    """Runs of literal letters: what a text has to say to be looked at closely."""
    run = ""
    for operation, argument in parsed:
        name = str(operation)
        if name == "LITERAL":
            run += chr(argument)
            continue
        if run:
            yield run
        run = ""
        if name in ("SUBPATTERN", "MAX_REPEAT", "MIN_REPEAT"):
            yield from words(argument[-1])
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from words(branch)
    if run:
        yield run


def sample(parsed: Any) -> str:
    """The shortest text that goes all the way: what is optional is left out."""
    said = ""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            said += sample(argument[2]) * min(argument[0], 1)
        elif name == "SUBPATTERN":
            said += sample(argument[-1])
        elif name == "BRANCH":
            said += sample(argument[1][0])
        elif name != "ASSERT_NOT":
            said += next(letters([(operation, argument)]), "")
    return said


def texts(one: Found, size: int) -> Iterator[str]:
    parser = importlib.import_module("re._parser")  # the only way to a pattern's own letters

    parsed = parser.parse(one.pattern, one.flags)
    alphabet = list(dict.fromkeys([*letters(parsed), "a", " ", "!", "\n"]))
    alphabet = [letter for letter in alphabet if ord(letter) < 0xD800][:TRIED]
    whole = sample(parsed)
    said = [*words(parsed), *(whole[:cut] for cut in range(2, min(len(whole), 24) + 1))]
    said = [word for word in dict.fromkeys(said) if word.isascii()]
    for letter in alphabet:
        yield letter * size
    for first, second in product(alphabet, repeat=2):
        yield (first + second) * (size // 2)
    for word in said:
        yield word * (size // len(word))
        for letter in alphabet[:4]:
            yield word + letter * size
            yield (word + letter) * (size // (len(word) + 1))


FOUND = list(dict.fromkeys(patterns()))


def test_the_patterns_are_found() -> None:
    assert len(FOUND) > 80


@pytest.mark.parametrize("one", FOUND, ids=repr)
def test_a_pattern_is_quick_over_its_worst_letters(one: Found) -> None:
    compiled = re.compile(one.pattern, one.flags)
    for size in (4096, SIZE):  # the small one first: over the other, a bad pattern takes minutes
        for text in texts(one, size):
            subject = text.encode("latin-1", "replace") if isinstance(one.pattern, bytes) else text
            if seconds(compiled, subject, one.ways) > MOMENT / 2:  # it may be the machine
                slow = min(seconds(compiled, subject, one.ways) for _ in range(3))
                assert slow < MOMENT, f"{one.pattern!r}: {slow * 1000:.0f} ms over {text[:30]!r}…"


def seconds(compiled: re.Pattern[Any], subject: Any, ways: frozenset[str]) -> float:
    began = time.process_time()
    if "match" in ways:
        compiled.match(subject)
    if "fullmatch" in ways:
        compiled.fullmatch(subject)
    if ways - {"match", "fullmatch"}:
        for _ in compiled.finditer(subject):
            pass
    return time.process_time() - began
