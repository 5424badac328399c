"""`python -m tests.bench [WORKLOAD...] [--rounds N]`: measure against peers in the same run, bytes compared.

Every file in `workloads` is one workload; its `WORKLOAD` says all there is to say.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import workloads
from tests.bench.figures import Figures
from tests.bench.server import Server
from tests.bench.workload import Workload, measure


def found() -> dict[str, Workload | Figures]:
    """All workloads by name."""
    modules = [
        importlib.import_module(f"tests.bench.workloads.{module.name}")
        for module in pkgutil.iter_modules(workloads.__path__)
    ]
    return {module.WORKLOAD.name: module.WORKLOAD for module in modules}


def main() -> int:
    """Measure what was asked for, or everything; 1 when a goal was missed."""
    known = found()
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("workload", nargs="*", choices=[*known, []], metavar="WORKLOAD")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--list", action="store_true", help="name the workloads")
    asked = parser.parse_args()
    if asked.list:
        print(*(f"{name}: {workload.about}" for name, workload in known.items()), sep="\n")
        return 0
    memory = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="bench-", dir=memory if memory.is_dir() else None))
    base.chmod(0o755)  # nginx' worker is another user
    try:
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, files in {base.parent}")
        with Server(base) as server:
            names = asked.workload or list(known)
            met = [_measure(known[name], server, base, asked.rounds) for name in names]
    finally:
        shutil.rmtree(base, ignore_errors=True)
    return 0 if all(met) else 1


def _measure(workload: Workload | Figures, server: Server, base: Path, rounds: int | None) -> bool:
    if isinstance(workload, Figures):
        return workload.measure(server, base)
    return measure(workload, server, base, rounds)


if __name__ == "__main__":
    sys.exit(main())
