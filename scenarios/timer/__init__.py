"""The timer family: what timers cost, and how late they are."""

from __future__ import annotations

from loopgauge.scenarios.model import Scenario
from loopgauge.scenarios.timer import deadlines, lateness, limiter, million, scheduling, timeouts

# In the order of the catalogue, which is the order of tables and reports.
SCENARIOS: tuple[type[Scenario], ...] = (
    scheduling.ScheduleCancel,
    million.MillionTimers,
    timeouts.TimeoutWrap,
    timeouts.WaitFor,
    scheduling.Reschedule,
    limiter.RateLimiter,
    lateness.Lateness,
    lateness.SleepJitter,
    deadlines.DenseDeadlines,
    deadlines.SparseDeadlines,
)
