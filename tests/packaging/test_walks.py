"""The walks of docs/architecture.md are the code's: each file leads to the next as the page says."""

from __future__ import annotations

import pytest

from tests.packaging.scripts import script
from tests.test_house import NAMES, ROOT, name_of, ours

walks = script("docs_walks")
BUILDERS = ("wiring", "app", "sources.build")


def module(step: tuple[str, str, str]) -> str:
    """The dotted name of a step's file."""
    return name_of(ROOT / "trayagent" / step[0])


@pytest.mark.parametrize("title", walks.WALKS)
def test_each_step_leads_to_the_next(title: str) -> None:
    steps = walks.WALKS[title]
    for number, step in enumerate(steps):
        here = module(step)
        if step.by == "imports":
            before = {module(each) for each in steps[:number]}
            assert any(here in set(ours(NAMES[each])) for each in before), f"who imports {here}?"
        elif step.by == "handed":
            assert any(here in set(ours(NAMES[each])) for each in builders()), f"who builds {here}?"
        else:
            assert "agent.bus" in set(ours(NAMES[here])), f"{here} hears no events"


def builders() -> set[str]:
    """Files that build parts and hand them over, and the list of the hook's resources."""
    return {*BUILDERS, "hook.api", "hook.listener", "hook.server", "agent.drops.reader"}


@pytest.mark.parametrize("title", walks.WALKS)
def test_no_walk_meets_a_file_twice(title: str) -> None:
    files = [step.file for step in walks.WALKS[title]]
    assert len(files) == len(set(files))
    assert len(files) <= 40, "a reader is asked to follow too many files"
