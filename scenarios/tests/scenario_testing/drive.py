"""Runs a scenario as the worker does, a few operations only."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

from loopgauge.scenarios.bare import BareLoop
from loopgauge.scenarios.model import Scenario
from scenario_testing.generators import generator

# Operations of one run in the tests, rounded up to the grain.
OPERATIONS = 50
# Seconds after which a run of a loop that loses work is given up. Honest loops get the default.
SHORT_PATIENCE = 0.15
_SLOW = frozenset(
    {
        "throughput.fairness",
        "timer.lateness",
        "timer.sleep_jitter",
        "timer.sparse_deadlines",
        "signal.signal_latency_idle",
        "signal.signal_latency_busy",
        "signal.sigchld_storm",
        "signal.sigint_cancel",
        "throughput.loop_lifecycle",
        "io.connection_memory",
        "io.file_copy",
        "io.streams_backpressure",
    }
)


@contextmanager
def ready(scenario: Scenario, loop: asyncio.AbstractEventLoop, native: Any = None):
    """A scenario between setup and teardown."""
    if scenario.needs_generator:
        scenario.generator = generator()
    if scenario.needs_generator or isinstance(loop, BareLoop):
        # What is sent or received in bulk is compared with what the generator's side holds.
        native = importlib.import_module("loopgauge._bench")
    scenario.setup(loop, native)
    try:
        yield scenario
    finally:
        scenario.teardown(loop)


def operations(scenario: Scenario, wanted: int = OPERATIONS) -> int:
    """The smallest number of operations from `wanted` on that the scenario takes."""
    grain = scenario.grain
    return -(-wanted // grain) * grain


def slow_ones(scenario: Scenario) -> int:
    """Fewer operations where one takes milliseconds."""
    return 2 if scenario.id in _SLOW else OPERATIONS


# What has to be installed for a scenario.
LIBRARIES = {
    "io.http_aiohttp": "aiohttp",
    "io.http_uvicorn": "uvicorn",
    "io.websocket_broadcast": "websockets",
}


def measure(scenario: Scenario, loop: asyncio.AbstractEventLoop, native: Any = None) -> int:
    """setup, two runs, teardown; the operations of the second run."""
    n = operations(scenario, slow_ones(scenario))
    with ready(scenario, loop, native):
        scenario.run(loop, n)
        return scenario.run(loop, n)


def cheat_from(
    moment: str, scenario: Scenario, loop: Any, factory: Callable[[], Any] | None = None
) -> None:
    """Measures a cheating loop that begins to cheat at `moment`: "setup", or only in a "run"."""
    scenario.patience = SHORT_PATIENCE
    scenario.loop_factory = factory
    loop.cheating = moment == "setup"
    with ready(scenario, loop):
        loop.cheating = True
        scenario.run(loop, operations(scenario, slow_ones(scenario)))
