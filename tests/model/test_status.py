"""The status folded from events is the status counted from the downloads, whatever the order of events."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from trayagent.model.downloads import Download, State
from trayagent.model.events import DownloadEvent, DownloadProgress, Notice, QueueEvent, Tally
from trayagent.model.status import Board, Status, fold


class Counting(RuleBasedStateMachine):
    """Downloads that change state at random; the board follows by events alone."""

    downloads: Bundle[str] = Bundle("downloads")

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(Status())
        self.truth: dict[str, Download] = {}
        self.count = 0

    @rule(target=downloads)
    def add(self) -> str:
        download = Download(f"d{self.count}", "http://h/", State.QUEUED)
        self.count += 1
        self.truth[download.id] = download
        self.board = fold(self.board, DownloadEvent("queued", download))
        return download.id

    @rule(key=downloads, state=st.sampled_from(State))
    def move(self, key: str, state: State) -> None:
        before = self.truth[key]
        self.truth[key] = msgspec.structs.replace(before, state=state, speed=0)
        self.board = fold(self.board, DownloadEvent("moved", self.truth[key], before.state))

    @rule(key=downloads, speed=st.integers(0, 1000))
    def progress(self, key: str, speed: int) -> None:
        if self.truth[key].state == State.ACTIVE:
            self.truth[key] = msgspec.structs.replace(self.truth[key], speed=speed)
        self.board = fold(self.board, DownloadProgress(key, 1, 2, speed))

    @rule(key=consumes(downloads))
    def remove(self, key: str) -> None:
        gone = self.truth.pop(key)
        self.board = fold(self.board, DownloadEvent("removed", gone, gone.state))

    @invariant()
    def the_board_is_right(self) -> None:
        states = [download.state for download in self.truth.values()]
        status = self.board.status
        for state in (State.ACTIVE, State.QUEUED, State.COMPLETED, State.FAILED):
            assert getattr(status, state) == states.count(state)
        active = {d.id: d for d in self.truth.values() if d.state == State.ACTIVE}
        assert set(self.board.current) == set(active)
        assert status.speed == sum(download.speed for download in active.values())


TestCounting = Counting.TestCase


def test_a_paused_queue_says_until_when() -> None:
    board = fold(Board(Status()), QueueEvent("paused", "2026-01-01T00:00:00Z"))
    assert board.status.paused
    assert board.status.paused_until == "2026-01-01T00:00:00Z"
    board = fold(board, QueueEvent("resumed"))
    assert not board.status.paused
    assert board.status.paused_until is None


@given(st.text())
def test_what_does_not_concern_it_leaves_the_same_board(text: str) -> None:
    board = Board(Status())
    assert fold(board, Notice(text, text)) is board
    assert fold(board, DownloadProgress(text, 1, 2, 3)) is board


def test_a_board_says_what_it_shows() -> None:
    board = Board(Status(active=1, queued=2, failed=3, paused=True))
    assert repr(board) == "<Board 1 active, 2 queued, 3 failed, paused>"


def test_many_at_once_are_counted_at_once() -> None:
    assert fold(Board(Status(queued=1)), Tally(1000)).status.queued == 1001
