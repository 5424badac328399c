"""Every command answers --help, every error ends in words and an exit code, never in a traceback."""

import contextlib
import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.e2e.agent import environ
from tests.patience import patience
from trayagent.cli.main import HOMES, main, trayagent
from trayagent.cli.run import commit_of

CONTRACT = (
    "run get add list status show why pause resume cancel retry remove clear sync source verify plan"
    " undo open dashboard pair config autostart bookmarklet doctor logs demo completion quit version sites"
).split()
FREE = {"run", "get", "demo", "plan", "config", "autostart", "bookmarklet"} | {
    "doctor",
    "logs",
    "completion",
    "version",
    "source",
    "sites",
}


@pytest.mark.parametrize("command", CONTRACT)
def test_every_command_of_the_contract_explains_itself(run: Run, command: str) -> None:
    said = run(command, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: trayagent {command}")


def test_no_command_is_undocumented() -> None:
    assert set(CONTRACT) <= set(HOMES)


@pytest.mark.parametrize("command", sorted(set(CONTRACT) - FREE))
def test_without_an_agent_a_command_says_so_with_exit_code_3(run: Run, command: str) -> None:
    arguments = {
        "add": ["http://127.0.0.1/x"],
        "show": ["d1"],
        "why": ["d1"],
        "cancel": ["d1"],
        "remove": ["d1"],
        "retry": ["d1"],
        "open": ["d1"],
    }
    said = run(command, *arguments.get(command, []))
    assert said.code == 3
    assert "not running" in said.err
    assert "trayagent run" in said.err


def test_a_mistyped_command_is_named_with_its_neighbour(run: Run) -> None:
    said = run("stauts")
    assert said.code == 2
    assert "Did you mean 'status'?" in said.err


def test_an_address_without_a_command_is_met_halfway(run: Run) -> None:
    assert "trayagent add URL" in run("https://example.com/film.mp4").err


def test_errors_are_json_where_json_was_asked_for(run: Run) -> None:
    said = run("list", "--json")
    assert said.code == 3
    assert said.out == ""
    assert '"code": "not_running"' in said.err


def test_the_version_is_also_asked_for_as_of_other_programs(run: Run) -> None:
    assert run("--version") == run("version")
    assert run("--version").code == 0


def test_an_unexpected_error_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by night")

    monkeypatch.setattr("trayagent.cli.run.commit_of", broken)
    said = run("version")
    assert said.code == 1
    assert "Traceback" not in said.err
    assert "ZeroDivisionError: by night" in said.err


@pytest.mark.parametrize("time", ["0s", "1s", "59.9s", "8761h"])
def test_a_pause_is_as_long_as_it_was_asked_for_or_refused(run: Run, time: str) -> None:
    said = run("pause", "--for", time)
    assert said.code == 2
    assert "between a minute and a year" in said.err
    assert run("pause", "--for", "1m").code == run("pause", "--for", "8760h").code == 3


def test_ctrl_c_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trayagent.cli.run.commit_of", interrupted)
    assert run("version").code == 130


INTERRUPTED = """
import runpy, sys
class Lost:
    def __del__(self):
        raise KeyboardInterrupt
class Interrupts:
    def find_spec(name, path, target):
        if name == "trayagent.{module}":
            {how}
sys.meta_path.insert(0, Interrupts)
runpy.run_module("trayagent", run_name="__main__")
"""
STARTS = [
    (command, module)
    for command, modules in {
        "version": "cli cli.main cli.exits cli.run model.errors",
        "get http://127.0.0.1:9/x": "cli.get.command oneshot net.request transfer.transfer",
        "run --headless --port 0": "cli.run app wiring hook.server",
        "run --tray none --port 0": "app",
    }.items()
    for module in modules.split()
]


@pytest.mark.parametrize(
    "how",
    [
        "raise KeyboardInterrupt",
        "raise RuntimeError('Error calling __set_name__') from KeyboardInterrupt()",
        "Lost(); [None for _ in range(10**8)]",
    ],
)
@pytest.mark.parametrize(("command", "module"), STARTS)
def test_ctrl_c_is_as_quiet_while_a_command_is_loaded(
    command: str, module: str, how: str, tmp_path: Path
) -> None:
    program = INTERRUPTED.format(how=how, module=module)
    done = subprocess.run(
        [sys.executable, "-c", program, *command.split()],
        env=environ(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.lstrip().startswith("Interrupted.\n")
    assert "Traceback" not in done.stderr


def test_ctrl_c_before_the_tray_is_there_ends_the_agent_too(tmp_path: Path) -> None:
    program = """
import sys
from trayagent.cli.main import main
from trayagent.desktop.tray import choice
def interrupted(*_):
    raise KeyboardInterrupt
choice.choose_tray = interrupted
sys.exit(main(["run", "--port", "0"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environ(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=patience(20),
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "Interrupted.")
    assert not (tmp_path / "runtime.json").exists()


def test_nothing_is_loaded_before_ctrl_c_is_heard() -> None:
    """What `__main__` itself imports is built into Python: it takes no time to load."""
    program = "import sys; before = set(sys.modules); import trayagent.__main__; "
    show = "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", program + show], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {"_thread", "gc", "trayagent", "trayagent.__main__"}


@pytest.mark.skipif(sys.platform == "win32", reason="only a shell can close a stream for another")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "code"), [("list", 3), ("get", 2), ("version", 0), ("-h", 0)])
def test_closed_streams_change_nothing_but_what_is_said(closed: str, words: str, code: int) -> None:
    script = f'exec "$0" -m trayagent {words} {closed}'
    done = subprocess.run(["sh", "-c", script, sys.executable], capture_output=True, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stdout + done.stderr


def test_a_program_without_streams_runs_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["version"]) == 0
    assert main(["list"]) == 3
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.close()


def test_the_version_names_the_commit(tmp_path: object) -> None:
    from pathlib import Path

    package = Path(str(tmp_path)) / "trayagent"
    package.mkdir()
    assert commit_of(package) is None
    git = package.parent / ".git"
    (git / "refs/heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text("# pack-refs\nabc123 refs/heads/main\n")
    assert commit_of(package) == "abc123"
    (git / "refs/heads/main").write_text("def456\n")
    assert commit_of(package) == "def456"
    (package / "commit.txt").write_text("0a1b2c\n")
    assert commit_of(package) == "0a1b2c"


def test_add_loads_nothing_heavy() -> None:
    heavy = "aiohttp rich asyncio PIL watchdog keyring sqlite3 logging".split()
    program = (
        "import sys\n"
        "from trayagent.cli.main import main\n"
        "main(['add', 'http://127.0.0.1/x'])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) & set(heavy) == set()


def test_the_completion_scripts_name_our_program(run: Run) -> None:
    for shell in ("bash", "zsh", "fish", "powershell"):
        said = run("completion", shell)
        assert said.code == 0
        assert "_TRAYAGENT_COMPLETE" in said.out


def test_the_group_lists_each_command_once() -> None:
    with trayagent.make_context("trayagent", ["--help"], resilient_parsing=True) as context:
        listed = trayagent.list_commands(context)
    assert len(listed) == len(set(listed))


@pytest.mark.skipif(sys.platform != "win32", reason="other systems look at PATH alone")
def test_no_program_of_the_current_folder_is_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NoDefaultCurrentDirectoryInExePath", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(r"C:\Windows\System32\hostname.exe", tmp_path / "planted.exe")
    assert subprocess.run(["planted"], check=False).returncode == 0, "it is found there, as a rule"
    run("version")
    with pytest.raises(FileNotFoundError):
        subprocess.run(["planted"], check=False)


@pytest.mark.parametrize("text", [b"", b"# nothing new today\n\n"])
@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (("add", "-"), {"batch": None, "batches": [], "downloads": [], "rejected": []}),
        (("get", "-i", "-"), {"downloads": [], "rejected": []}),
        (("plan", "-"), {"list": "-", "counts": {}, "lines": []}),
    ],
)
def test_an_empty_list_is_done_at_once(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    answer: dict[str, object],
    text: bytes,
) -> None:
    """As in the drop folder: whoever pipes a list into us may have found nothing new; no agent is needed."""
    for options in ((), ("--json",)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        said = run(*command, *options)
        assert (said.code, said.err) == (0, "")
        assert said.json == answer if options else "empty" in said.out or "0 entries" in said.out


@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "latin-1"])
def test_a_secret_is_read_in_whatever_coding_it_comes(
    run: Run, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    """PowerShell pipes UTF-16, and a browser's export may hold a cookie of another site in Latin-1."""
    given: list[str] = []

    class Running:
        def get(self, _: str) -> dict[str, str]:
            return {}

        def post(self, _: str, body: dict[str, str]) -> dict[str, str | None]:
            given.append(body["secret"])
            return {"name": "shots", "account": "me", "until": None}

    monkeypatch.setattr("trayagent.cli.source.agent", lambda: contextlib.nullcontext(Running()))
    text = "a.example\tTRUE\t/\tTRUE\t0\tname\tcafé"
    stream = io.TextIOWrapper(io.BytesIO(text.encode(coding)), "utf-8", "strict")
    monkeypatch.setattr(sys, "stdin", stream)
    assert run("source", "login", "shots", "--stdin").code == 0
    assert given == [text]
