"""What is told is short, coalesced, says what to do, and holds neither query nor password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayagent.model.downloads import Batch, Download, ErrorInfo, State
from trayagent.model.events import BatchEvent, DownloadEvent, QueueEvent
from trayagent.model.notices import concerns, notices

WHY = ErrorInfo("network", "The connection failed.", "Check the network connection, then retry.")


def done(
    name: str | None = "a.mp4", url: str = "http://h/a?CANARY", **more: object
) -> DownloadEvent:
    values = {"size": 2_000_000, **more}
    return DownloadEvent("completed", Download("d1", url, State.COMPLETED, name, **values))  # type: ignore[arg-type]


def failed(name: str = "a.mp4") -> DownloadEvent:
    return DownloadEvent("failed", Download("d2", "http://h/a", State.FAILED, name, error=WHY))


def test_a_single_download() -> None:
    (notice,) = notices([done()])
    assert notice.title == "Download finished"
    assert notice.body == "a.mp4 (2.0 MB)"
    assert [action.do for action in notice.actions] == ["open", "folder"]


def test_a_failure_says_why_and_what_to_do() -> None:
    (notice,) = notices([failed()])
    assert notice.level == "error"
    assert WHY.message in notice.body
    assert WHY.action in notice.body
    assert "retry" in {action.do for action in notice.actions}


def test_what_comes_together_is_said_in_one_breath() -> None:
    said = notices([done(f"{n}.mp4") for n in range(5)] + [failed(), failed()])
    assert [notice.title for notice in said] == ["5 downloads finished", "2 downloads failed"]
    assert "and 2 more" in said[0].body
    assert [(action.do, action.id) for action in said[1].actions] == [
        ("why", "queue"),
        ("retry", "d2 d2"),
    ]


@pytest.mark.parametrize("bad", [0, 2])
def test_a_batch_is_one_notice(bad: int) -> None:
    batch = Batch(
        "b1", "x.txt", "drop", "x.txt", {"completed": 3, "failed": bad}, first_error="No."
    )
    (notice,) = notices([BatchEvent("finished", batch)])
    assert notice.level == ("error" if bad else "info")
    assert ("No." in notice.body) == bool(bad)


def test_what_is_worth_telling() -> None:
    assert concerns(done())
    assert not concerns(done(batch="b1"))
    assert not concerns(DownloadEvent("started", done().download))
    assert not concerns(QueueEvent("paused"))
    assert concerns(BatchEvent("finished", Batch("b1", "x", "drop")))
    assert not concerns(BatchEvent("queued", Batch("b1", "x", "drop")))


@given(
    st.sampled_from(["http://me:CANARY@h/a?CANARY#CANARY", "http://h/?CANARY"]), st.integers(1, 5)
)
def test_no_secret_is_ever_told(url: str, count: int) -> None:
    for notice in notices([done(None, url) for _ in range(count)]):
        assert "CANARY" not in notice.title + notice.body
