"""A list that is read as a whole has a bound, and goes on from any entry."""

import io

import pytest

from trayagent.lists import START, Position, dialect_for, entry


def test_reading_goes_on_after_any_entry() -> None:
    dialect = dialect_for("x.json")
    assert dialect
    data = b'["http://h/1", 2, "http://h/3", "http://h/4"]'
    lines = list(dialect.read(io.BytesIO(data), START))
    for place, line in enumerate(lines, 1):
        assert line.after == Position(line=place)
        assert list(dialect.read(io.BytesIO(data), line.after)) == lines[place:]


def test_a_list_too_large_for_its_format_is_one_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "MOST_BYTES", 20)
    dialect = dialect_for("x.json")
    assert dialect
    (line,) = dialect.parse('["http://example.com/long"]')
    assert line.error
    assert "too large" in line.error[1]
