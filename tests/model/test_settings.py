"""The defaults are the documented ones, and an impossible value cannot be made from outside."""

import msgspec
import pytest

from trayagent.model.settings import Config, SourceSettings


def test_the_documented_defaults() -> None:
    config = Config()
    assert config.downloads.workers == 4
    assert config.downloads.per_host == 4
    assert config.downloads.connections_per_host == 16
    assert config.downloads.segments == "auto"
    assert config.downloads.retries == 5
    assert config.hook.port == 17830
    assert config.network.private_addresses == "named"
    assert config.notifications.level == "all"
    assert config.library.date == "created"
    assert config.sources == ()


@pytest.mark.parametrize(
    "value",
    [
        {"downloads": {"workers": 0}},
        {"downloads": {"segments": "many"}},
        {"hook": {"port": -1}},
        {"downloads": {"unknown": 1}},
        {"sources": [{"name": "../x"}]},
    ],
)
def test_impossible_values(value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(value, Config)


def test_a_source_never_shares_its_tables_with_another() -> None:
    assert SourceSettings("a").list is not SourceSettings("b").list
