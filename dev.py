#!/usr/bin/env python3
"""Set up, run, test and measure trayagent: needs Python 3.11 or newer, and nothing else.

    python3 dev.py run [ARGS...]         set up, then start the agent (trayagent ARGS...)
    python3 dev.py test [ARGS...]        set up, then run every check and test (pytest ARGS...)
    python3 dev.py test --windows        the same, and what a Windows Python under Wine can run
    python3 dev.py bench [WORKLOAD...]   set up, then measure

Everything is installed in .venv beside this file, from hash-locked lists. The environment keeps a
copy of the list it was made from, written last: an equal copy means ready, anything else means
make it again. That comparison is all the work of a second start.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must say this, not a traceback
    sys.exit("trayagent needs Python 3.11 or newer; this is Python " + sys.version.split()[0] + ".")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
VERSION = "python" + ".".join(map(str, sys.version_info[:2]))
WINDOWS = os.name == "nt"
PYTHON = VENV / ("Scripts/python.exe" if WINDOWS else "bin/python")
SITE = VENV / ("Lib/site-packages" if WINDOWS else f"lib/{VERSION}/site-packages")
RUN, TEST = "requirements.lock", "requirements-test.lock"  # the second contains the first
COMMANDS = {
    "run": (RUN, ["-P", "-m", "trayagent"]),  # -P: a click.py where the user stands is not ours
    "test": (TEST, ["-m", "pytest", "-n", "2", "--dist", "loadfile"]),
    "bench": (TEST, ["-m", "tests.bench"]),
}


def main(argv: list[str]) -> int:
    """Make the environment fit for the command, then become the command."""
    if not argv or argv[0] not in COMMANDS:
        sys.stdout.write(__doc__ or "")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    lock, command = COMMANDS[argv[0]]
    if not ready(lock):
        with one_at_a_time():
            if not ready(lock):
                set_up(lock)
    if argv[0] != "run":
        os.chdir(ROOT)
    return become([str(PYTHON), *command, *argv[1:]])


def recipe(lock: str) -> bytes:
    """Return what the environment is made from: this Python version and that list."""
    return f"# {VERSION}\n".encode() + (ROOT / lock).read_bytes()


def ready(lock: str) -> bool:
    """Tell whether the environment was completely made from this list, as it is today."""
    try:
        return PYTHON.exists() and (VENV / lock).read_bytes() == recipe(lock)
    except FileNotFoundError:
        return False


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold a lock on this very file, so that two first runs do not build the same folder."""
    with Path(__file__).open("r+b") as file:
        if sys.platform == "win32":
            import msvcrt

            # A byte far behind the end: Windows keeps readers away from a locked one.
            file.seek(1 << 30)
            while True:
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
                    break
                except OSError:  # it gives up after ten seconds, we do not
                    continue
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_up(lock: str) -> None:
    """Install a list: on top of an environment that is good for running, else in a new one."""
    if ready(RUN):
        say("Adding the test tools to .venv: once, about half a minute.")
    else:
        say("Setting up .venv: once, about half a minute.")
        clear()
        create()
    install(lock)
    (SITE / "trayagent.pth").write_text(os.path.relpath(ROOT, SITE) + "\n", encoding="utf-8")
    for done in {RUN, lock}:
        (VENV / done).write_bytes(recipe(done))


def clear() -> None:
    """Remove an outdated or half-made environment."""
    from shutil import rmtree

    try:
        rmtree(VENV)
    except FileNotFoundError:
        pass
    except OSError as error:
        sys.exit(f"Cannot remake .venv ({error}). If trayagent is running, quit it and try again.")


def create() -> None:
    """Make an empty environment: with uv where there is one, and never needing it."""
    from importlib.util import find_spec
    from shutil import which

    if which("uv") and works("uv", "venv", "--quiet", "--python", base_python(), str(VENV)):
        return
    without = [] if find_spec("ensurepip") else ["--without-pip"]
    if not find_spec("venv") or (without and not find_spec("pip")):
        sys.exit("This Python can make no environments: sudo apt install python3-venv")
    if not works(base_python(), "-m", "venv", "--clear", *without, str(VENV)):
        sys.exit("Could not make .venv: see the lines above.")


def install(lock: str) -> None:
    """Install exactly the list: nothing resolved, nothing built, every hash checked."""
    from shutil import which

    exact = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(ROOT / lock))
    if which("uv") and works("uv", "pip", "install", "--quiet", "--python", str(PYTHON), *exact):
        return
    own = (SITE / "pip").exists()
    pip = (
        [str(PYTHON), "-m", "pip"] if own else [base_python(), "-m", "pip", "--python", str(PYTHON)]
    )
    if not works(*pip, "install", "--quiet", "--no-compile", *exact):
        sys.exit("Set-up did not finish: see the lines above, then run the same command again.")


def base_python() -> str:
    """Return the Python outside any environment: ours may be about to be remade."""
    return getattr(sys, "_base_executable", None) or sys.executable


def works(*command: str) -> bool:
    """Run a command; what it says goes to the error stream, for stdout belongs to the result."""
    from subprocess import run

    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return run(command, env=environment, stdout=sys.stderr, check=False).returncode == 0


def say(text: str) -> None:
    """Tell the person, without touching what a script reads."""
    print(text, file=sys.stderr, flush=True)


def become(command: list[str]) -> int:
    """Replace this process; Windows cannot, so there we wait, and leave Ctrl-C to the other."""
    if sys.platform != "win32":
        os.execv(command[0], command)
    from signal import SIG_IGN, SIGINT, signal
    from subprocess import call

    signal(SIGINT, SIG_IGN)
    return call(command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
