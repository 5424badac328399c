"""What pairing hands out is never shown by accident."""

from trayagent.model.access import Client, Code, Paired


def test_reprs_hold_neither_token_nor_code() -> None:
    assert repr(Paired("c1", "CANARY")) == "<Paired c1>"
    assert "CANARY" not in repr(Code("CANARY", "http://h/pair#code=CANARY", "2026"))
    assert repr(Client("c1", "Firefox", "moz-extension://x", "2026")) == "<Client c1 Firefox>"
