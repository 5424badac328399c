"""A sync finds every item once, fetches each file once, and never loses what was here."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.agent.library.running_library import ALICE, BOB, digest_of, flow, running_library
from tests.privacy import is_private
from tests.servers import flow_data as data
from tests.servers.flow import FakeFlow
from trayagent.agent.library import sync
from trayagent.model.errors import StoreUnavailableError
from trayagent.model.events import DownloadEvent, Event, SyncEvent
from trayagent.store.secrets import Vault

NAMES = "f8c2d751a5d745e1535691a94743575cac431c9e3661d561e95981dc1f7b89ca"
BODIES = "106c0ec4d4023dc321a89f60b59859b882f7e7ab57f775adf5fe286ce1cf6318"
LIST, MEDIA, SESSION = (
    "/fx/api/trpc/media.fetchUserHistoryDirectly",
    "/v1/media",
    "/fx/api/auth/session",
)


@pytest.fixture
def fake() -> Iterator[FakeFlow]:
    with FakeFlow() as server:
        yield server


@pytest.fixture
def alice(fake: FakeFlow) -> list[data.FlowMedium]:
    return data.images_of("alice")


async def test_all_42_images_arrive_byte_for_byte(
    tmp_path: Path, fake: FakeFlow, alice: list[data.FlowMedium]
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
        items = {item.name: item for item in await agent.items()}
        source = await agent.source()
    assert (run.state, run.seen, run.new, run.fetched, run.failed) == ("complete", 42, 42, 42, 0)
    assert (
        hashlib.sha256("\n".join(m.name for m in alice if m.name in items).encode()).hexdigest()
        == NAMES
    )
    paths = [Path(items[m.name].local_path or "") for m in alice]
    assert digest_of([path.read_bytes() for path in paths]) == BODIES
    assert (source.items, source.present, source.missing, source.gone) == (42, 42, 0, 0)
    assert source.account == "alice@example.test"
    assert source.signed_in
    stats = fake.state.stats()
    assert (stats["not_raw"], stats["leaks"]) == (0, 0)
    assert stats["requests"][MEDIA] == 42
    for medium, path in zip(alice, paths, strict=True):
        when = datetime.fromisoformat(medium.created)
        assert path.parent.name == when.astimezone().strftime("%Y-%m-%d")
        assert path.stem == medium.key
        assert abs(path.stat().st_mtime - when.timestamp()) < 0.01
    assert {path.suffix for path in paths} == {".png", ".jpg", ".gif", ".webp", ".bin"}


async def test_files_that_come_one_upon_the_other_are_told_of_meanwhile(
    tmp_path: Path, fake: FakeFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each within the shortest time between two tellings: people see the sum grow all the same."""
    ticks = count(0.0, 0.4 * sync.PROGRESS_SECONDS)
    monkeypatch.setattr(sync, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        told = {
            event.run.fetched
            for event in agent.events
            if isinstance(event, SyncEvent) and event.what == "progress"
        }
    assert 42 / 4 < len(told) < 42 / 2


@pytest.mark.parametrize(
    ("pagination", "rows", "state", "new"),
    [
        ("overlap", 42, "complete", 42),
        ("heavy_overlap", 42, "complete", 42),
        ("loop", 42, "complete", 42),
        ("stuck", 18, "incomplete", 18),
        ("end_null", 42, "complete", 42),
        ("end_empty", 42, "complete", 42),
        ("end_emptypage", 42, "complete", 42),
        ("dup_in_page", 42, "complete", 42),
        ("insert_mid", 42, "complete", 42),
        ("delete_mid", 41, "complete", 41),
        ("missing_mgid", 42, "complete", 42),
        ("inner_500", 0, "failed", 0),
    ],
)
async def test_every_pagination_gives_each_item_once(
    tmp_path: Path, fake: FakeFlow, pagination: str, rows: int, state: str, new: int
) -> None:
    fake.scenario(pagination=pagination)
    async with running_library(tmp_path, flow(fake), sleep=no_wait) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
        items = await agent.items()
        if pagination == "insert_mid":
            run_after = await agent.sync()
            assert (run_after.seen, run_after.new) == (43, 1)
    assert (len(items), len({item.name for item in items})) == (rows, rows)
    assert (run.state, run.new, run.gone) == (state, new, 0)
    assert (run.error is None) == (state == "complete")
    assert len(agent.files()) >= rows
    if pagination == "missing_mgid":
        item = next(item for item in items if item.name == data.image("alice", 7).name)
        assert item.media_key == data.image("alice", 7).key
        assert item.workflow_id == data.image("alice", 7).workflow


async def test_a_loop_marks_nothing_gone(tmp_path: Path, fake: FakeFlow) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync(list_only=True)
        fake.state.delete("alice", [3])
        fake.scenario(pagination="loop")
        run = await agent.sync(list_only=True)
    assert (run.state, run.seen, run.gone) == ("complete", 41, 0)


async def test_four_at_a_time(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(latency_ms=50)
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
    assert 3 <= fake.state.max_inflight[MEDIA] <= 4


async def test_a_second_run_fetches_nothing_and_a_deleted_file_once(
    tmp_path: Path, fake: FakeFlow
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        before = {item.name: item.local_path for item in await agent.items()}
        asked = fake.state.requests[MEDIA]
        again = await agent.sync()
        assert (again.state, again.new, again.wanted) == ("complete", 0, 0)
        assert fake.state.requests[MEDIA] == asked
        assert {item.name: item.local_path for item in await agent.items()} == before
        lost, cut = list(before.values())[3], list(before.values())[4]
        assert lost
        assert cut
        Path(lost).unlink()
        run = await agent.sync()
        assert (fake.state.requests[MEDIA], run.fetched) == (asked + 1, 1)
        assert {item.name: item.local_path for item in await agent.items()} == before
        Path(cut).write_bytes(b"cut off")
        run = await agent.sync()
        assert run.fetched == 1
        assert Path(cut).read_bytes() == b"cut off"  # what a person did to a file stays
    assert len(agent.files()) == 43


async def test_a_token_that_dies_mid_batch_is_renewed_once(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(latency_ms=20)
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        sessions = fake.state.requests[SESSION]
        arrived = 0

        def revoke(event: Event) -> None:
            nonlocal arrived
            if isinstance(event, DownloadEvent) and event.what == "completed":
                arrived += 1
                if arrived == 10:
                    with fake.state.lock:
                        fake.state.tokens.pop("alice")

        with agent.bus.subscribe(revoke):
            run = await agent.sync()
    assert (run.fetched, run.failed) == (42, 0)
    assert (
        fake.state.requests[SESSION] == sessions + 2
    )  # one at the start of the run, one for the renewal


async def test_a_failing_page_loses_nothing_and_the_run_goes_on_there(
    tmp_path: Path, fake: FakeFlow
) -> None:
    async with running_library(tmp_path, flow(fake), sleep=no_wait) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        before = {item.name: (item.local_path, item.state) for item in await agent.items()}
        fake.scenario(list_fail={"page": fake.state.pages + 2, "status": 500, "times": 3})
        failed = await agent.sync()
        assert (failed.state, failed.pages, failed.gone) == ("failed", 1, 0)
        assert {item.name: (item.local_path, item.state) for item in await agent.items()} == before
        pages = fake.state.requests[LIST]
        run = await agent.sync()
        assert (run.id, run.state, run.seen, run.gone) == (failed.id, "complete", 42, 0)
        assert fake.state.requests[LIST] == pages + 3  # pages two and three, then the newest again
        assert {item.name: (item.local_path, item.state) for item in await agent.items()} == before
        assert (await agent.sync()).id != failed.id


async def test_what_was_added_while_a_run_was_interrupted_is_found(
    tmp_path: Path, fake: FakeFlow
) -> None:
    fake.scenario(list_fail={"page": 2, "status": 500, "times": 3})
    async with running_library(tmp_path, flow(fake), sleep=no_wait) as agent:
        await agent.library.sign_in("flow", ALICE)
        assert (await agent.sync()).state == "failed"
        fake.state.add("alice", 2)
        run = await agent.sync()
    assert (run.state, run.seen, run.fetched) == ("complete", 44, 26)
    assert len(agent.files()) == 44


async def test_after_an_hour_an_interrupted_run_starts_over(tmp_path: Path, fake: FakeFlow) -> None:
    clock = [1_800_000_000.0]
    fake.scenario(list_fail={"page": 2, "status": 500, "times": 3})
    async with running_library(tmp_path, flow(fake), sleep=no_wait, now=lambda: clock[0]) as agent:
        await agent.library.sign_in("flow", ALICE)
        failed = await agent.sync(list_only=True)
        clock[0] += 3601
        run = await agent.sync(list_only=True)
    assert run.id != failed.id
    assert (run.pages, run.seen) == (3, 42)


async def test_a_dead_cursor_starts_over_once(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(list_fail={"page": 2, "status": 400, "times": 1})
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync(list_only=True)
    assert (run.state, run.pages, run.seen, run.new) == ("complete", 3, 42, 42)


async def test_gone_items_are_marked_keep_their_files_and_come_back(
    tmp_path: Path, fake: FakeFlow
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        kept = list(fake.state.images["alice"])
        fake.state.delete("alice", [1, 2, 3])
        run = await agent.sync()
        source = await agent.source()
        assert (run.gone, run.suspicious, source.gone, source.present) == (3, False, 3, 39)
        gone = await agent.items(state="gone")
        assert all(Path(item.local_path or "").exists() for item in gone)
        fake.state.images["alice"] = kept
        run = await agent.sync()
        assert (run.new, run.wanted, (await agent.source()).present) == (0, 0, 42)


@pytest.mark.parametrize("left", [0, 20])
async def test_an_answer_that_would_lose_most_of_it_is_doubted(
    tmp_path: Path, fake: FakeFlow, left: int
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync(list_only=True)
        fake.state.delete("alice", list(range(left + 1, 43)))
        run = await agent.sync(list_only=True)
        assert (run.state, run.suspicious, run.gone) == ("complete", True, 0)
        assert (await agent.source()).gone == 0


async def test_two_accounts_that_share_a_name_keep_both(tmp_path: Path, fake: FakeFlow) -> None:
    async with running_library(tmp_path, flow(fake), flow(fake, "bob")) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.library.sign_in("bob", BOB)
        await agent.sync()
        await agent.sync("bob")
        shared = data.image("alice", 1).name
        paths = [
            item.local_path
            for name in ("flow", "bob")
            for item in await agent.items(name)
            if item.name == shared
        ]
        assert [(await agent.source(name)).present for name in ("flow", "bob")] == [42, 5]
        ours, theirs = (Path(path or "").read_bytes() for path in paths)
    assert ours != theirs
    assert theirs.endswith(b"bob-dup")


async def test_another_account_in_the_same_source_keeps_both(
    tmp_path: Path, fake: FakeFlow
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        await agent.library.sign_in("flow", BOB)
        run = await agent.sync()
        assert (run.seen, run.new, run.gone, run.fetched) == (5, 5, 0, 5)
        assert (await agent.source()).present == 47
    assert len(agent.files()) == 47


@pytest.mark.parametrize(
    "scenario",
    [
        {"no_inline": ["*"]},
        {"bad_base64": ["*"]},
        {"list_fife": True, "media_fail": {"*": {"status": 404, "times": -1}}},
        {"list_fife": True, "media_fail": {"*": {"status": 400, "times": -1}}},
        {"list_fife": True, "html_200": ["*"]},
    ],
    ids=[
        "no inline data",
        "damaged inline data",
        "gone from the API",
        "name refused",
        "login pages",
    ],
)
async def test_the_signed_link_is_the_fallback(
    tmp_path: Path, fake: FakeFlow, scenario: dict[str, Any]
) -> None:
    fake.scenario(**scenario)
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
    assert (run.fetched, run.failed) == (42, 0)
    assert fake.state.requests["/storage"] == 42
    assert fake.state.leaks == 0
    assert digest_of([body for _, body in sorted(agent.files().items())]) == digest_of(
        [medium.body for medium in sorted(data.images_of("alice"), key=sorted_place)]
    )


async def test_an_expired_link_is_renewed(tmp_path: Path, fake: FakeFlow) -> None:
    # Both clocks are the same here, so that the link is fresh when it is listed and old when it is used.
    fake.state.now = datetime.now(UTC).timestamp()
    fake.scenario(list_fife=True, html_200=["*"])
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync(list_only=True)
        fake.state.now += 21_700
        fake.scenario(html_200=[], no_inline=["*"])
        run = await agent.sync()
    assert (run.fetched, run.failed) == (42, 0)


async def test_videos_come_by_link_and_never_as_their_poster(
    tmp_path: Path, fake: FakeFlow
) -> None:
    fake.scenario(include_videos=True)
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
        videos = [item for item in await agent.items() if item.kind == "video"]
    assert (run.pages, run.seen, run.fetched) == (3, 45, 45)
    assert {Path(item.local_path or "").read_bytes() for item in videos} == {
        data.video(v).body for v in (1, 2, 3)
    }
    assert all((item.local_path or "").endswith(".mp4") for item in videos)
    assert (fake.state.requests["/image"], fake.state.requests["/storage"]) == (0, 3)


async def test_busy_servers_are_waited_for(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(rate_limit={"path": MEDIA, "after": 10, "retry_after": 1})
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
    assert (run.fetched, run.failed) == (42, 0)
    assert fake.state.requests[MEDIA] <= 42 + 4


async def test_failed_items_say_why_and_the_next_sync_tries_them_again(
    tmp_path: Path, fake: FakeFlow
) -> None:
    name = data.image("alice", 9).name
    fake.scenario(media_fail={name: {"status": 404, "times": -1}})
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
        assert (run.state, run.fetched, run.failed) == ("complete", 41, 1)
        assert run.sentence == "42 images, 42 new, 1 failed"
        (item,) = await agent.items(state="failed")
        assert item.name == name
        assert item.error
        assert item.error.code == "not_found"
        fake.scenario(media_fail={})
        run = await agent.sync()
        assert (run.fetched, run.failed, (await agent.source()).present) == (1, 0, 42)


async def test_a_second_click_shows_the_running_one(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(latency_ms=30)
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        first, running = await agent.library.sync("flow")
        assert not running
        assert await agent.library.sync("flow") == (first, True)
        last = (await agent.source()).last_run
        assert last
        assert (last.id, last.state) == (first, "running")
        assert (await agent.finished()).id == first
        last = (await agent.source()).last_run
        assert last
        assert last.state == "complete"


async def test_a_click_while_only_the_list_is_read_fetches_too(
    tmp_path: Path, fake: FakeFlow
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", BOB)
        first, _ = await agent.library.sync("flow", list_only=True)
        assert await agent.library.sync("flow") == (first, True)
        run = await agent.finished()
        assert (run.id, run.fetched) == (first, 5)


async def test_chosen_names_are_fetched_into_a_folder(tmp_path: Path, fake: FakeFlow) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync(list_only=True)
        assert {item.state for item in await agent.items()} == {"missing"}
        assert fake.state.requests[MEDIA] == 0
        chosen = [data.image("alice", i).name for i in (5, 29)]
        batch, unknown = await agent.library.download(
            "flow", [*chosen, "nobody", *chosen], "chosen/few"
        )
        await agent.batch_finished(batch)
        assert unknown == ["nobody"]
        assert await agent.library.download("flow", ["nobody"]) == (None, ["nobody"])
        assert (await agent.source()).present == 2
    assert sorted(path.rpartition("/")[0] for path in agent.files()) == ["flow/chosen/few"] * 2


async def test_what_was_undone_is_not_fetched_again_by_itself(
    tmp_path: Path, fake: FakeFlow
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", BOB)
        run = await agent.sync()
        assert run.batch
        await agent.undo.take_back(run.batch)
        assert {item.state for item in await agent.items()} == {"ignored"}
        assert agent.files() == {}
        again = await agent.sync()
        assert (again.wanted, agent.files()) == (0, {})
        wish = data.images_of("bob")[2].name
        batch, _ = await agent.library.download("flow", [wish])
        await agent.batch_finished(batch)
        assert [item.name for item in await agent.items(state="present")] == [wish]


async def test_files_that_are_here_already_are_adopted(tmp_path: Path, fake: FakeFlow) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync()
        before = agent.files()
    for leftover in tmp_path.glob("trayagent.db*"):
        leftover.unlink()
    asked = fake.state.requests[MEDIA]
    async with running_library(tmp_path, flow(fake)) as agent:
        run = await agent.sync()
        assert (run.new, run.wanted, (await agent.source()).present) == (42, 0, 42)
    assert fake.state.requests[MEDIA] == asked
    assert agent.files() == before


async def test_the_folder_can_be_the_day_of_the_download(tmp_path: Path, fake: FakeFlow) -> None:
    async with running_library(tmp_path, flow(fake), date="downloaded") as agent:
        await agent.library.sign_in("flow", BOB)
        await agent.sync()
    async with running_library(tmp_path, flow(fake)) as changed:
        await changed.sync()
    today = datetime.now(UTC).astimezone().strftime("%Y-%m-%d")
    assert {path.split("/")[1] for path in changed.files()} == {today}  # existing files never move


async def test_a_dead_session_stops_everything_with_one_sentence(
    tmp_path: Path, fake: FakeFlow, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        await agent.sync(list_only=True)
        fake.state.signed_out.add("alice")
        sessions = fake.state.requests[SESSION]
        run = await agent.sync()
        assert run.error
        assert (run.state, run.error.code, run.wanted) == ("failed", "signed_out", 0)
        assert fake.state.requests[SESSION] == sessions + 1
        assert not (await agent.source()).signed_in
        assert (await agent.source()).missing == 42
    assert (
        fake.state.requests[MEDIA],
        len([e for e in agent.events if e.name == "sync.finished"]),
    ) == (0, 2)


async def test_a_session_that_ends_mid_batch_is_not_hammered(
    tmp_path: Path, fake: FakeFlow
) -> None:
    fake.scenario(latency_ms=20)
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        sessions = fake.state.requests[SESSION]
        before: list[int] = []

        def sign_out(event: Event) -> None:
            if isinstance(event, DownloadEvent) and event.what == "completed":
                with fake.state.lock:
                    before.append(fake.state.requests[MEDIA])
                    fake.state.tokens.pop("alice", None)
                    fake.state.signed_out.add("alice")

        with agent.bus.subscribe(sign_out):
            run = await agent.sync()
        assert run.fetched + run.failed == run.wanted  # the listing may be cut short as well
        assert run.failed
        (item, *_) = await agent.items(state="failed")
        assert item.error
        assert item.error.code == "needs_login"
    assert fake.state.requests[SESSION] <= sessions + 2
    assert fake.state.requests[MEDIA] <= before[0] + 8


async def test_a_moved_account_is_told_so(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(list_fail={"page": 1, "status": 404, "times": -1})
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)
        run = await agent.sync()
    assert run.error
    assert (run.state, run.error.code) == ("failed", "moved")
    assert "flow.google.com" in run.error.message


async def test_no_secret_in_logs_database_or_events(
    tmp_path: Path, fake: FakeFlow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    fake.scenario(
        list_fife=True,
        no_inline=["*"],
        media_fail={data.image("alice", 3).name: {"status": 404, "times": -1}},
    )
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in(
            "flow", f"Cookie: a=b; __Secure-next-auth.session-token={ALICE}; SID=google-wide"
        )
        await agent.sync()
        await agent.sync()
    told = " ".join([caplog.text, repr(agent.events), repr(agent.library), repr(agent.vault)])
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("trayagent.db*"))
    for secret in (ALICE, "google-wide", "ya29.", data.API_KEY, "Signature=", "kc1."):
        assert secret not in told
        if secret != "kc1.":
            assert secret.encode() not in stored
    vault = tmp_path / "secrets.json"
    assert is_private(vault)
    assert b"google-wide" not in vault.read_bytes()


async def test_scheduled_syncs_run_by_themselves(tmp_path: Path, fake: FakeFlow) -> None:
    vault_first = running_library(tmp_path, flow(fake))
    async with vault_first as agent:
        await agent.library.sign_in("flow", BOB)
    async with running_library(tmp_path, flow(fake, every="6h")) as agent:
        assert (await agent.finished()).fetched == 5


async def test_a_keyring_in_trouble_keeps_no_other_source_from_syncing(
    tmp_path: Path, fake: FakeFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong with one source on its schedule is its own."""
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", BOB)
    get = Vault.get

    async def broken(self: Vault, name: str) -> str | None:
        if name.startswith("bad/"):
            raise ConnectionResetError("the session bus has ended")
        return await get(self, name)

    monkeypatch.setattr(Vault, "get", broken)
    bad, good = flow(fake, name="bad", every="6h"), flow(fake, every="6h")
    async with running_library(tmp_path, bad, good) as agent:
        assert (await agent.finished()).fetched == 5


async def test_a_store_that_is_away_ends_one_sync_and_nothing_else(
    tmp_path: Path, fake: FakeFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full while files are queued: the sync says so, and the next one fetches them."""
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", BOB)
        with monkeypatch.context() as away:
            away.setattr(agent.intake, "enter", _full)
            run = await agent.sync()
        assert (run.state, run.error and run.error.code) == ("failed", "store_unavailable")
        assert (await agent.sync()).fetched == 5


async def _full(*_: Any, **__: Any) -> Any:
    raise StoreUnavailableError("disk full")


async def test_an_interrupted_run_is_taken_up_at_start(tmp_path: Path, fake: FakeFlow) -> None:
    fake.scenario(latency_ms=100)
    stop = asyncio.Event()
    async with running_library(tmp_path, flow(fake)) as agent:
        await agent.library.sign_in("flow", ALICE)

        def interrupt(event: Event) -> None:
            if isinstance(event, SyncEvent) and event.run.pages == 1:
                stop.set()

        with agent.bus.subscribe(interrupt):
            await agent.library.sync("flow")
            await stop.wait()
    fake.scenario(latency_ms=0)
    async with running_library(tmp_path, flow(fake)) as agent:
        run = await agent.finished()
        await agent.quiet()
        assert (run.state, run.seen) == ("complete", 42)
        assert (await agent.source()).present == 42
    assert len(agent.files()) == 42


def sorted_place(medium: data.FlowMedium) -> str:
    day = datetime.fromisoformat(medium.created).astimezone().strftime("%Y-%m-%d")
    return f"flow/{day}/{medium.key}"


async def no_wait(seconds: float) -> None:
    """Back-off without the waiting."""
