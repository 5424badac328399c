"""One download writes a file at a time; everybody else may read it meanwhile."""

import os
from pathlib import Path

import pytest

from trayagent.transfer.disk_calls import lock

READ_WRITE = os.O_RDWR | getattr(os, "O_BINARY", 0)


def test_a_second_owner_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "a.part"
    path.write_bytes(b"bytes")
    first, second = os.open(path, READ_WRITE), os.open(path, READ_WRITE)
    try:
        lock(first)
        with pytest.raises(FileExistsError):
            lock(second)
        assert os.read(second, 9) == b"bytes", "readers are not kept away"
        assert os.lseek(first, 0, os.SEEK_CUR) == 0, "the place to write at stays"
        os.write(first, b"BYTES")
        assert path.read_bytes() == b"BYTES"
        os.close(first)
        first = -1
        lock(second)
    finally:
        for fd in (first, second):
            if fd != -1:
                os.close(fd)
    assert path.stat().st_size == 5
