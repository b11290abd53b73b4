"""TRAN: the write side of stream transports."""

from __future__ import annotations

import asyncio

from loopgauge.conformance.case import case
from loopgauge.conformance.kit.links import STREAMS, link
from loopgauge.conformance.kit.peers import in_thread, receive_exactly
from loopgauge.conformance.kit.protocols import Recorder
from loopgauge.conformance.trial import Trial


@case(
    "TRAN-001.kinds",
    variants=STREAMS,
    expected="bytes, bytearray and memoryview arrive as they were written",
)
def kinds_of_data(t: Trial, kind: str) -> None:
    """A transport is given bytes, a bytearray and a memoryview; the peer reads them all."""

    async def main() -> None:
        made = await link(t, kind, lambda: Recorder(asyncio.get_running_loop()))
        made.transport.write(b"one")
        made.transport.write(bytearray(b"two"))
        made.transport.write(memoryview(b"three"))
        arrived = await in_thread(receive_exactly, made.peer, 11)
        t.equal("what the peer read", arrived, b"onetwothree")
        await made.close()

    t.run(main())
