"""A real CPython for Windows on this Linux machine: made once, kept in a cache folder, run by Wine.

    python3 tests/windows/bench.py      make it if need be, and say where it is

Where the pieces come from:

- python311.dll, the extension modules, OpenSSL and SQLite: the Windows wheel of panda3d, which
  carries python.org's own files for making Windows programs on other systems;
- the C runtime: the wheel of msvc-runtime; both wheels are pinned by version and SHA-256;
- the library in Python: that of the Python 3.11 that runs this, whose files serve all systems;
- python.exe, and two small DLLs: compiled here, from python.c, prng.c and a list of names;
- the packages: the Windows wheels of our own lists, with their hashes.

The cache folder holds one folder for each state of all that (its name is their hash), complete or
not there at all, and Wine's own folder (its drive C:). It may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
LOCKS: Final = ("requirements-test.lock", "requirements-packaging.lock")
PIECES: Final = """\
panda3d==1.10.16 --hash=sha256:37acfb92655c4226879f95c988e2ef1449a53c54486d6c1ebc00e2772429af82
msvc-runtime==14.44.35112 --hash=sha256:aba7fbe71897d25ed53fbb7f391e9f50289378a8a9ae218ba18530c663448391
"""
UNUSED: Final = frozenset({"mypy", "ruff", "playwright", "axe-playwright-python", "uv"})
"""Large tools that look at the source or drive a browser: they do that on Linux."""

PROGRAMS: Final = {
    "wine": "wine",
    "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32",
}
FOR_WINDOWS: Final = (
    "--only-binary=:all: --no-deps --platform win_amd64 --python-version 3.11 "
    "--implementation cp --abi cp311 --abi abi3 --abi none --require-hashes"
).split()
MACHINE: Final = {
    "python_full_version": "3.11.9",
    "python_version": "3.11",
    "sys_platform": "win32",
    "os_name": "nt",
    "platform_system": "Windows",
    "platform_machine": "AMD64",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "implementation_version": "3.11.9",
    "extra": "",
}
PASSING: Final = "run-"
"""How the name of a folder begins that ends with what made it: a Windows for one test, a bench not yet complete."""
SLICE_SECONDS: Final = 2.0
"""How often a running program is looked at."""
NOT_COPIED: Final = (
    "__pycache__ site-packages dist-packages lib-dynload test idlelib tkinter ensurepip "
    "config-* _sysconfigdata* sitecustomize.py EXTERNALLY-MANAGED"
).split()


class BenchError(Exception):
    """The bench cannot be made here; the text says what to do."""


@dataclass(frozen=True)
class Bench:
    """A Windows Python, and the Wine folder it runs in."""

    folder: Path
    prefix: Path

    @property
    def python(self) -> Path:
        """python.exe; pythonw.exe and Lib lie beside it."""
        return self.folder / "python.exe"

    def environment(self, **more: str) -> dict[str, str]:
        """What Wine needs of the environment, no display among it, and `more`."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.prefix.parent),
            "LC_ALL": "C.UTF-8",
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            **more,
        }

    @contextmanager
    def apart(self) -> Iterator[Bench]:
        """Yield the same Python in a Windows of its own: registry, desktop and processes end with the block.

        Its folder is locked as long as the block lasts. One that is not was left by a killed run.
        """
        base = self.prefix.parent
        with ExitStack() as stack:
            with locked(base / "lock"):  # or it would be swept away before it has its own lock
                own = tempfile.TemporaryDirectory(
                    dir=base, prefix=PASSING, ignore_cleanup_errors=True
                )
                folder = Path(stack.enter_context(own))
                stack.enter_context(locked(folder / "lock"))
            fresh = Bench(self.folder, folder / "prefix")
            # Wine's programs are never changed, so a second name is as good as a copy.
            shutil.copytree(
                self.prefix,
                fresh.prefix,
                symlinks=True,
                ignore=leave_temporary,
                copy_function=link_or_copy,
            )
            try:
                yield fresh
            finally:
                fresh.end()

    def end(self) -> None:
        """End every process of this Windows."""
        subprocess.run(["wineserver", "-k"], env=self.environment(), check=False, timeout=60)

    def start(
        self,
        *words: str,
        cwd: Path = ROOT,
        program: Path | None = None,
        streams: bool = True,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.Popen[bytes]:
        """Start python.exe, or another program, with these words.

        Its streams are pipes, for under Wine it cannot start with plain files; or there are none.
        """
        stream = subprocess.PIPE if streams else None
        return subprocess.Popen(
            ["nice", "-n", "5", "wine", str(program or self.python), *words],
            cwd=cwd,
            env=self.environment(**environment),
            stdin=stream,
            stdout=stream,
            stderr=stream,
        )

    def run(
        self,
        *words: str,
        seconds: float = 60,
        cwd: Path = ROOT,
        program: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run python.exe to its end."""
        with self.start(*words, cwd=cwd, program=program, environment=environment) as process:
            try:
                out, err = read_to_end(process, seconds)
            finally:
                process.kill()
        return subprocess.CompletedProcess(words, process.returncode, out, err)


def read_to_end(process: subprocess.Popen[bytes], seconds: float) -> tuple[bytes, bytes]:
    """What a program says until it ends; what it started may live on and hold its streams. Raises TimeoutExpired."""
    deadline = time.monotonic() + seconds
    ended = False
    while True:
        try:
            return process.communicate(timeout=SLICE_SECONDS)
        except subprocess.TimeoutExpired as so_far:
            if ended:  # for a whole slice: all that it said has been read
                return so_far.output or b"", so_far.stderr or b""
            ended = process.poll() is not None
            if not ended and time.monotonic() > deadline:
                raise


def link_or_copy(source: str, target: str) -> str:
    """Give a program of Wine a second name; copy what may change: the registry."""
    if source.endswith(".reg"):
        shutil.copy2(source, target)
    else:
        os.link(source, target)
    return target


def leave_temporary(folder: str, names: list[str]) -> list[str]:
    """What nobody copies: the temporary files of programs that ran in Wine's own folder."""
    return names if Path(folder).name == "Temp" else []


def windows_path(path: Path) -> str:
    """Return what Wine calls one of our files."""
    return "Z:" + str(path).replace("/", "\\")


def cache() -> Path:
    """Where benches are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "trayagent-windows-bench")


def lacking() -> str | None:
    """Return what this machine lacks and how to get it, or None."""
    missing = sorted(PROGRAMS[name] for name in PROGRAMS if shutil.which(name) is None)
    if missing:
        return f"needs Wine and a compiler, Debian's packages {' '.join(missing)}"
    if sys.version_info[:2] != (3, 11):
        return "needs Python 3.11, whose library the Windows Python shares"
    return None


def make(where: Path | None = None) -> Bench:
    """Return the bench of today's lists; made first if it is not there (three minutes). Raises BenchError."""
    if reason := lacking():
        raise BenchError(reason)
    where = where or cache()
    where.mkdir(parents=True, exist_ok=True)
    bench = Bench(where / key(), where / "prefix")
    with locked(where / "lock"):
        sweep(where)
        if not bench.prefix.exists():
            say("Setting up Wine's folder: once, about a minute.")
            set_up_wine(bench)
        if not bench.folder.exists():
            say("Setting up a Windows Python: once for each list of packages, about two minutes.")
            with tempfile.TemporaryDirectory(dir=where, prefix=PASSING) as work:
                assemble(Path(work))
                (Path(work) / "python").rename(bench.folder)
    return bench


def key() -> str:
    """Return the hash of everything that goes into it."""
    own = ("bench.py", "python.c", "prng.c", "sitecustomize.py")
    parts = [*(ROOT / lock for lock in LOCKS), *(HERE / name for name in own)]
    whole = hashlib.sha256(sys.version.encode())
    for part in parts:
        whole.update(hashlib.sha256(part.read_bytes()).digest())
    return whole.hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock; it ends with this process, and programs that it started do not inherit it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(where: Path) -> None:
    """End and remove what killed runs have left: a Windows that still lives holds its lock."""
    for folder in where.glob(f"{PASSING}*"):
        with suppress(FileNotFoundError), (folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            Bench(where, folder / "prefix").end()
            shutil.rmtree(folder, ignore_errors=True)


def assemble(work: Path) -> None:
    """Make the folder `python` in `work`."""
    python, wheels = work / "python", work / "wheels"
    (python / "DLLs").mkdir(parents=True)
    wheels.mkdir()
    (work / "pieces.txt").write_text(PIECES)
    pip("download", "-d", str(wheels), *FOR_WINDOWS, "-r", str(work / "pieces.txt"))
    unpack(next(wheels.glob("panda3d-*")), python, next(wheels.glob("msvc_runtime-*")))
    compile_programs(python, work)
    shutil.copytree(
        sysconfig.get_path("stdlib"), python / "Lib", ignore=shutil.ignore_patterns(*NOT_COPIED)
    )
    shutil.copy(HERE / "sitecustomize.py", python / "Lib")
    (work / "packages.txt").write_text("".join(f"{line}\n" for line in windows_packages()))
    site = python / "Lib/site-packages"
    pip(
        "install", "--target", str(site), "--no-compile", "--root-user-action=ignore",
        *FOR_WINDOWS, "-r", str(work / "packages.txt"),
    )  # fmt: skip


def unpack(panda: Path, python: Path, runtime: Path) -> None:
    """Take the interpreter and the C runtime out of their wheels."""
    with zipfile.ZipFile(panda) as wheel:
        for name in wheel.namelist():
            folder, _, file = name.rpartition("/")
            if folder != "deploy_libs" or file == "_tkinter.pyd":  # its Tcl library is not there
                continue
            if file == "python311.dll":
                (python / file).write_bytes(wheel.read(name))
            elif (
                file.endswith(".pyd") or file == "sqlite3.dll" or re.fullmatch(r"lib.*\.dll", file)
            ):
                (python / "DLLs" / file).write_bytes(wheel.read(name))
    with zipfile.ZipFile(runtime) as wheel:
        for name in wheel.namelist():
            file = name.rpartition("/")[2]
            if re.fullmatch(r"(vcruntime|msvcp)140.*\.dll", file):
                (python / file).write_bytes(wheel.read(name))


def compile_programs(python: Path, work: Path) -> None:
    """Make what no wheel carries: python.exe, pythonw.exe, python3.dll, bcryptprimitives.dll."""
    tool = "x86_64-w64-mingw32-"
    (work / "python311.def").write_text("LIBRARY python311.dll\nEXPORTS\nPy_Main\n")
    library = work / "libpython311.a"
    run(f"{tool}dlltool", "-d", str(work / "python311.def"), "-l", str(library))
    for program, options in (
        ("python.exe", ["-mconsole"]),
        ("pythonw.exe", ["-mwindows", "-DWINDOWLESS"]),
    ):
        out = str(python / program)
        source = [str(HERE / "python.c"), str(library)]
        run(f"{tool}gcc", "-O2", "-s", "-municode", *options, *source, "-o", out)
    # Wheels of the limited API ask python3.dll for what python311.dll has under the same name.
    table = run(f"{tool}objdump", "-p", str(python / "python311.dll"))
    table = table.partition("Ordinal/Name Pointer")[2].partition("\n\n")[0]
    names = re.findall(r"^\t\[.*\s(_?Py\w+)$", table, re.MULTILINE)
    lines = [f"{name} = python311.{name}\n" for name in names]
    (work / "python3.def").write_text("LIBRARY python3.dll\nEXPORTS\n" + "".join(lines))
    (work / "nothing.c").write_text("int nothing_;\n")
    forwarder = [str(work / "nothing.c"), str(work / "python3.def")]
    run(
        f"{tool}gcc", "-s", "-shared", "-nostdlib", "-Wl,--entry=0", *forwarder,
        "-o", str(python / "python3.dll"),
    )  # fmt: skip
    random = str(python / "bcryptprimitives.dll")
    run(f"{tool}gcc", "-O2", "-s", "-shared", str(HERE / "prng.c"), "-o", random, "-ladvapi32")


def windows_packages() -> Iterator[str]:
    """Yield what our lists name for Windows and Python 3.11, with its hashes.

    pip would judge the markers by the system it runs on, so they are judged here.
    """
    from packaging.markers import Marker

    seen = set(UNUSED)
    for lock in LOCKS:
        for line in (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines():
            found = re.match(
                r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)\s*(?:;\s*(?P<marker>.*?))?\s*(?P<hashes>(?:--hash=\S+\s*)+)$",
                line.strip(),
            )
            if not found or found["name"] in seen:
                continue
            if found["marker"] and not Marker(found["marker"]).evaluate(MACHINE):
                continue
            seen.add(found["name"])
            yield f"{found['name']}=={found['version']} {found['hashes']}"


def set_up_wine(bench: Bench) -> None:
    """Make Wine's folder; the profile's Documents and Downloads are folders, no links into the real home."""
    with tempfile.TemporaryDirectory(dir=bench.prefix.parent, prefix=PASSING) as work:
        fresh = Bench(bench.folder, Path(work, "prefix"))
        variables = fresh.environment(WINEDLLOVERRIDES="mscoree,mshtml=", WINEARCH="win64")
        quiet = {"env": variables, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            subprocess.run(["wineboot", "-i"], check=True, timeout=300, **quiet)  # type: ignore[call-overload]
            subprocess.run(["wineserver", "-w"], check=True, timeout=60, **quiet)  # type: ignore[call-overload]
        except subprocess.SubprocessError as error:
            raise BenchError(f"has no drive C: {error}") from error
        for link in fresh.prefix.glob("drive_c/users/*/*"):
            if link.is_symlink():
                link.unlink()
                link.mkdir()
        fresh.prefix.rename(bench.prefix)


def pip(*words: str) -> None:
    """Run the pip that this machine has: the environment's own, else that of its Python."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    run(sys.executable if find_spec("pip") else base, "-m", "pip", "-q", *words)


def run(*command: str) -> str:
    """Run a tool; returns what it printed. Raises BenchError with its complaint."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def say(text: str) -> None:
    """Tell the person."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print(make().python)
    except BenchError as error:
        sys.exit(f"The Windows bench {error}")
