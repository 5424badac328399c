"""One large file over plain HTTP."""

from tests.bench import files, peers
from tests.bench.workload import Goal, Workload

WORKLOAD = Workload(
    name="plain",
    about="1 GiB over HTTP",
    prepare=files.one("plain.bin", 2**30),
    cases=lambda server, names: [
        peers.curl(f"{server.plain}/{names[0]}"),
        peers.aria2("-x1", "-s1", f"{server.plain}/{names[0]}", name="aria2c -x1"),
        peers.wget2(f"{server.plain}/{names[0]}"),
        peers.ours(f"{server.plain}/{names[0]}"),
    ],
    goals=(
        Goal("trayagent", "curl", "wall", 0.80),
        Goal("trayagent", "curl", "cpu", 0.80),
        Goal("trayagent", "aria2c -x1", "wall", 0.60),
        Goal("trayagent", "aria2c -x1", "cpu", 0.60),
        Goal("trayagent", "", "rss", 60),
    ),
)
