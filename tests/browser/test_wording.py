"""The page writes sizes, times, counts and names as everything else does: the same examples for both."""

import json

import pytest
from playwright.async_api import Browser

from tests.browser.dashboard import opened
from tests.browser.running import ROOT, Running

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_format_keeps_to_the_shared_examples(chromium: Browser, agent: Running) -> None:
    examples = json.loads((ROOT / "tests" / "examples" / "wording.json").read_text())
    async with opened(chromium, agent) as page:
        wrong = await page.evaluate(
            """async (examples) => {
                const { size, duration, count, nameOf } = await import("/static/format.js");
                const { FILTERS, STATES } = await import("/static/words.js");
                const said = [
                    ...examples.sizes.map(([bytes, words]) => [size(bytes), words]),
                    ...examples.durations.map(([seconds, words]) => [duration(seconds), words]),
                    ...examples.counts.map(([number, noun, words]) => [count(number, noun), words]),
                    ...Object.entries(examples.states).map(([state, word]) => [STATES[state], word]),
                    [FILTERS.needs, examples.needs_you],
                    ...examples.names.map(([filename, url, words]) => [nameOf({ filename, url }), words]),
                ];
                return said.filter(([is, words]) => is !== words);
            }""",
            examples,
        )
    assert wrong == []


async def test_until_tomorrow_is_until_eight_as_in_the_tray(
    chromium: Browser, agent: Running
) -> None:
    async with opened(chromium, agent) as page:
        off = await page.evaluate(
            """async () => {
                const { PAUSES } = await import("/static/words.js");
                const [, minutes] = PAUSES.find(([words]) => words === "Until tomorrow");
                const morning = new Date();
                morning.setDate(morning.getDate() + 1);
                morning.setHours(8, 0, 0, 0);
                return Math.abs(Date.now() + minutes() * 60000 - morning);
            }"""
        )
    assert off < 60_000
