"""A confirm page's nonce works once, for ten minutes, and costs nothing to hand out."""

from __future__ import annotations

import pytest

from tests.clock import Clock
from trayagent.hook.pages import NONCE_SECONDS, Nonces


def test_a_nonce_works_once() -> None:
    nonces = Nonces()
    nonce = nonces.make()

    assert nonces.spend(nonce)
    assert not nonces.spend(nonce)


def test_a_nonce_given_back_works_again() -> None:
    nonces = Nonces()
    nonce = nonces.make()
    nonces.spend(nonce)
    nonces.give_back(nonce)

    assert nonces.spend(nonce)


def test_a_nonce_is_good_for_ten_minutes() -> None:
    clock = Clock()
    nonces = Nonces(clock)
    early, late = nonces.make(), nonces.make()
    clock.now += NONCE_SECONDS - 1
    assert nonces.spend(early)
    clock.now += 2
    assert not nonces.spend(late)


def test_spent_nonces_are_forgotten_once_they_are_too_old() -> None:
    clock = Clock()
    nonces = Nonces(clock)
    for _ in range(100):
        nonces.spend(nonces.make())
        clock.now += 60

    assert repr(nonces) == "<Nonces: 10 spent>"


@pytest.mark.parametrize(
    "change", ["", "x", "..", "9999999999.abc.def", "\udcff.1.2", "1e9.a.b", "²³.a.b"]
)
def test_what_we_did_not_make_is_refused(change: str) -> None:
    assert not Nonces().spend(change)


def test_a_changed_or_foreign_nonce_is_refused() -> None:
    nonces, others = Nonces(), Nonces()
    end, rest = nonces.make().split(".", 1)

    assert not nonces.spend(f"{int(end) + 1}.{rest}")
    assert not nonces.spend(others.make())
