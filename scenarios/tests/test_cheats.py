"""A loop that saves work is caught: in the setup, or by the run itself where a setup was honest."""

from __future__ import annotations

import asyncio

import pytest
from scenario_testing import cheats
from scenario_testing.drive import cheat_from, ready

from loopgauge.scenarios.model import CheckFailed
from loopgauge.scenarios.registry import all_scenarios, benchmark_id, parse_benchmark_id

SCHEDULING = (cheats.Drops, cheats.Repeats, cheats.Reorders, cheats.RunsAtOnce)
TIMERS = (cheats.FiresCancelled, cheats.FiresEarly, cheats.NeverFires)
SIGNALS = (
    cheats.DropsSignals,
    cheats.RepeatsSignals,
    cheats.MixesSignals,
    cheats.KeepsHandlers,
)
TASKS = (cheats.Drops, cheats.Reorders, cheats.SkipsRuns)

# What is caught by the proofs of the setup, which every process makes once.
CAUGHT_IN_SETUP = {
    "throughput.call_soon_chain": SCHEDULING,
    "throughput.call_soon_batch": SCHEDULING,
    "throughput.call_soon_args": (*SCHEDULING, cheats.ForgetsArguments),
    "throughput.call_soon_context": (*SCHEDULING, cheats.IgnoresContext),
    "throughput.call_soon_cancel": (*SCHEDULING, cheats.RunsCancelled),
    "throughput.call_soon_threadsafe": (cheats.DropsFromThreads, cheats.Reorders),
    "throughput.call_soon_threadsafe[producers=2]": (cheats.DropsFromThreads, cheats.Reorders),
    "throughput.threadsafe_wakeup": (cheats.DropsFromThreads, cheats.Reorders),
    "throughput.sleep0": (cheats.Drops, cheats.Reorders),
    "throughput.task_spawn": (cheats.Drops, cheats.SkipsTasks),
    "throughput.future_chain": SCHEDULING,
    "throughput.async_tree[eager=true]": (cheats.IgnoresTaskFactory,),
    "throughput.run_in_executor": (cheats.RunsExecutorInline,),
    "throughput.run_coroutine_threadsafe": (cheats.DropsFromThreads, cheats.Reorders),
    "throughput.idle_turns": (cheats.IsDeaf,),
    "throughput.fairness": (cheats.FiresEarly, cheats.NeverFires, cheats.DropsFromThreads),
    "throughput.io_under_busy_loop": (cheats.IsDeaf,),
    "timer.schedule_cancel": TIMERS,
    "timer.million_timers": TIMERS,
    "timer.timeout_wrap": TIMERS,
    "timer.wait_for": TIMERS,
    "timer.reschedule": TIMERS,
    "timer.rate_limiter": TIMERS,
    "timer.lateness": TIMERS,
    "timer.sleep_jitter": TIMERS,
    "timer.dense_deadlines": TIMERS,
    "timer.sparse_deadlines": TIMERS,
    "signal.signal_roundtrip": SIGNALS,
    "signal.signal_burst": SIGNALS,
    "signal.signal_latency_idle": SIGNALS,
    "signal.signal_latency_busy": SIGNALS,
    "signal.handler_add_remove": SIGNALS,
}

# What each run notices even when the loop was honest in the setup.
CAUGHT_IN_RUN = {
    "throughput.call_soon_chain": (cheats.Drops, cheats.Repeats),
    "throughput.call_soon_batch": SCHEDULING,
    "throughput.call_soon_args": (*SCHEDULING, cheats.ForgetsArguments),
    "throughput.call_soon_context": (*SCHEDULING, cheats.IgnoresContext),
    "throughput.call_soon_cancel": (cheats.Drops, cheats.Repeats, cheats.RunsCancelled),
    "throughput.call_soon_threadsafe": (cheats.DropsFromThreads, cheats.Reorders),
    "throughput.call_soon_threadsafe[producers=2]": (cheats.DropsFromThreads,),
    "throughput.threadsafe_wakeup": (cheats.DropsFromThreads,),
    "throughput.sleep0": (cheats.Drops,),
    "throughput.task_spawn": (cheats.Drops, cheats.SkipsTasks),
    "throughput.gather": (cheats.Drops, cheats.SkipsTasks),
    "throughput.as_completed": (cheats.Drops, cheats.SkipsTasks),
    "throughput.wait_first": (cheats.Drops,),
    "throughput.task_group": (cheats.Drops, cheats.SkipsTasks),
    "throughput.async_tree": (cheats.Drops, cheats.SkipsTasks),
    "throughput.async_tree[work=memoization]": (cheats.NeverFires, cheats.SkipsTasks),
    "throughput.future_chain": (cheats.Drops,),
    "throughput.queue_producer_consumer": (cheats.Drops,),
    "throughput.semaphore_contention": (cheats.Drops, cheats.SkipsTasks),
    "throughput.lock_contention": (cheats.Drops, cheats.SkipsTasks),
    "throughput.event_fanout": (cheats.Drops, cheats.SkipsTasks),
    "throughput.cancellation_storm": (cheats.Drops, cheats.SkipsTasks),
    "throughput.run_in_executor": (cheats.SkipsExecutor, cheats.DropsFromThreads),
    "throughput.run_coroutine_threadsafe": (cheats.DropsFromThreads,),
    "throughput.idle_turns": (cheats.Drops, cheats.Repeats),
    "throughput.task_queue": (cheats.Drops,),
    "throughput.fairness": (cheats.NeverFires, cheats.DropsFromThreads),
    "throughput.io_under_busy_loop": (cheats.IsDeaf,),
    "timer.schedule_cancel": (cheats.FiresCancelled,),
    "timer.million_timers": (cheats.FiresEarly,),
    "timer.million_timers[phase=cleanup]": (cheats.FiresEarly, cheats.FiresCancelled),
    "timer.million_timers[phase=fire]": (
        cheats.FiresTwice,
        cheats.LosesTimers,
    ),
    "timer.timeout_wrap": (cheats.FiresEarly,),
    "timer.wait_for": (cheats.FiresEarly, cheats.Drops),
    "timer.reschedule": (cheats.FiresEarly,),
    "timer.rate_limiter": (cheats.NeverFires, cheats.RunsAhead),
    "timer.lateness": (cheats.FiresEarly, cheats.FiresTwice, cheats.NeverFires),
    "timer.lateness[delay=10]": (cheats.HurriesTimers,),
    "timer.lateness[load=busy]": (cheats.HurriesTimers, cheats.NeverFires),
    "timer.sleep_jitter": (cheats.FiresEarly, cheats.LosesTimers),
    "timer.dense_deadlines": (cheats.FiresTwice, cheats.LosesTimers),
    "timer.dense_deadlines[timers=10]": (cheats.FiresEarly,),
    "timer.sparse_deadlines": (cheats.FiresEarly, cheats.FiresTwice, cheats.NeverFires),
    "signal.signal_roundtrip": (cheats.LosesSignals, cheats.RepeatsSignals),
    "signal.signal_burst": (cheats.DropsSignals, cheats.RepeatsSignals, cheats.MixesSignals),
    "signal.signal_burst[kinds=3]": (cheats.DropsSignals, cheats.RepeatsSignals),
    "signal.signal_latency_idle": (cheats.DropsSignals, cheats.RepeatsSignals),
    "signal.signal_latency_busy": (cheats.DropsSignals, cheats.RepeatsSignals),
    "signal.signal_latency_busy[load=io]": (cheats.DropsSignals,),
    "signal.handler_add_remove": (cheats.DropsSignals, cheats.KeepsHandlers),
    "signal.sigchld_storm": (cheats.InventsStatuses,),
}


def cases() -> list:
    return [
        pytest.param(moment, benchmark, cheat, id=f"{benchmark}-{cheat.__name__}-{moment}")
        for moment, table in (("setup", CAUGHT_IN_SETUP), ("run", CAUGHT_IN_RUN))
        for benchmark, caught in table.items()
        for cheat in caught
    ]


@pytest.mark.filterwarnings("ignore")  # abandoned coroutines and tasks are what cheating leaves
@pytest.mark.parametrize(("moment", "benchmark", "cheat"), cases())
def test_cheating_is_caught(moment, benchmark, cheat) -> None:
    scenario_id, params = parse_benchmark_id(benchmark)
    if params.get("eager") and not hasattr(asyncio, "eager_task_factory"):
        pytest.skip("eager tasks need Python 3.12")
    scenario = all_scenarios()[scenario_id](**params)
    loop = cheat()
    try:
        with pytest.raises(CheckFailed):
            cheat_from(moment, scenario, loop)
    finally:
        loop.close()


def test_every_scenario_is_cheated() -> None:
    covered = {parse_benchmark_id(name)[0] for name in (*CAUGHT_IN_SETUP, *CAUGHT_IN_RUN)}
    by_their_factory = {"throughput.loop_lifecycle", "signal.sigint_cancel"}
    elsewhere = {name for name in all_scenarios() if name.startswith("io.")}  # test_io.py
    assert covered | by_their_factory | elsewhere == set(all_scenarios())


def test_the_same_loops_pass_while_they_are_honest() -> None:
    for cheat in (cheats.Drops, cheats.Reorders, cheats.DropsFromThreads, cheats.SkipsTasks):
        loop = cheat()
        scenario = all_scenarios()["throughput.task_spawn"]()
        scenario.setup(loop)
        assert scenario.run(loop, 20) == 20, benchmark_id(scenario)
        scenario.teardown(loop)
        loop.close()


@pytest.mark.parametrize("cheat", [cheats.FiresEarly, cheats.FiresNewestFirst])
def test_timers_out_of_order_are_caught(cheat) -> None:
    """In one of several runs: where the thread was preempted for long, order says nothing."""
    loop = cheat()
    scenario = all_scenarios()["timer.million_timers"](phase="fire", count=1000)
    with ready(scenario, loop):
        loop.cheating = True
        with pytest.raises(CheckFailed, match="not in order"):
            run_often(scenario, loop)
    loop.close()


def run_often(scenario, loop) -> None:
    for _ in range(50):
        scenario.run(loop, 1000)
