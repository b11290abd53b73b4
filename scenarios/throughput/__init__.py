"""The throughput family: scheduling, tasks, synchronisation and threads, without I/O."""

from __future__ import annotations

from loopgauge.scenarios.model import Scenario
from loopgauge.scenarios.throughput import (
    cycles,
    executors,
    fairness,
    gathering,
    scheduling,
    sync,
    tasks,
    threads,
    trees,
    workers,
)

# In the order of the catalogue, which is the order of tables and reports.
SCENARIOS: tuple[type[Scenario], ...] = (
    scheduling.CallSoonChain,
    scheduling.CallSoonBatch,
    scheduling.CallSoonArgs,
    scheduling.CallSoonContext,
    scheduling.CallSoonCancel,
    threads.CallSoonThreadsafe,
    threads.ThreadsafeWakeup,
    tasks.Sleep0,
    tasks.TaskSpawn,
    gathering.Gather,
    gathering.AsCompleted,
    gathering.WaitFirst,
    gathering.TaskGroup,
    trees.AsyncTree,
    tasks.FutureChain,
    workers.QueueProducerConsumer,
    sync.SemaphoreContention,
    sync.LockContention,
    sync.EventFanout,
    tasks.CancellationStorm,
    executors.RunInExecutor,
    executors.RunCoroutineThreadsafe,
    cycles.LoopLifecycle,
    cycles.IdleTurns,
    workers.TaskQueue,
    fairness.Fairness,
    fairness.IoUnderBusyLoop,
)
