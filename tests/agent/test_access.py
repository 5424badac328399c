"""Only who was paired comes in: codes work once and briefly, tokens are kept as digests, revocation is at once."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clock import Clock
from tests.privacy import is_private
from trayagent.agent.access import BadCodeError, Clients, Guesses, OwnToken
from trayagent.agent.bus import Bus
from trayagent.agent.codes import MOST_OPEN_CODES, Codes
from trayagent.model.errors import NotFoundError
from trayagent.model.events import Event, Notice
from trayagent.store.database import Database

ORIGIN = "chrome-extension://abcdefghijklmnop"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[tuple[Clients, Database, Clock, list[Event]]]:
    db, bus, clock = Database.open(tmp_path / "test.db"), Bus(), Clock()
    heard: list[Event] = []
    bus.subscribe(heard.append)
    own = OwnToken.load(tmp_path / "token")
    yield (
        await Clients.open(
            db, bus, own, tmp_path / "key", clock=clock, now=lambda: 1.7e9 + clock.now
        ),
        db,
        clock,
        heard,
    )
    db.close()


House = tuple[Clients, Database, Clock, list[Event]]


async def test_a_code_pairs_one_browser_and_is_announced(house: House) -> None:
    clients, _, _, heard = house
    code = clients.issue_pairing_code()

    paired = await clients.pair(code, "Chromium\non  Linux\x00\u202e", ORIGIN)

    caller = clients.recognise(paired.token)
    assert caller is not None
    assert (caller.id, caller.kind, caller.origin) == (paired.client, "extension", ORIGIN)
    assert clients.origins == {ORIGIN}
    assert [client.name for client in await clients.all_clients()] == ["Chromium on Linux"]
    assert [event.title for event in heard if isinstance(event, Notice)] == ["Browser paired"]
    assert paired.token not in repr(paired)


async def test_a_code_works_once(house: House) -> None:
    clients = house[0]
    code = clients.issue_pairing_code()
    await clients.pair(code, "", ORIGIN)

    with pytest.raises(BadCodeError):
        await clients.pair(code, "", ORIGIN)

    assert len(await clients.all_clients()) == 1


async def test_a_code_is_worthless_after_two_minutes(house: House) -> None:
    clients, _, clock, _ = house
    code = clients.issue_pairing_code()
    clock.now += 120.5

    with pytest.raises(BadCodeError):
        await clients.pair(code, "", ORIGIN)


async def test_a_code_is_good_for_almost_two_minutes(house: House) -> None:
    clients, _, clock, _ = house
    code = clients.issue_pairing_code()
    clock.now += 119.5

    await clients.pair(code, "", ORIGIN)


@pytest.mark.parametrize(
    "origin", ["https://evil.com", "null", "", "http://127.0.0.1:1", "chrome-extension://a/b"]
)
async def test_only_an_extension_can_be_paired(house: House, origin: str) -> None:
    clients = house[0]

    with pytest.raises(BadCodeError):
        await clients.pair(clients.issue_pairing_code(), "", origin)


async def test_a_dashboard_code_does_not_pair_and_a_pairing_code_opens_no_dashboard(
    house: House,
) -> None:
    clients = house[0]

    with pytest.raises(BadCodeError):
        await clients.pair(clients.issue_session_code(), "", ORIGIN)
    with pytest.raises(BadCodeError):
        await clients.begin_session(clients.issue_pairing_code())


async def test_a_session_is_recognised_and_its_code_is_spent(house: House) -> None:
    clients = house[0]
    code = clients.issue_session_code()

    caller = clients.recognise(await clients.begin_session(code))

    assert caller is not None
    assert (caller.kind, caller.origin) == ("session", None)
    with pytest.raises(BadCodeError):
        await clients.begin_session(code)


async def test_the_oldest_of_too_many_sessions_ends(house: House) -> None:
    clients = house[0]
    tokens = [await clients.begin_session(clients.issue_session_code()) for _ in range(33)]

    assert [token for token in tokens if clients.recognise(token) is None] == tokens[:1]


async def test_a_revoked_client_is_out_at_once_and_stays_out(house: House, tmp_path: Path) -> None:
    clients, db, clock, _ = house
    paired = await clients.pair(clients.issue_pairing_code(), "", ORIGIN)

    await clients.revoke(paired.client)

    assert clients.recognise(paired.token) is None
    assert clients.origins == frozenset()
    again = await Clients.open(
        db, Bus(), OwnToken.load(tmp_path / "token"), tmp_path / "key", clock=clock
    )
    assert again.recognise(paired.token) is None
    with pytest.raises(NotFoundError):
        await clients.revoke(paired.client)


async def test_clients_and_dashboards_outlive_a_restart(house: House, tmp_path: Path) -> None:
    clients, db, clock, _ = house
    paired = await clients.pair(clients.issue_pairing_code(), "Firefox", ORIGIN)
    session = await clients.begin_session(clients.issue_session_code())

    again = await Clients.open(
        db,
        Bus(),
        OwnToken.load(tmp_path / "token"),
        tmp_path / "key",
        clock=clock,
        now=clients._now,
    )

    assert again.recognise(paired.token) == clients.recognise(paired.token)
    assert again.recognise(session) == clients.recognise(session)
    assert again.prove(paired.client, "n" * 16, 1) == clients.prove(paired.client, "n" * 16, 1)


async def test_a_dashboard_ends_after_a_day_in_which_it_asked_for_nothing(house: House) -> None:
    clients, _, clock, _ = house
    used = await clients.begin_session(clients.issue_session_code())
    left = await clients.begin_session(clients.issue_session_code())
    for _ in range(4):
        clock.now += 12 * 3600
        caller = clients.recognise(used)
        assert caller is not None
        await clients.note_seen(caller)

    assert clients.recognise(left) is None
    assert [client.kind for client in await clients.all_clients()] == ["session"]
    # The next one that is opened clears the row away.
    await clients.begin_session(clients.issue_session_code())
    assert len(clients._rows) == 2


async def test_a_dashboard_is_listed_and_ended_like_any_client(house: House) -> None:
    clients = house[0]
    token, other = [await clients.begin_session(clients.issue_session_code()) for _ in range(2)]
    caller = clients.recognise(token)
    assert caller is not None

    listed = [(client.kind, client.origin) for client in await clients.all_clients()]
    await clients.revoke(caller.id)

    assert listed == [("session", "")] * 2
    assert clients.recognise(token) is None
    assert clients.recognise(other) is not None
    assert clients.origins == frozenset()
    with pytest.raises(NotFoundError):
        clients.prove(caller.id, "nonce", 17830)


async def test_a_code_leads_through_a_file_that_goes_when_it_is_spent(
    house: House, tmp_path: Path
) -> None:
    clients = house[0]
    code = clients.issue_session_code()
    page = await clients.page_for(code, f"http://127.0.0.1:17830/#code={code}&view=queue")
    pairing = clients.issue_pairing_code()
    other = await clients.page_for(pairing, f"http://127.0.0.1:17830/pair#code={pairing}")

    assert f"#code={code}&amp;view=queue" in page.read_text()
    assert code not in page.name
    if os.name == "posix":
        assert page.stat().st_mode & 0o777 == 0o600
        assert page.parent.stat().st_mode & 0o777 == 0o700
    await clients.begin_session(code)
    assert (page.exists(), other.exists()) == (False, True)
    await clients.pair(pairing, "x", ORIGIN)
    assert not other.exists()


async def test_files_of_codes_that_nobody_used_are_swept(house: House, tmp_path: Path) -> None:
    clients, db, clock, _ = house
    page = await clients.page_for(clients.issue_session_code(), "http://127.0.0.1:1/#code=x")

    await Clients.open(db, Bus(), OwnToken.load(tmp_path / "token"), tmp_path / "key", clock=clock)

    assert not page.exists()


async def test_a_locked_page_may_ask_a_few_times_a_minute(house: House) -> None:
    clients, _, clock, heard = house
    for _ in range(600):
        clients.ask_to_open()
        clock.now += 0.1
    notices = [event for event in heard if isinstance(event, Notice)]

    assert len(notices) == 3
    assert [action.label for action in notices[0].actions] == ["Open the dashboard"]


async def test_hello_proves_that_we_know_the_token(house: House) -> None:
    clients = house[0]
    paired = await clients.pair(clients.issue_pairing_code(), "", ORIGIN)

    proof = clients.prove(paired.client, "a fresh nonce", 17830, ORIGIN)

    said = b"127.0.0.1:17830\na fresh nonce"
    assert proof == hmac.new(paired.token.encode(), said, hashlib.sha256).hexdigest()
    assert proof != clients.prove(paired.client, "a fresh nonce", 17831, ORIGIN)
    for client, origin in (("nobody", None), (paired.client, "moz-extension://other")):
        with pytest.raises(NotFoundError):
            clients.prove(client, "a fresh nonce", 17830, origin)


async def test_hello_proves_the_machine_token_to_the_command_line(
    house: House, tmp_path: Path
) -> None:
    token = (tmp_path / "token").read_text()

    assert (
        house[0].prove("local", "nonce", 17830)
        == hmac.new(token.encode(), b"127.0.0.1:17830\nnonce", hashlib.sha256).hexdigest()
    )


async def test_with_a_lost_key_file_tokens_still_work_and_hello_says_pair_again(
    house: House, tmp_path: Path
) -> None:
    clients, db, clock, _ = house
    paired = await clients.pair(clients.issue_pairing_code(), "", ORIGIN)
    (tmp_path / "key").unlink()

    again = await Clients.open(
        db, Bus(), OwnToken.load(tmp_path / "token"), tmp_path / "key", clock=clock
    )

    assert again.recognise(paired.token) is not None
    with pytest.raises(NotFoundError):
        again.prove(paired.client, "nonce", 17830)


async def test_no_token_is_in_the_database(house: House, tmp_path: Path) -> None:
    clients, db, _, _ = house
    paired = await clients.pair(clients.issue_pairing_code(), "", ORIGIN)
    own, session = (
        (tmp_path / "token").read_text(),
        await clients.begin_session(clients.issue_session_code()),
    )
    await db.run(lambda conn: conn.execute("SELECT 1").fetchone())

    stored = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))

    for secret in (paired.token, own, session, (tmp_path / "key").read_bytes().hex()):
        assert secret.encode() not in stored
    assert (tmp_path / "key").read_bytes() not in stored


async def test_rotation_ends_the_old_token_and_the_dashboards_but_no_pairing(
    house: House, tmp_path: Path
) -> None:
    clients = house[0]
    old = (tmp_path / "token").read_text()
    session = await clients.begin_session(clients.issue_session_code())
    paired = await clients.pair(clients.issue_pairing_code(), "", ORIGIN)

    await clients.rotate()

    assert clients.recognise(old) is None
    assert clients.recognise(session) is None
    assert clients.recognise(paired.token) is not None
    assert clients.recognise((tmp_path / "token").read_text()) is not None


async def test_being_seen_is_written_down_rarely(house: House) -> None:
    clients, db, _, _ = house
    caller = clients.recognise((await clients.pair(clients.issue_pairing_code(), "", ORIGIN)).token)
    assert caller is not None
    await clients.note_seen(caller)
    first = (await clients.all_clients())[0].last_seen

    before = await db.read(lambda conn: conn.execute("PRAGMA data_version").fetchone()[0])
    await clients.note_seen(caller)
    after = await db.read(lambda conn: conn.execute("PRAGMA data_version").fetchone()[0])

    assert first is not None
    assert before == after


@pytest.mark.parametrize("token", ["", "x", "\udcff\udc80", "é" * 10, "a" * 100_000])
async def test_odd_tokens_are_simply_unknown(house: House, token: str) -> None:
    assert house[0].recognise(token) is None


def test_codes_have_128_bits_and_a_bounded_number_is_open() -> None:
    codes = Codes(60.0, Clock())
    issued = [codes.issue() for _ in range(MOST_OPEN_CODES + 1)]

    assert all(len(code) == 22 for code in issued)
    assert len(set(issued)) == len(issued)
    assert [codes.redeem(code) for code in issued] == [False, *[True] * MOST_OPEN_CODES]


def test_ten_wrong_guesses_a_minute_are_answered_calmly() -> None:
    clock = Clock()
    guesses = Guesses(clock=clock)
    for _ in range(10):
        assert guesses.wait_seconds == 0
        guesses.note_wrong()
        clock.now += 1

    assert guesses.wait_seconds == 50
    clock.now += 50
    assert guesses.wait_seconds == 0


@pytest.mark.skipif(
    os.name == "nt", reason="Windows has no file modes; its folders are the user's own"
)
def test_the_token_file_is_the_users_alone_whatever_it_was(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        first = OwnToken.load(tmp_path / "new" / "token")
        first.path.chmod(0o644)
        second = OwnToken.load(first.path)
    finally:
        os.umask(before)

    assert second.value == first.value
    assert is_private(first.path)
    assert is_private(first.path.parent)
    assert first.value not in repr(first)


def test_a_damaged_token_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\x00short")

    assert len(OwnToken.load(path).value) >= 32
