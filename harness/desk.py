"""Where the messages of one worker become records: samples wait for the end of their benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loopgauge.harness.model import AnyRecord, Event, Sample, Worker
from loopgauge.harness.reception import Reception
from loopgauge.harness.units import Unit
from loopgauge.harness.worker.plan import Begin, Samples


class Desk:
    """`save` is given the samples of one benchmark, which belong together on disk; `note` what is
    to be known of the process. `together`: the number shared by processes that take turns."""

    def __init__(
        self,
        unit: Unit,
        process: int,
        together: int,
        python: str,
        save: Callable[[Sequence[Sample], Unit], None],
        note: Callable[[AnyRecord], None],
        show: Callable[[Begin], None],
    ) -> None:
        self.unit = unit
        self.process = process
        self._together = together
        self._python = python
        self._save = save
        self._note = note
        self._waiting: list[Sample] = []
        self.reception = Reception(
            {(job.benchmark, arm): job.slots for job in unit.jobs for arm in job.arms},
            on_samples=self._keep,
            on_end=lambda benchmark: self.flush(),
            on_begin=show,
            process=process,
        )

    def started(self, pid: int) -> None:
        described = Worker(
            round=self.unit.round,
            design=self.unit.design,
            creation=list(self.unit.creation),
            benchmarks=[job.benchmark for job in self.unit.jobs],
            hash_seed=self.unit.hash_seed,
            padding=self.unit.padding,
            python=self._python,
            pid=pid,
        )
        self._note(Event(event="worker", process=self.process, worker=described))

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._save(waiting, self.unit)

    def interrupted(self) -> None:
        """Keeps what was measured and sent, where only the tidying up was interrupted. With some
        arms alone it is dropped: whoever goes on measures the benchmark again, on all of them."""
        asked = {job.benchmark: set(job.arms) for job in self.unit.jobs}
        if self._waiting and {s.arm for s in self._waiting} == asked[self._waiting[0].benchmark]:
            self.flush()

    def _keep(self, message: Samples) -> None:
        self._waiting.append(
            Sample(
                process=self.process,
                together=self._together,
                round=self.unit.round,
                benchmark=message.benchmark,
                arm=message.arm,
                design=self.unit.design,
                n=message.n,
                block=message.block,
                slot=message.slot,
                wall_ns=message.wall_ns,
                process_ns=message.process_ns,
                thread_ns=message.thread_ns,
                value=message.value,
                nivcsw=message.nivcsw,
                harness_ns=message.harness_ns,
                open_loop=message.open_loop,
            )
        )
