"""Dotted paths find what is there and answer None for what is not; templates put values where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from trayagent.sources import json_mapping

DATA = {"a": {"b": [{"c": 1}, {"c": 2}, {}]}, "list": [[1, 2], [3]], "empty": [], "no": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[0].c", 1),
        ("a.b[1]", {"c": 2}),
        ("a.b[9].c", None),
        ("a.b.*.c", [1, 2, None]),
        ("a.b[*].c", [1, 2, None]),
        ("list[0][1]", 2),
        ("empty", []),
        ("no.deeper.still", None),
        ("a.*", [[{"c": 1}, {"c": 2}, {}]]),
        ("missing", None),
    ],
)
def test_paths(path: str, found: Any) -> None:
    assert json_mapping.at_path(DATA, path) == found


def test_templates() -> None:
    assert (
        json_mapping.fill("{base}/items/{id}?x={other}", {"base": "http://h", "id": "a b"})
        == "http://h/items/a b?x="
    )
    assert (
        json_mapping.fill("{id}", {"id": "a/b"}, lambda value: value.replace("/", "%2F")) == "a%2Fb"
    )
    assert json_mapping.fields("Bearer {secret:token} {id} {Not A Field}") == ["secret:token", "id"]
