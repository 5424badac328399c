"""How the peers are called: as shipped, without their users' settings."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench.measure import Case, trayagent


def curl(url: str, ca: Path | None = None) -> Case:
    """One file with curl."""
    return Case("curl", ["curl", "-q", "-sSf", *(["--cacert", str(ca)] if ca else []), "-O", url])


def curl_list(urls: Path, workers: int = 4) -> Case:
    """A list with curl --parallel; `urls` is a curl configuration."""
    command = ["curl", "-q", "-sSf", "--no-progress-meter", "-K", str(urls), "--parallel"]
    return Case(f"curl --parallel {workers}", [*command, "--parallel-max", str(workers)])


def aria2(*arguments: str, name: str, ca: Path | None = None) -> Case:
    """aria2c with these arguments, into the output folder."""
    trust = [f"--ca-certificate={ca}"] if ca else []
    command = ["aria2c", "--no-conf", "-q", "--file-allocation=none", *trust, "-d", "{out}"]
    return Case(name, [*command, *arguments])


def wget2(*arguments: str, name: str = "wget2") -> Case:
    """wget2 with these arguments."""
    return Case(name, ["wget2", "--no-config", "-q", "-P", "{out}", *arguments])


def queued(urls: Path, ca: Path | None = None) -> Case:
    """An agent's whole life: it starts, gets the list into its queue, fetches it and ends."""
    environ = {"SSL_CERT_FILE": str(ca)} if ca else {}
    command = (sys.executable, "-m", "tests.bench.queue_program", str(urls), "{out}")
    return Case("trayagent's queue", command, environ, ours=True)


def ours(*arguments: str, name: str = "trayagent", ca: Path | None = None) -> Case:
    """`trayagent get` with these arguments."""
    environ = {"SSL_CERT_FILE": str(ca)} if ca else {}
    return Case(name, trayagent("get", "-o", "{out}", *arguments), environ, ours=True)
