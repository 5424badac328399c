"""Very many very small files."""

from tests.bench import files, peers
from tests.bench.workload import Goal, Workload

WORKLOAD = Workload(
    name="small",
    about="10,000 files of 4 KB, 4 at a time",
    prepare=files.many("small", 10_000, 4096, 4096, ".bin"),
    cases=lambda server, names: [
        peers.aria2("-x1", "-j4", "-i", f"{server.root}/small-plain.txt", name="aria2c -j4"),
        peers.curl_list(server.root / "small-plain.curl"),
        peers.wget2("--max-threads=4", "-i", f"{server.root}/small-plain.txt"),
        peers.ours("-i", f"{server.root}/small-plain.txt", "--workers", "4"),
    ],
    goals=(Goal("trayagent", "aria2c -j4", "wall", 0.90), Goal("trayagent", "", "rss", 60)),
    rounds=3,
)
