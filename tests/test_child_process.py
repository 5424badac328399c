"""A process that runs foreign code is told lines, answers in lines, and leaves nothing open here."""

from __future__ import annotations

import gc
import os
import sys
import warnings

import pytest

from trayagent.child_process import ChildProcess

ECHO = "import sys\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"


async def _start(code: str, line_bytes: int = 1000) -> ChildProcess:
    return await ChildProcess.start([sys.executable, "-I", "-c", code], os.environ, line_bytes)


async def test_it_is_told_lines_and_answers_in_lines() -> None:
    child = await _start(ECHO)
    await child.tell(b"abc")
    assert (await child.read_line()).strip() == b"cba"
    await child.tell(b"x" * 5000)
    with pytest.raises(ValueError, match="limit"):
        await child.read_line()
    await child.end()
    await child.tell(b"nobody hears it")
    await child.end()


async def test_nothing_stays_open_of_one_that_is_not_listened_to() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        child = await _start("print('x' * 100_000)")
        await child.end()
        del child
        gc.collect()
    assert [str(one.message) for one in said] == []
