"""One job in one worker: order, warm-up, samples, and what becomes of loops that misbehave."""

from __future__ import annotations

import asyncio
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loopgauge.harness.worker.arms import Arm, close_arms, make_arms
from loopgauge.harness.worker.engine import load_engine
from loopgauge.harness.worker.guard import Guard
from loopgauge.harness.worker.job import run_job
from loopgauge.harness.worker.plan import (
    AnyMessage,
    ArmPlan,
    Begin,
    Calibrated,
    End,
    JobPlan,
    Loop,
    Plan,
    Poison,
    Samples,
    Status,
)
from loopgauge.harness.worker.session import Session
from loopgauge.harness.worker.watchdog import Watchdog
from loopgauge.harness.worker.workload import Workload
from loopgauge.scenarios.model import CheckFailed


class Steps:
    """A fake scenario: n turns of the loop. `trouble(loop, call)` may raise before call number
    `call` (from 1) of an arm, or do something to its loop."""

    measure = "cpu"
    requires: frozenset[str] = frozenset()
    grain = 1
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None

    def __init__(self, trouble: Callable[[asyncio.AbstractEventLoop, int], Any]) -> None:
        self.trouble = trouble
        self.runs: list[int] = []
        self.calls: list[str] = []

    def setup(self, loop: asyncio.AbstractEventLoop, native: Any) -> None:
        assert self.loop_factory is not None
        assert native.noop() is None
        self.calls.append("setup")

    def run(self, loop: asyncio.AbstractEventLoop, n: int) -> int:
        self.runs.append(n)
        assert asyncio.get_event_loop() is loop
        result = self.trouble(loop, len(self.runs))

        async def steps() -> None:
            for _ in range(n):
                await asyncio.sleep(0)

        loop.run_until_complete(steps())
        return n if result is None else int(result)

    def teardown(self, loop: asyncio.AbstractEventLoop) -> None:
        self.calls.append("teardown")

    def take_open_loop(self) -> None:
        return None

    def direct_work(self) -> None:
        return None

    def last_value(self) -> float:
        return 1000.0 * len(self.runs)


class Sick(asyncio.SelectorEventLoop):
    """The loop that the tests make trouble for."""

    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        super().__init__()


def only_sick(trouble: Callable[[int], Any]) -> Callable[[asyncio.AbstractEventLoop, int], Any]:
    return lambda loop, call: trouble(call) if isinstance(loop, Sick) else None


def no_trouble(loop: asyncio.AbstractEventLoop, call: int) -> None:
    pass


class Rig:
    """A session whose messages end in a list, and the fake scenarios it made."""

    def __init__(self, *labels: str, design: Any = "hybrid") -> None:
        factories = {"sick": "sick_loops:Sick", "uvloop": "uvloop:new_event_loop"}
        plan = Plan(
            schema=1,
            process=0,
            seed=0,
            design=design,
            arms=[
                ArmPlan(arm=label, factory=factories.get(label, "asyncio:SelectorEventLoop"))
                for label in labels
            ],
            jobs=[],
        )
        self.messages: list[AnyMessage] = []
        self.workloads: list[Steps] = []
        self.trouble: Callable[[asyncio.AbstractEventLoop, int], Any] = no_trouble
        self.kind: type[Steps] = Steps
        self.watchdog = Watchdog(plan.hang_timeout)
        self.session = Session(
            plan, self.messages.append, load_engine(), self.watchdog, Guard(), self._workload
        )
        self.arms: dict[str, Arm] = make_arms(self.session)

    def _workload(self, scenario: str, params: Any) -> Workload:
        self.workloads.append(self.kind(self.trouble, **params))
        return self.workloads[-1]

    def run(self, *blocks: list[str], **job: Any) -> None:
        job.setdefault("iterations", dict.fromkeys(self.arms, 10))
        plan = JobPlan(benchmark="b", scenario="s", blocks=list(blocks), **job)
        run_job(self.session, plan, self.arms)

    def sent(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.messages if isinstance(message, kind)]

    def samples(self) -> dict[str, Samples]:
        return {message.arm: message for message in self.sent(Samples)}

    def slot_order(self) -> list[str]:
        return [message.arm for message in self.sent(Begin) if message.phase == "slot"]


@pytest.fixture
def make_rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Rig]]:
    module = types.ModuleType("sick_loops")
    module.Sick = Sick  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sick_loops", module)
    monkeypatch.setattr(Sick, "made", 0)
    rigs: list[Rig] = []

    def make(*labels: str, **options: Any) -> Rig:
        rigs.append(Rig(*labels, **options))
        return rigs[-1]

    yield make
    for rig in rigs:
        close_arms(rig.session, rig.arms)
        rig.watchdog.stop()


AB = ["asyncio", "sick"]
BA = ["sick", "asyncio"]


def test_slots_run_in_the_order_of_the_blocks(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB)
    rig.run(AB, BA, BA)
    assert rig.slot_order() == [*AB, *BA, *BA]
    samples = rig.samples()["sick"]
    assert (samples.block, samples.slot, samples.n) == ([0, 1, 2], [1, 2, 4], [10, 10, 10])
    for times in (samples.wall_ns, samples.process_ns, samples.thread_ns):
        assert len(times) == 3
        assert min(times) > 0
    assert samples.value is None
    assert len(samples.nivcsw) == 3
    assert isinstance(rig.messages[-1], End)


def test_an_arm_that_is_in_no_block_rests(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB)
    rig.run(["sick"], ["sick"])
    assert set(rig.samples()) == {"sick"}
    assert len(rig.workloads) == 1


def test_warm_up_is_whole_slots_first_and_a_share_before_each(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig("asyncio")
    rig.run(["asyncio"], ["asyncio"], iterations={"asyncio": 80}, warmup=2)
    assert rig.workloads[0].runs == [80, 80, 10, 80, 10, 80]


def test_every_run_is_a_multiple_of_the_grain(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig("asyncio")

    class Coarse(Steps):
        grain = 7

    rig.kind = Coarse
    rig.run(["asyncio"], iterations={}, min_time=0.0005)
    assert all(n % 7 == 0 for n in rig.workloads[0].runs)
    rig.run(["asyncio"], iterations={"asyncio": 49}, warmup=0)
    assert rig.workloads[1].runs == [49]  # no short warm-up fits


def test_the_probe_calibrates_and_runs_one_slot(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB, design="probe")
    rig.run(iterations={}, min_time=0.0005)
    found = {message.arm: message.n for message in rig.sent(Calibrated)}
    assert set(found) == set(AB)
    assert {arm: samples.n for arm, samples in rig.samples().items()} == {
        arm: [n] for arm, n in found.items()
    }


def test_a_value_is_read_after_every_slot(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig("asyncio")

    class Valued(Steps):
        measure = "value"

    rig.kind = Valued
    rig.run(["asyncio"], ["asyncio"], warmup=1)
    assert rig.samples()["asyncio"].value == [3000.0, 5000.0]


@pytest.mark.parametrize("uvloop", [False, True])
def test_every_scenario_is_set_up_and_torn_down_once(
    make_rig: Callable[..., Rig], uvloop: bool
) -> None:
    if uvloop:
        pytest.importorskip("uvloop")
    labels = ["asyncio", "uvloop" if uvloop else "asyncio~aa"]
    rig = make_rig(*labels)
    rig.run(labels, labels[::-1])
    assert [workload.calls for workload in rig.workloads] == [["setup", "teardown"]] * 2
    assert rig.sent(Status) == []
    assert rig.sent(Poison) == []
    assert len(rig.samples()) == 2


def raise_at(error: BaseException, when: int) -> Callable[[int], None]:
    def trouble(call: int) -> None:
        if call == when:
            raise error

    return trouble


class PanicException(BaseException):
    """What a panic in a loop written in Rust looks like."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotImplementedError("sendfile"), "unsupported"),
        (CheckFailed("out of order"), "invalid"),
        (ValueError("boom"), "error"),
        (PanicException("boom"), "error"),
        (SystemExit(3), "error"),
    ],
)
@pytest.mark.parametrize("call", [1, 2, 4])
def test_an_arm_that_fails_is_dropped_and_the_others_go_on(
    make_rig: Callable[..., Rig], error: BaseException, status: str, call: int
) -> None:
    """Call 1 is the warm-up, 2 and 4 are in blocks 0 and 1 (each slot is warmed up by itself)."""
    rig = make_rig(*AB)
    rig.trouble = only_sick(raise_at(error, call))
    rig.run(AB, BA, AB, iterations=dict.fromkeys(AB, 16))
    [message] = rig.sent(Status)
    assert (message.arm, message.status) == ("sick", status)
    assert type(error).__name__ in message.reason
    assert "raise error" in message.traceback
    samples = rig.samples()
    assert set(samples) == {"asyncio"}
    assert samples["asyncio"].block == [0, 1, 2]
    assert samples["asyncio"].slot == [0, 3, 4]
    assert rig.workloads[1].calls[-1] == "teardown"


def test_a_wrong_count_is_invalid(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB)
    rig.trouble = only_sick(lambda call: 9 if call > 1 else None)
    rig.run(AB, BA)
    [message] = rig.sent(Status)
    assert (message.arm, message.status) == ("sick", "invalid")
    assert "9" in message.reason


def test_a_failed_loop_is_replaced_for_the_next_job(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB)
    first = rig.arms["sick"].loop
    rig.trouble = only_sick(raise_at(ValueError(), 3))
    rig.run(AB, AB)
    assert first.is_closed()
    rig.trouble = no_trouble
    rig.messages.clear()
    rig.run(AB, AB)
    assert set(rig.samples()) == set(AB)
    assert Sick.made == 2


def test_a_loop_that_cannot_be_made_again_is_left_out(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig(*AB)

    def broken() -> None:
        raise OSError("no more loops")

    monkeypatch.setattr(sys.modules["sick_loops"], "Sick", broken)
    rig.trouble = only_sick(raise_at(ValueError(), 1))
    rig.run(AB)
    [message] = [message for message in rig.sent(Loop) if not message.ok]
    assert message.arm == "sick"
    assert "no more loops" in message.error
    rig.run(AB)
    assert list(rig.arms) == ["asyncio"]
    assert len(rig.sent(Samples)) == 2


def test_a_capability_the_loop_lacks_is_unsupported(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB)

    class Needy(Steps):
        requires = frozenset({"udp", "tls"})

    rig.kind = Needy
    rig.arms["asyncio"].capabilities = frozenset({"udp", "tls", "tcp"})
    rig.arms["sick"].capabilities = frozenset({"udp"})
    rig.run(AB)
    [message] = rig.sent(Status)
    assert (message.arm, message.status) == ("sick", "unsupported")
    assert "tls" in message.reason
    assert set(rig.samples()) == {"asyncio"}
    assert Sick.made == 1  # it did nothing wrong


def test_a_loop_that_stays_the_running_one_is_reported_and_the_others_go_on(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_for_ever(self: Sick) -> None:
        super(Sick, self).run_forever()
        asyncio._set_running_loop(self)

    monkeypatch.setattr(Sick, "run_forever", run_for_ever)
    rig = make_rig(*AB)
    rig.run(BA, BA, warmup=0, iterations=dict.fromkeys(AB, 1))
    assert {message.arm for message in rig.sent(Poison)} == {"sick"}
    assert set(rig.samples()) == set(AB)
    assert rig.sent(Status) == []


def test_a_loop_closed_by_its_job_is_replaced(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig("sick")

    class Closing(Steps):
        def teardown(self, loop: asyncio.AbstractEventLoop) -> None:
            loop.close()

    rig.kind = Closing
    rig.run(["sick"])
    rig.run(["sick"])
    assert len(rig.sent(Samples)) == 2
    assert Sick.made == 3


def test_a_failing_tear_down_is_reported(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(*AB)

    class Untidy(Steps):
        def teardown(self, loop: asyncio.AbstractEventLoop) -> None:
            if isinstance(loop, Sick):
                raise CheckFailed("a callback was lost")

    rig.kind = Untidy
    rig.run(AB)
    [message] = rig.sent(Status)
    assert (message.arm, message.status) == ("sick", "invalid")
    assert Sick.made == 2


def test_a_scenario_that_does_not_exist_is_an_error_of_every_arm(
    make_rig: Callable[..., Rig],
) -> None:
    rig = make_rig(*AB)

    class Missing(Steps):
        def __init__(self, trouble: Any) -> None:
            raise LookupError("nothing")

    rig.kind = Missing
    rig.run(AB)
    assert Counter(message.status for message in rig.sent(Status)) == {"error": 2}
    assert rig.sent(Samples) == []
    assert isinstance(rig.messages[-1], End)


def test_what_a_job_changes_process_wide_is_reported_with_the_arm_that_is_alone(
    make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = make_rig("sick")

    def patch(call: int) -> None:
        monkeypatch.setattr(asyncio.tasks, "wait_for", lambda: None)

    rig.trouble = only_sick(patch)
    rig.run(["sick"])
    [message] = rig.sent(Poison)
    assert message.arm == "sick"
    assert any("wait_for" in line for line in message.what)


def test_keyboard_interrupt_passes_through(make_rig: Callable[..., Rig]) -> None:
    for call in (1, 2):
        rig = make_rig(*AB)
        rig.trouble = only_sick(raise_at(KeyboardInterrupt(), call))
        with pytest.raises(KeyboardInterrupt):
            rig.run(AB)
        assert rig.sent(Status) == []
