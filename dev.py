#!/usr/bin/env python3
"""Set up, run, test and measure trayagent: needs Python 3.11 or newer, and nothing else.

    python3 dev.py run [ARGS…]         set up, then start the agent (trayagent ARGS…)
    python3 dev.py test [ARGS…]        set up, then run every check and test (pytest ARGS…)
    python3 dev.py bench [WORKLOAD…]   set up, then measure

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
        if WINDOWS:
            lock_on_windows(file.fileno())
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def lock_on_windows(fileno: int) -> None:
    """Wait for a byte far behind the end: Windows would refuse readers of a locked one."""
    import msvcrt

    os.lseek(fileno, 1 << 30, os.SEEK_SET)
    while True:
        try:
            return msvcrt.locking(fileno, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,no-any-return,unused-ignore]
        except OSError:  # it gives up after ten seconds; a set-up may take longer
            continue


def set_up(lock: str) -> None:
    """Install the list, on top of a good environment for running or in a new one."""
    fresh = not ready(RUN)
    say("Setting up .venv: once, usually under a minute." if fresh else "Adding the test tools.")
    if fresh:
        clear()
    if not (install_with_uv(lock, fresh) or install_with_pip(lock, fresh)):
        sys.exit("Set-up did not finish: see the lines above, then run the same command again.")
    site = VENV / ("Lib/site-packages" if WINDOWS else f"lib/{VERSION}/site-packages")
    (site / "trayagent.pth").write_text(os.path.relpath(ROOT, site) + "\n", encoding="utf-8")
    for done in {RUN, lock}:
        (VENV / done).write_bytes(recipe(done))


def clear() -> None:
    """Remove an outdated or half-made environment."""
    import shutil

    try:
        shutil.rmtree(VENV)
    except FileNotFoundError:
        pass
    except OSError as error:
        sys.exit(f"Cannot remake .venv ({error}). Is trayagent running? Quit it and try again.")


def install_with_uv(lock: str, fresh: bool) -> bool:
    """Use uv where the user has it; it is quicker, and never required."""
    import shutil

    uv = shutil.which("uv")
    if not uv or (fresh and not works(uv, "venv", "--quiet", "--python", base_python(), str(VENV))):
        return False
    return works(uv, "pip", "install", "--quiet", "--python", str(PYTHON), *pinned(lock))


def install_with_pip(lock: str, fresh: bool) -> bool:
    """Use the environment's own pip, or the host's where Debian's python3-venv is missing."""
    from importlib.util import find_spec

    own = find_spec("venv") and find_spec("ensurepip")
    if not own and not (find_spec("venv") and find_spec("pip")):
        sys.exit(
            "This Python can make no environment: sudo apt install python3-venv (or python3-full)."
        )
    if fresh and not works(
        base_python(), "-m", "venv", "--clear", *([] if own else ["--without-pip"]), str(VENV)
    ):
        return False
    pip = (
        [str(PYTHON), "-m", "pip"] if own else [base_python(), "-m", "pip", "--python", str(PYTHON)]
    )
    return works(*pip, "install", "--quiet", "--no-compile", *pinned(lock))


def pinned(lock: str) -> list[str]:
    """Return the arguments that install exactly the list: no resolving, no building, no surprises."""
    return ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(ROOT / lock)]


def base_python() -> str:
    """Return the Python outside any environment: ours may be about to be remade."""
    return getattr(sys, "_base_executable", None) or sys.executable


def works(*command: str) -> bool:
    """Run a command; what it says goes to the error stream, for stdout is the command's own."""
    import subprocess

    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode == 0


def say(text: str) -> None:
    """Tell the person, without touching what a script reads."""
    print(text, file=sys.stderr, flush=True)


def become(command: list[str]) -> int:
    """Replace this process; Windows cannot, so there we wait for the other."""
    if not WINDOWS:
        os.execv(command[0], command)
    import subprocess

    with subprocess.Popen(command) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:  # the child heard Ctrl-C too, and decides
                continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
