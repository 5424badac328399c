"""A library's worth of pictures over TLS."""

from tests.bench import files, peers
from tests.bench.workload import Goal, Workload

WORKLOAD = Workload(
    name="images",
    about="2,000 files of 20-400 KB over HTTPS, 4 at a time",
    prepare=files.many("images", 2000, 20_000, 400_000, ".jpg"),
    cases=lambda server, names: [
        peers.aria2(
            "-x1", "-j4", "-i", f"{server.root}/images-tls.txt", name="aria2c -j4", ca=server.ca
        ),
        peers.wget2(
            "--max-threads=4",
            f"--ca-certificate={server.ca}",
            "-i",
            f"{server.root}/images-tls.txt",
        ),
        peers.ours("-i", f"{server.root}/images-tls.txt", "--workers", "4", ca=server.ca),
        peers.queued(server.root / "images-tls.txt", ca=server.ca),
    ],
    goals=(
        Goal("trayagent", "aria2c -j4", "wall", 1.00),
        Goal("trayagent's queue", "aria2c -j4", "wall", 1.30),
        Goal("trayagent", "", "rss", 60),
        Goal("trayagent's queue", "", "rss", 60),
    ),
    rounds=4,
)
