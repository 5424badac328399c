"""What is asked of transfer shows neither headers nor cookies nor bytes."""

from trayagent.model.downloads import Cookie
from trayagent.model.transfer import Content, Request


def test_reprs_hold_no_secret() -> None:
    request = Request("http://h/a", headers={"A": "CANARY"}, cookies=(Cookie("a", "CANARY", "h"),))
    assert "CANARY" not in repr(request)
    assert "CANARY" not in repr(Content(b"CANARY"))
