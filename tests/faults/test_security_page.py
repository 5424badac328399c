"""Every row of the security page is held by tests that exist, and names no others."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text("utf-8")


def test_what_the_page_says_is_held_by_tests() -> None:
    named = set(re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_attacker_has_a_test_that_holds_him() -> None:
    table = PAGE.partition("## Attacker")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    assert [who for who, _, held in rows if "tests/" not in held and "the same" not in held] == []
