"""Which of CPython's asyncio test classes can be pointed at another loop, and by which hook.

Tier A has a hook of its own (a method that makes the loop). Tier B takes the loop from the event
loop policy. Everything not listed is written against mocks of private attributes, or replaces the
loop by CPython's own `TestLoop`: it says nothing about another loop.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LaneClass:
    """One test class as it is run.

    `parts`: classes `module.Class` of `test.test_asyncio`, mixed together in this order; `a|b`
    takes the first that exists in the running version; a part that does not exist leaves the
    whole class out.
    `hook`: the method that makes the loop, "setUp" where the tests only want `self.loop`, or
    "policy" for classes that are run as they are.
    `base`: the test case under the mixins, "" where the parts already have one.
    `loops`: False where the class never makes a loop of the target (its loops are mocks).
    """

    name: str
    parts: tuple[str, ...]
    hook: str
    base: str = ""
    loops: bool = True


_UTILS = "utils.TestCase"
_UNITTEST = "unittest.TestCase"

TIER_A = (
    LaneClass(
        "EventLoop",
        (
            # SafeChildWatcher of this mixin reaps through the loop's own signal handler.
            "test_events.UnixEventLoopTestsMixin|test_events.EventLoopTestsMixin",
            "test_events.SubprocessTestsMixin",
        ),
        "create_event_loop",
        _UTILS,
    ),
    LaneClass("Sock", ("test_sock_lowlevel.BaseSockTestsMixin",), "create_event_loop", _UTILS),
    LaneClass(
        "Sendfile",
        ("test_sendfile.SendfileMixin", "test_sendfile.SockSendfileMixin"),
        "create_event_loop",
        _UTILS,
    ),
    LaneClass("Server", ("test_server.BaseStartServer",), "new_loop", _UNITTEST),
    LaneClass(
        "BufferedProtocol",
        ("test_buffered_proto.BaseTestBufferedProtocol",),
        "new_loop",
        _UNITTEST,
    ),
    LaneClass("StartTLS", ("test_sslproto.BaseStartTLS",), "new_loop", _UNITTEST),
    LaneClass("Subprocess", ("test_subprocess.SubprocessMixin",), "setUp", _UTILS),
)


def _as_they_are(module: str, *classes: str, loops: bool = True) -> tuple[LaneClass, ...]:
    return tuple(
        LaneClass(f"{module}.{name}", (f"{module}.{name}",), "policy", loops=loops)
        for name in classes
    )


TIER_B = (
    *_as_they_are("test_streams", "StreamTests"),
    *_as_they_are("test_ssl", "TestSSL"),
    *_as_they_are("test_unix_events", "TestFunctional", "TestFork"),
    *_as_they_are("test_events", "TestPyGetEventLoop", "TestCGetEventLoop", "TestServer"),
    *_as_they_are("test_tasks", "RunCoroutineThreadsafeTests", "SleepTests", "CCurrentLoopTests"),
    *_as_they_are("test_tasks", "CIntrospectionTests", loops=False),
    *_as_they_are(
        "test_locks",
        "LockTests",
        "EventTests",
        "ConditionTests",
        "SemaphoreTests",
        "BarrierTests",
    ),
    *_as_they_are(
        "test_queues",
        "QueueBasicTests",
        "QueueGetTests",
        "QueuePutTests",
        "LifoQueueTests",
        "PriorityQueueTests",
        "QueueJoinTests",
        "LifoQueueJoinTests",
        "PriorityQueueJoinTests",
        "QueueShutdownTests",
        "LifoQueueShutdownTests",
        "PriorityQueueShutdownTests",
    ),
    *_as_they_are("test_taskgroups", "TestTaskGroup", "TestEagerTaskTaskGroup"),
    *_as_they_are("test_timeouts", "TimeoutTests"),
    *_as_they_are("test_waitfor", "AsyncioWaitForTest", "WaitForShieldTests"),
    *_as_they_are("test_threads", "ToThreadTests"),
    *_as_they_are("test_context", "DecimalContextTest"),
    *_as_they_are("test_base_events", "RunningLoopTests"),
    *_as_they_are("test_server", "TestServer2", "UnixServerCleanupTests"),
    *_as_they_are(
        "test_eager_task_factory",
        "CEagerTaskFactoryLoopTests",
        "NonEagerCTaskTests",
        "EagerCTaskTests",
    ),
    *_as_they_are("test_staggered", "StaggeredTests"),
)

TIERS = {"a": TIER_A, "b": TIER_B}
