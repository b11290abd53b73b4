"""The signal family: how signals, ends of children and Ctrl-C reach the program.

Elapsed time throughout, in the main thread, where alone Python lets handlers be installed. Whatever
a run installs it takes back: the process has other loops in it, and they are measured next.
"""

from __future__ import annotations

from loopgauge.scenarios.model import Scenario
from loopgauge.scenarios.signal import children, delivery, interrupt, latency

# In the order of the catalogue, which is the order of tables and reports.
SCENARIOS: tuple[type[Scenario], ...] = (
    delivery.SignalRoundtrip,
    delivery.SignalBurst,
    latency.SignalLatencyIdle,
    latency.SignalLatencyBusy,
    delivery.HandlerAddRemove,
    children.SigchldStorm,
    interrupt.SigintCancel,
)
