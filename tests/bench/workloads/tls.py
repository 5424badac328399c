"""One large file over TLS."""

from tests.bench import files, peers
from tests.bench.workload import Goal, Workload

WORKLOAD = Workload(
    name="tls",
    about="1 GiB over HTTPS",
    prepare=files.one("plain.bin", 2**30),
    cases=lambda server, names: [
        peers.curl(f"{server.tls}/{names[0]}", server.ca),
        peers.aria2("-x1", "-s1", f"{server.tls}/{names[0]}", name="aria2c -x1", ca=server.ca),
        peers.ours(f"{server.tls}/{names[0]}", ca=server.ca),
    ],
    goals=(
        Goal("trayagent", "curl", "wall", 1.05),
        Goal("trayagent", "aria2c -x1", "wall", 0.70),
        Goal("trayagent", "", "rss", 60),
    ),
)
