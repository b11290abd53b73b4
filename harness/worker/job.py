"""One benchmark in one worker: set up, calibrate, warm up, measure, tear down, report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from loopgauge.harness.worker import arms as arms_
from loopgauge.harness.worker import gcpolicy, overhead, slots
from loopgauge.harness.worker.arms import Arm
from loopgauge.harness.worker.plan import Begin, Calibrated, End, JobPlan, Phase
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.slots import Runner
from loopgauge.harness.worker.turns import TurnLost


def run_job(session: Session, job: JobPlan, arms: dict[str, Arm]) -> None:
    """Arms whose loop breaks for good are removed from `arms`."""
    _Job(session, job, arms).run()


def needs_generator(session: Session, job: JobPlan) -> bool:
    """False for a job that cannot be made; why is reported when its turn comes."""
    try:
        return session.make_workload(job.scenario, job.params).needs_generator
    except Exception:
        return False


class _Job:
    def __init__(self, session: Session, job: JobPlan, arms: dict[str, Arm]) -> None:
        self._session = session
        self._job = job
        self._arms = arms
        self._runners: dict[str, Runner] = {}

    def run(self) -> None:
        arms = self._participants()
        with self._placement():
            for arm in arms:
                self._prepare(arm)
            with self._turns():
                slots.measure(self._session, self._job, self._runners, self._drop)
            for runner in self._runners.values():
                samples = slots.collect(self._job, runner)
                samples.harness_ns = overhead.harness_ns(self._session, runner)
                self._session.send(samples)
            for runner in list(self._runners.values()):
                self._finish(runner)
        # Who did it can be told only of one that is alone, as in the probe.
        self._session.check_guard(arms[0].label if len(arms) == 1 else "")
        self._session.watchdog.start()
        gcpolicy.after_job(self._session.plan.gc)
        self._session.send(End(benchmark=self._job.benchmark))

    @contextlib.contextmanager
    def _turns(self) -> Iterator[None]:
        """Where the slots of others, in processes of their own, come between ours."""
        turns = self._session.turns
        if turns is None:
            yield
            return
        self._session.watchdog.start()
        try:
            turns.begin([arm for block in self._job.blocks for arm in block])
            yield
            turns.finish()
        except TurnLost:
            self._session.send(Begin(benchmark=self._job.benchmark, arm="", phase="slot"))
            raise

    @contextlib.contextmanager
    def _placement(self) -> Iterator[None]:
        """Where the load generator takes part, it and this thread have different cores."""
        generator = self._session.generator
        if generator is None or not needs_generator(self._session, self._job):
            yield
            return
        with generator.core_for_the_loop():
            self._session.guard.accept_affinity()
            yield
        self._session.guard.accept_affinity()

    def _participants(self) -> list[Arm]:
        """In creation order; of a job without blocks all."""
        named = {label for block in self._job.blocks for label in block}
        return [arm for arm in self._arms.values() if not self._job.blocks or arm.label in named]

    def _prepare(self, arm: Arm) -> None:
        """Everything before the first slot."""
        runner: Runner | None = None
        try:
            workload = self._session.make_workload(self._job.scenario, self._job.params)
            missing = sorted(workload.requires - arm.capabilities)
            if missing:
                raise NotImplementedError(f"needs {', '.join(missing)}")
            runner = self._runners[arm.label] = Runner(arm, workload)
            self._begin("setup", arm)
            workload.loop_factory = arm.factory
            workload.generator = self._session.generator
            workload.setup(arm.loop, self._session.engine)
            self._calibrate(runner)
            self._warm_up(runner)
        except BaseException as error:
            if runner is None:
                self._session.refuse(self._job.benchmark, arm.label, error)
            else:
                self._drop(runner, error)
            return
        slots.let_go(self._session, arm)

    def _calibrate(self, runner: Runner) -> None:
        label = runner.arm.label
        runner.n = self._job.iterations.get(label, 0)
        if runner.n:
            return
        self._begin("calibrate", runner.arm)
        workload = runner.workload
        runner.n = self._session.engine.calibrate(
            runner.run,
            min_time=self._job.min_time,
            grain=workload.grain,
            wall=workload.measure != "cpu",
        )
        self._session.send(Calibrated(benchmark=self._job.benchmark, arm=label, n=runner.n))

    def _warm_up(self, runner: Runner) -> None:
        self._begin("warmup", runner.arm)
        for _ in range(self._job.warmup):
            runner.run(runner.n)

    def _drop(self, runner: Runner, error: BaseException) -> None:
        """The arm is out of this job: its samples are not reported, its loop is not trusted."""
        self._runners.pop(runner.arm.label)
        self._session.refuse(self._job.benchmark, runner.arm.label, error)
        self._tear_down(runner)
        if not arms_.renew(self._session, runner.arm):
            del self._arms[runner.arm.label]

    def _finish(self, runner: Runner) -> None:
        error = self._tear_down(runner)
        if error is not None:
            self._session.refuse(self._job.benchmark, runner.arm.label, error)
        if runner.arm.loop.is_closed() or runner.arm.loop.is_running():
            error = error or RuntimeError("the loop cannot be used after the benchmark")
        if error is not None and not arms_.renew(self._session, runner.arm):
            del self._arms[runner.arm.label]

    def _tear_down(self, runner: Runner) -> BaseException | None:
        """What it raised, if anything."""
        self._begin("teardown", runner.arm)
        failure: BaseException | None = None
        try:
            runner.workload.teardown(runner.arm.loop)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            failure = error
        slots.let_go(self._session, runner.arm)
        return failure

    def _begin(self, phase: Phase, arm: Arm) -> None:
        self._session.begin(phase, arm.label, self._job.benchmark)
        slots.use_loop(arm)
