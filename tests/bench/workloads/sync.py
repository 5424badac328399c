"""An image sync whose server takes its time: four at a time, and nothing lost between."""

import sys

from tests.bench.measure import Case
from tests.bench.workload import Goal, Workload

PROGRAM = (sys.executable, "-m", "tests.bench.sync_program", "{out}")

WORKLOAD = Workload(
    name="sync",
    about="42 images of 2 s each, 4 at a time, no delay between pages",
    prepare=lambda server: (),
    cases=lambda server, names: [
        Case("eleven rounds of 2 s", (*PROGRAM, "ideal")),
        Case("trayagent", PROGRAM, ours=True),
    ],
    goals=(Goal("trayagent", "eleven rounds of 2 s", "wall", 1.03),),
    rounds=1,
)
