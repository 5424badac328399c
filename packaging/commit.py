"""A build step: the package knows the commit it was made from (`trayagent version`)."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface[Any]):
    """Adds trayagent/commit.txt to wheel and sdist; an unpacked sdist has it already."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write it beside the checkout, never into it."""
        if version == "editable" or (Path(self.root) / "trayagent/commit.txt").exists():
            return
        commit = commit_of(Path(self.root))
        if commit:
            file = Path(mkdtemp(), "commit.txt")
            file.write_text(commit + "\n", "ascii")
            build_data["force_include"][str(file)] = "trayagent/commit.txt"


def commit_of(root: Path) -> str | None:
    """The commit of a checkout; None if it is none, or there is no git."""
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
