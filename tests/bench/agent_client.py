"""A running agent, as a program talks to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen


class AgentClient:
    """Knows the agent of a home by what that wrote there."""

    def __init__(self, home: Path) -> None:
        self._url = json.loads((home / "runtime.json").read_text())["url"]
        self._token = (home / "token").read_text().strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The answer to one request."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"{self._url}/api/v1/{path}"
        with urlopen(Request(url, data, headers, method=method), timeout=60) as answer:
            return json.load(answer)
