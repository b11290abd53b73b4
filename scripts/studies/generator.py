"""How far the load generator is from being the bottleneck: what it drives, what loops answer.

    scripts/dev study generator [--loop NAME]... [--seconds S] [--rounds N]

Each server is a process of its own on the core that the generator leaves it; in every round all of
them are loaded for the same time, in random order, and figures are medians over rounds.

`answered` is what came back in a second of wall time. It cannot tell a slow server from a slow
generator, and depends on who else is at work; so both sides' CPU time per message stands beside it,
and the factor is of those: how many times as much the generator could drive out of the floor as the
loop can answer, with a core for each.

What limits it: a message costs the generator one send and one receive, as it costs the server, and
90 % of its time is spent in them. So against loops that cost little more than the floor the factor
comes close to 1 on TCP, whatever the generator does around the calls. The CPU time of the server,
which is the headline of the io family, does not count the time in which it waits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadGenerator, expect, spare_cpu
from loopgauge.harness.worker.engine import load_engine
from loopgauge.loops.registry import default_loops, new_loop, resolve
from loopgauge.scenarios.io.servers import Echo, ProtocolServer

FLOOR = "floor"
_CPUCLOCK_SCHED = 2  # the kernel's number of a process's CPU clock: clock_getcpuclockid(3)
CASES = ((64, 32, 1), (1024, 32, 1), (1024, 1, 1), (1024, 32, 8))  # bytes, connections, in flight


def main() -> int:
    if sys.argv[1:2] == ["--serve"]:
        return serve(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--loop", action="append", default=[], help="default: the default loops")
    parser.add_argument("--seconds", type=float, default=0.3, help="of load at a time")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    names = [FLOOR, *(arguments.loop or default_loops())]
    print("generator and server", "share a core" if spare_cpu() is None else "have a core each")
    for case in CASES:
        study(names, case, arguments.seconds, arguments.rounds)
    return 0


@dataclass
class Figures:
    """One server: of every round messages per second, and seconds of CPU time for one message."""

    rates: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    generator_s: list[float] = field(default_factory=list)


def study(names: list[str], case: tuple[int, int, int], seconds: float, rounds: int) -> None:
    """Prints a table."""
    size, connections, depth = case
    print(f"\n{size} bytes, {connections} connections, {depth} in flight on each")
    found = {name: Figures() for name in names}
    with ExitStack() as stack:
        generator = stack.enter_context(LoadGenerator(spare_cpu()))
        servers = {name: stack.enter_context(Server(name)) for name in names}
        for number, name in enumerate(names):
            command = protocol.Open(
                id=number,
                address=servers[name].address,
                size=size,
                connections=connections,
                depth=depth,
            )
            expect(generator.call(command), protocol.Opened)
        for _ in range(rounds):
            for name in random.sample(names, len(names)):
                before = servers[name].cpu_s()
                go = protocol.Go(id=names.index(name), seconds=seconds)
                done = expect(generator.call(go), protocol.Done)
                found[name].rates.append(done.n / done.wall_ns * 1e9)
                found[name].server_s.append((servers[name].cpu_s() - before) / done.n)
                found[name].generator_s.append(done.cpu_ns / 1e9 / done.n)
    for name, of in found.items():
        print(
            f"  {name:12} {median(of.rates):>10,.0f} answered a second, CPU per message:"
            f" server {median(of.server_s) * 1e6:6.2f} µs,"
            f" generator {median(of.generator_s) * 1e6:5.2f} µs"
        )
    drives = median(found[FLOOR].generator_s)
    factors = {name: median(of.server_s) / drives for name, of in found.items() if name != FLOOR}
    shown = ", ".join(f"{name} {factor:.2f}" for name, factor in factors.items())
    print(f"  times what the loop can answer: {shown}")


class Server:
    """An echo server in a process of its own, as long as the context lasts."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, __file__, "--serve", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise SystemExit(f"{name} does not serve (status {self._process.wait()})")

    def cpu_s(self) -> float:
        """CPU time of the process so far."""
        return time.clock_gettime(~self._process.pid << 3 | _CPUCLOCK_SCHED)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()  # closes its standard input, which ends it


def serve(name: str) -> int:
    """Until standard input ends. Says the address on standard output."""
    spare = spare_cpu()
    if spare is not None:
        os.sched_setaffinity(0, os.sched_getaffinity(0) - {spare})
    if name == FLOOR:
        native: Any = load_engine()
        server = native.FloorServer("tcp")
        print(server.address, flush=True)
        server.serve_until(sys.stdin.fileno())
        return 0
    loop = new_loop(resolve(name))
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve_on_loop())
    return 0


async def serve_on_loop() -> None:
    print(await ProtocolServer(Echo, None).start(), flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


if __name__ == "__main__":
    sys.exit(main())
