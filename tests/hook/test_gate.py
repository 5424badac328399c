"""Each step of the gate refuses what it is there for, in the promised order, and none can be taken out unnoticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest

from tests.hook.gate_cases import CASES, GOOD, PAIRED, WRONG_TOKEN, GateCase, case
from trayagent.hook import gate
from trayagent.hook.gate import GATE, RequestFacts, Step, judge

STEPS = {step.__name__: step for step in GATE}


def failures(steps: Sequence[Step]) -> list[str]:
    """The cases that a gate of these steps judges wrongly."""
    wrong = []
    for one in CASES:
        refusal = judge(one.facts, steps)
        if (refusal.status if refusal else None) != one.status:
            wrong.append(one.name)
    return wrong


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_the_gate_judges_rightly(one: GateCase) -> None:
    refusal = judge(one.facts)

    assert (refusal.status if refusal else None) == one.status


@pytest.mark.parametrize("one", [c for c in CASES if c.step], ids=lambda one: one.name)
def test_the_step_that_is_there_for_it_speaks_first(one: GateCase) -> None:
    speaking = [step.__name__ for step in GATE if step(one.facts) is not None]

    assert speaking[0] == one.step


@pytest.mark.parametrize("name", STEPS)
def test_without_any_one_step_the_gate_suite_goes_red(name: str) -> None:
    assert failures(GATE) == []
    assert failures([step for step in GATE if step.__name__ != name])


@pytest.mark.parametrize("name", STEPS)
def test_every_step_refuses_something_and_lets_the_good_pass(name: str) -> None:
    assert STEPS[name](GOOD) is None
    assert [one for one in CASES if one.step == name]


WORST: dict[str, RequestFacts] = {
    "loopback_peer": case("", None, None, peer="10.0.0.1").facts,
    "exact_host": case("", None, None, hosts=("evil.com",)).facts,
    "known_route": case("", None, None, allowed_methods=()).facts,
    "trusted_origin": case("", None, None, origins=("https://evil.com",)).facts,
    "fetch_site": case("", None, None, fetch_site="cross-site").facts,
    "bearer": case("", None, None, **WRONG_TOKEN).facts,
    "json_only": case("", None, None, content_types=("text/plain",)).facts,
    "plain_body": case("", None, None, encodings=("gzip",)).facts,
    "announced_size": case("", None, None, content_length=10**9).facts,
}


@pytest.mark.parametrize(("first", "second"), list(combinations(WORST, 2)))
def test_of_two_faults_the_earlier_step_speaks(first: str, second: str) -> None:
    def faults(name: str) -> dict[str, object]:
        fields = RequestFacts.__dataclass_fields__
        return {
            f: getattr(WORST[name], f)
            for f in fields
            if getattr(WORST[name], f) != getattr(GOOD, f)
        }

    both = replace(GOOD, **faults(second), **faults(first))  # type: ignore[arg-type]

    assert judge(both) == STEPS[first](WORST[first])


def test_the_order_is_the_documented_one() -> None:
    assert list(STEPS) == [
        "loopback_peer",
        "exact_host",
        "known_route",
        "trusted_origin",
        "fetch_site",
        "preflight",
        "patience",
        "bearer",
        "bound_token",
        "owner_only",
        "json_only",
        "plain_body",
        "known_framing",
        "announced_size",
        "expectation",
    ]


def test_a_refusal_repeats_nothing_of_the_request() -> None:
    canary = "CANARY"
    facts = replace(
        GOOD,
        path=f"/{canary}",
        hosts=(canary,),
        origins=(canary,),
        token=canary,
        caller=None,
        fetch_site=canary,
        fetch_dest=canary,
        content_types=(canary,),
        encodings=(canary,),
        expect=canary,
        content_length=10**12,
        penalty_seconds=5.0,
    )
    said = [step(facts) for step in GATE]

    assert sum(refusal is not None for refusal in said) >= 8
    assert canary not in repr(said)
    assert "token=" not in repr(facts)


def test_a_yes_to_a_preflight_names_only_what_is_needed() -> None:
    refusal = judge(next(one.facts for one in CASES if one.name == "a paired extension asks"))

    assert refusal is not None
    assert refusal.headers["Access-Control-Allow-Methods"] == "POST"
    assert "x-evil" not in refusal.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in refusal.headers
    assert (
        "Access-Control-Allow-Origin" not in refusal.headers
    )  # the server adds it for paired ones only


def test_extension_origins_are_told_from_look_alikes() -> None:
    assert gate.is_extension(PAIRED)
    for other in (
        "chrome-extension://",
        "chrome-extension://a.b",
        "chrome-extension://a/x",
        "http://chrome-extension",
        None,
    ):
        assert not gate.is_extension(other)
