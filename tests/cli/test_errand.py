"""The errand behind `get`: whatever becomes of one download, the others go on."""

from __future__ import annotations

from pathlib import Path

from trayagent.cli.errand import Errand, Terms
from trayagent.model.download import Download, Item, State
from trayagent.model.order import Job
from trayagent.model.transfer import Fetched, Progress, Request, Target


class Silent:
    """A watcher that looks away."""

    def show(self, download: Download) -> None: ...

    def moved(self, id: str, received: int, size: int | None) -> None: ...

    def refused(self, url: str, code: str, message: str) -> None: ...


class Buggy:
    """Fetches everything at once, but for one address, over which it stumbles."""

    async def fetch(
        self, job: Job, request: Request, target: Target, progress: Progress
    ) -> Fetched:
        if request.url.startswith("http://h/bug"):
            raise ValueError(request.url)
        return Fetched(target.folder / request.url.rpartition("/")[2], 1)


async def test_a_fault_of_ours_fails_one_download_only(tmp_path: Path) -> None:
    """It is `internal` for that one, and says nothing of what the address holds."""
    errand = Errand(Terms(tmp_path, workers=2, per_host=2, retries=0), Silent())
    await errand.add(Item(f"http://h/{name}") for name in ("a", "bug?key=CANARY", "b", "c"))
    await errand.run(Buggy())

    bad, *good = sorted(errand.ended.values(), key=lambda one: one.state == State.COMPLETED)
    assert bad.error
    assert (bad.state, bad.error.code) == (State.FAILED, "internal")
    assert "ValueError" in bad.error.message
    assert "CANARY" not in bad.error.message
    assert [one.state for one in good] == [State.COMPLETED] * 3
