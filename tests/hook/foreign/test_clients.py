"""Programs that were made for aria2 take a download through its whole life with us, as they are.

The libraries of PyPI are among the test tools. Those of npm run where they are found.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.agent import Agent, until
from tests.foreign_clients import find
from tests.servers.media import Media, content

aria2p = pytest.importorskip("aria2p", reason="needs the test tools of today: python3 dev.py test")
aioaria2 = pytest.importorskip(
    "aioaria2", reason="needs the test tools of today: python3 dev.py test"
)
SLOW = 512 * 1024


@pytest.fixture(scope="module")
def media() -> Iterator[Media]:
    """A file server."""
    with Media() as media:
        yield media


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    """A whole agent."""
    with Agent(tmp_path_factory.mktemp("clients") / "home", DOWNLOADS__RETRIES="0") as agent:
        yield agent


@pytest.fixture
def secret(agent: Agent) -> str:
    """The secret of an aria2 client."""
    return str(agent.post("clients", {"kind": "aria2"})["secret"])


def saved(agent: Agent, name: str, size: int) -> bool:
    """Whether a file has arrived, whole."""
    path = agent.home / "downloads" / name
    return path.exists() and path.read_bytes() == content(name, size)


def test_aria2ps_command_line(agent: Agent, media: Media, secret: str) -> None:
    def run(*words: str) -> str:
        start = [sys.executable, "-m", "aria2p", "-H", "http://127.0.0.1", "-p", str(agent.port)]
        done = subprocess.run(
            [*start, "-s", secret, *words], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def state(name: str) -> str:
        rows = agent.get("downloads")["downloads"]
        return next((row["state"] for row in rows if row["filename"] == name), "")

    run("add", media.url("cli.bin", 20_000), media.url("slow.bin", 9_000_000, rate=SLOW / 16))
    until(lambda: saved(agent, "cli.bin", 20_000), "the file")
    until(lambda: state("slow.bin") == "active", "the slow one to start")
    shown = run("show")
    assert "slow.bin" in shown
    assert "complete" in shown

    run("pause", "--all")
    assert state("slow.bin") == "paused"
    run("resume", "--all")
    until(lambda: state("slow.bin") == "active", "the slow one to go on")
    run("remove", "--all")
    run("purge")
    assert agent.get("downloads")["downloads"] == []
    assert saved(agent, "cli.bin", 20_000)


def test_aria2ps_library_with_its_notifications(agent: Agent, media: Media, secret: str) -> None:
    client = aria2p.Client(host="http://127.0.0.1", port=agent.port, secret=secret)
    api = aria2p.API(client)
    heard: list[tuple[str, str]] = []
    api.listen_to_notifications(
        threaded=True,
        on_download_start=lambda _api, gid: heard.append(("start", gid)),
        on_download_pause=lambda _api, gid: heard.append(("pause", gid)),
        on_download_complete=lambda _api, gid: heard.append(("complete", gid)),
        timeout=0.2,
    )
    # It says no word on its socket by itself, so it hears nothing: we are silent before a token.
    download = api.add_uris(
        [media.url("lib.bin", 1_500_000, rate=SLOW)], options={"out": "library.bin", "split": "2"}
    )
    until(lambda: api.get_download(download.gid).is_active, "the start")
    assert download.pause()
    assert api.get_download(download.gid).is_paused
    assert api.get_options([api.get_download(download.gid)])[0].out == "library.bin"
    assert api.set_options({"max-download-limit": "3M"}, [api.get_download(download.gid)]) == [True]
    assert api.resume([api.get_download(download.gid)]) == [True]
    until(lambda: api.get_download(download.gid).is_complete, "the end")
    done = api.get_download(download.gid)
    api.stop_listening()

    assert done.files[0].path == agent.home / "downloads" / "library.bin"
    assert (done.progress, done.total_length, done.error_code) == (100.0, 1_500_000, "0")
    assert heard == []
    assert api.remove([done], clean=True) == [True]
    assert "There is no download" not in str(api.get_stats())


async def test_aioaria2_hears_what_it_began(agent: Agent, media: Media, secret: str) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def hear(_client: object, message: Any) -> None:
        heard.put_nowait(message)

    url = f"http://127.0.0.1:{agent.port}/jsonrpc"
    client = await aioaria2.Aria2WebsocketClient.new(url, token=secret)
    try:
        client.onDownloadComplete(hear)
        await client.getVersion()
        gid = await client.addUri([media.url("aio.bin", 10_000)])
        async with asyncio.timeout(10):
            message = await heard.get()
        status = await client.tellStatus(gid, ["status", "completedLength"])
    finally:
        await client.close()

    assert message["params"] == [{"gid": gid}]
    assert status == {"status": "complete", "completedLength": "10000"}


SCRIPT = """
import ws from "ws";
globalThis.WebSocket ??= ws;  // node has its own since 22
const { default: Aria2 } = await import("%s");
const [port, secret, url] = process.argv.slice(2);
const aria2 = new Aria2({host: "127.0.0.1", port: Number(port), secure: false, secret, path: "/jsonrpc"});
const told = [];
for (const what of ["onDownloadStart", "onDownloadComplete"]) {
  const note = () => told.push(what);
  aria2.addEventListener ? aria2.addEventListener(what, note) : aria2.on(what, note);
}
await aria2.open();
const results = {};
results.version = await aria2.call("getVersion");
results.gid = await aria2.call("addUri", [url]);
for (let i = 0; i < 200; i++) {
  results.status = await aria2.call("tellStatus", results.gid, ["status"]);
  if (results.status.status === "complete") break;
  await new Promise((r) => setTimeout(r, 25));
}
results.multi = await aria2.multicall([["getGlobalStat"], ["tellStopped", 0, 10, ["gid"]]]);
results.batch = await Promise.all(await aria2.batch([["getVersion"], ["tellActive"]]));
results.told = told;
await aria2.close();
console.log(JSON.stringify(results));
process.exit(0);
"""


@pytest.mark.parametrize("package", ["aria2", "@baptistecdr/aria2"])
def test_npms_libraries(agent: Agent, media: Media, secret: str, package: str) -> None:
    folder = find("npm")
    script = folder / "life.mjs"
    script.write_text(SCRIPT % package)
    name = package.strip("@").replace("/", "-")
    url = media.url(f"{name}.bin", 10_000)
    done = subprocess.run(
        ["node", str(script), str(agent.port), secret, url],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)

    assert results["status"] == {"status": "complete"}
    assert "version" in results["version"]
    assert len(results["multi"]) == len(results["batch"]) == 2
    assert "onDownloadComplete" in results["told"]
