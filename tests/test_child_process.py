"""A process that runs foreign code is told lines, answers in lines, and leaves nothing open here."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
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


async def test_it_is_ended_while_it_says_more_than_anybody_reads() -> None:
    said = "import os, time\nos.write(1, (b'x' * 99 + b'\\n') * 500)\ntime.sleep(600)"
    child = await _start(said)
    assert await child.read_line() == b"x" * 99 + b"\n"
    async with asyncio.timeout(20):
        await child.end()


@pytest.mark.skipif(sys.platform == "win32", reason="there a whole tree of processes is ended")
async def test_a_child_of_its_own_that_outlives_it_holds_nobody_up() -> None:
    started = "subprocess.Popen(['sleep', '600'], start_new_session=True)"
    child = await _start(f"import subprocess\nprint({started}.pid, flush=True)")
    pid = int(await child.read_line())
    try:
        async with asyncio.timeout(20):
            await child.end()
    finally:
        os.kill(pid, signal.SIGKILL)


async def test_nothing_stays_open_of_one_that_is_not_listened_to() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ResourceWarning)
        child = await _start("print('x' * 100_000)")
        await child.end()
        del child
        gc.collect()
    assert [str(one.message) for one in said] == []
