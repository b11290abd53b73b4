"""How far a run is and how long it still takes: expected work, corrected by how the clock runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from loopgauge.harness.request import Progress

PROBE_FRACTION = 0.1  # of the bar; the probe is that much of a quick run


class Tracker:
    """Work is in expected seconds of measuring; until there is a plan, the budget stands for it."""

    def __init__(
        self,
        listener: Callable[[Progress], None],
        budget_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener = listener
        self._clock = clock
        self._began = clock()
        self._budget_s = budget_s
        self._measuring_since: float | None = None
        self._work_s = 0.0
        self._done_s = 0.0
        self._done_before_s = 0.0  # by an earlier session of a resumed run
        self._fraction = 0.0
        self._processes = (0, 0)
        self._said: set[str] = set()

    @property
    def elapsed_s(self) -> float:
        return self._clock() - self._began

    def expect(self, seconds: float) -> None:
        """A guess at the whole run, better than its budget."""
        self._budget_s = min(seconds, self._budget_s)

    def probing(self, arm: str, share: float) -> None:
        left = max(0.0, self._budget_s - self.elapsed_s)
        self._send("probe", PROBE_FRACTION * share, left, arm=arm)

    def measuring(self, work_s: float, done_s: float, processes: int) -> None:
        """The plan is there: so much work in all, so much of it already recorded."""
        self._measuring_since = self._clock()
        self._work_s, self._done_s, self._done_before_s = work_s, done_s, done_s
        self._processes = (0, processes)
        self.at("", "")

    @property
    def measuring_s(self) -> float:
        return 0.0 if self._measuring_since is None else self._clock() - self._measuring_since

    def more_work(self, work_s: float, processes: int) -> None:
        """A round that was not planned. The bar stands still while it is done."""
        self._work_s += work_s
        self._processes = (self._processes[0], self._processes[1] + processes)

    def finished(self, work_s: float) -> None:
        self._done_s = min(self._work_s, self._done_s + work_s)

    def process_finished(self, left: int) -> None:
        done = self._processes[0] + 1
        self._processes = (done, done + left)
        self.at("", "")

    def at(self, benchmark: str, arm: str) -> None:
        self._working("measure", benchmark, arm)

    def counting(self, benchmark: str, arm: str) -> None:
        """`arm` says what of it is counted, too. Of such processes there is no planned number."""
        self._processes = (0, 0)
        self._working("count", benchmark, arm)

    def _working(self, phase: str, benchmark: str, arm: str) -> None:
        share = self._done_s / self._work_s if self._work_s else 1.0
        fraction = PROBE_FRACTION + (1 - PROBE_FRACTION) * share
        self._send(phase, fraction, self._remaining_s(), benchmark, arm)

    def notice(self, text: str) -> None:
        phase = "probe" if self._measuring_since is None else "measure"
        self._send(phase, self._fraction, self._last_remaining_s, notice=text)

    def notice_once(self, text: str) -> None:
        """For what is the same for every loop and benchmark."""
        if text not in self._said:
            self._said.add(text)
            self.notice(text)

    _last_remaining_s = 0.0

    def _remaining_s(self) -> float:
        """Expected work left, times how much longer than expected it has taken so far; the
        expectation counts as 10 s of experience, so that the first process does not decide."""
        assert self._measuring_since is not None
        spent = self._clock() - self._measuring_since
        expected = self._done_s - self._done_before_s
        pace = (spent + 10.0) / (expected + 10.0)
        return max(0.0, self._work_s - self._done_s) * pace

    def _send(
        self,
        phase: str,
        fraction: float,
        remaining_s: float,
        benchmark: str = "",
        arm: str = "",
        notice: str = "",
    ) -> None:
        self._fraction = max(self._fraction, min(1.0, fraction))
        self._last_remaining_s = remaining_s
        done, planned = self._processes
        self._listener(
            Progress(
                phase=phase,
                fraction=self._fraction,
                elapsed_s=self.elapsed_s,
                remaining_s=remaining_s,
                process=done,
                processes=planned,
                benchmark=benchmark,
                arm=arm,
                notice=notice,
            )
        )
