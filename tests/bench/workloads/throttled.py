"""One file from a server that allows each connection 2 MB/s."""

from tests.bench import files, peers
from tests.bench.workload import Goal, Workload

WORKLOAD = Workload(
    name="throttled",
    about="64 MiB at 2 MB/s for each connection",
    prepare=files.one("throttled.bin", 2**26),
    cases=lambda server, names: [
        peers.aria2("-x16", "-s16", "-k1M", f"{server.plain}/slow/{names[0]}", name="aria2c -x16"),
        peers.ours("--segments", "16", f"{server.plain}/slow/{names[0]}", name="trayagent 16"),
        peers.ours(f"{server.plain}/slow/{names[0]}", name="trayagent auto"),
    ],
    goals=(
        Goal("trayagent 16", "aria2c -x16", "wall", 1.00),
        Goal("trayagent auto", "aria2c -x16", "wall", 1.05),
        Goal("trayagent 16", "", "rss", 60),
        Goal("trayagent auto", "", "rss", 60),
    ),
)
