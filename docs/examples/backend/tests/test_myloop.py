"""The loop's own tests. Any asyncio suite runs on it with `-p loopgauge.conformance.plugin`."""

from __future__ import annotations

import asyncio

import myloop


def test_sleep() -> None:
    async def main() -> str:
        await asyncio.sleep(0)
        return "done"

    with asyncio.Runner(loop_factory=myloop.new_event_loop) as runner:
        assert runner.run(main()) == "done"
