"""Forget modules that were imported against a fake."""

from __future__ import annotations

import sys


def forget(*names: str) -> None:
    """Drop modules, and their names in their packages, so that the next import starts anew."""
    for name in names:
        sys.modules.pop(name, None)
        package, _, attribute = name.rpartition(".")
        if package in sys.modules:
            vars(sys.modules[package]).pop(attribute, None)
