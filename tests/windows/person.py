"""What a person on Windows does with the product: commands, an agent that runs, what it left in its home."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.desktop.rig import until
from tests.windows.bench import Bench, windows_path

NOTE_PAGE = Path(__file__).parent / "note_page.py"


class Person:
    """A user of Windows; `program` is what they start, Python with our package if it is not told."""

    def __init__(
        self, bench: Bench, home: Path, program: Path | None = None, **environment: str
    ) -> None:
        self.bench, self.home = bench, home
        self._program = program
        self._pages = home.with_name(f"{home.name} pages")
        # Wine's own browser would stay for minutes, holding the streams of whoever opened it.
        browser = [bench.python, NOTE_PAGE, self._pages]
        self.environment = {
            "BROWSER": " ".join([*(f'"Z:{path}"' for path in browser), "%s"]),
            "TRAYAGENT_HOME": windows_path(home),
            "TRAYAGENT_SECRETS": "file",
            "TRAYAGENT_HOOK__PORT": "0",
            **environment,
        }
        home.mkdir(parents=True, exist_ok=True)
        self._pages.mkdir(exist_ok=True)

    def _words(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return words if self._program else ("-m", "trayagent", *words)

    def command(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run `trayagent WORDS` to its end."""
        said = self._words(words)
        return self.bench.run(*said, program=self._program, environment=self.environment)

    def json(self, *words: str) -> Any:
        """What a command answers to a program."""
        done = self.command(*words, "--json")
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """`trayagent run WORDS`, once it is ready; killed at the end if it is still there."""
        said = self._words(("run", *words))
        started = self.bench.start(*said, program=self._program, environment=self.environment)
        with started as process:
            try:
                until(lambda: self.runtime.exists() or process.poll() is not None, "the agent", 60)
                assert process.poll() is None, process.communicate()
                yield process
            finally:
                process.kill()
                process.communicate()

    def post(self, path: str, body: object) -> Any:
        """What the agent's hook answers to a program on the same machine that has its token."""
        token = (self.home / "token").read_text("utf-8").strip()
        request = urllib.request.Request(
            f"{json.loads(self.runtime.read_bytes())['url']}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def opened_pages(self) -> str:
        """Each page that the browser was given, one after another."""
        pages = sorted(self._pages.iterdir(), key=lambda page: page.stat().st_mtime_ns)
        return "\n".join(page.read_text("utf-8") for page in pages)

    @property
    def runtime(self) -> Path:
        """The file that says where the agent is."""
        return self.home / "runtime.json"

    def log(self) -> str:
        """The agent's log."""
        return (self.home / "logs" / "trayagent.log").read_text("utf-8")
