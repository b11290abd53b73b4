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
    LaneClass("Server", ("test_server.SelectorStartServerTests",), "new_loop", _UNITTEST),
    LaneClass(
        "BufferedProtocol",
        ("test_buffered_proto.BaseTestBufferedProtocol",),
        "new_loop",
        _UNITTEST,
    ),
    LaneClass("StartTLS", ("test_sslproto.BaseStartTLS",), "new_loop", _UNITTEST),
    LaneClass("Subprocess", ("test_subprocess.SubprocessMixin",), "setUp", _UTILS),
    LaneClass("Pipe", ("test_events.UnixPipeObjectSupportTests",), "setUp", _UNITTEST),
)


def _as_they_are(module: str, *classes: str, loops: bool = True) -> tuple[LaneClass, ...]:
    return tuple(
        LaneClass(f"{module}.{name}", (f"{module}.{name}",), "policy", loops=loops)
        for name in classes
    )


TIER_B = (
    *_as_they_are("test_streams", "StreamTests"),
    *_as_they_are("test_ssl", "TestSSL"),
    *_as_they_are("test_unix_events", "TestFunctional", "TestFork", "PidfdChildWatcherTests"),
    *_as_they_are("test_events", "TestPyGetEventLoop", "TestCGetEventLoop", "TestServer"),
    *_as_they_are("test_tasks", "RunCoroutineThreadsafeTests", "SleepTests"),
    *_as_they_are("test_tasks", "CCurrentLoopTests", "PyCurrentLoopTests"),
    *_as_they_are("test_tasks", "CIntrospectionTests", "PyIntrospectionTests", loops=False),
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
    *_as_they_are("test_server_context", "AsyncioEventLoopTests", "AsyncioEventLoopSSLTests"),
    *_as_they_are(
        "test_eager_task_factory",
        "CEagerTaskFactoryLoopTests",
        "PyEagerTaskFactoryLoopTests",
        "NonEagerTests",
        "NonEagerCTaskTests",
        "NonEagerPyTaskTests",
        "EagerTests",
        "EagerCTaskTests",
        "EagerPyTaskTests",
        "DefaultTaskFactoryEagerStart",
    ),
    *_as_they_are("test_staggered", "StaggeredTests"),
    *_as_they_are(
        "test_free_threading",
        "TestCFreeThreading",
        "TestPyFreeThreading",
        "TestEagerCFreeThreading",
        "TestEagerPyFreeThreading",
    ),
    *_as_they_are("test_graph", "TestCallStackC", "TestCallStackPy"),
)

TIERS = {"a": TIER_A, "b": TIER_B}

#: Why the other classes of `test.test_asyncio` are not asked. A pattern of `fnmatch` for
#: `module.Class`; a class that neither this nor a tier names is new, and the lane fails.
NOT_ASKED = {
    "test_base_events.BaseEventLoop*Tests": "mocks of BaseEventLoop's private methods",
    "test_base_events.BaseEventTests": "private helpers of asyncio.base_events",
    "test_base_events.BaseLoopSockSendfileTests": "mocks of BaseEventLoop's private methods",
    "test_base_events.TestSelectorUtils": "private helpers of the tests",
    "test_selector_events.*": "mocks of BaseSelectorEventLoop and its transports",
    "test_proactor_events.*": "Windows",
    "test_windows_*": "Windows",
    "test_unix_events.SelectorEventLoop*Tests": "mocks of the Unix loop's private methods",
    "test_unix_events.Unix*PipeTransportTests": "mocks of the pipe transports",
    "test_unix_events.*ChildWatcherTests": "child watchers, no loop",
    "test_unix_events.PolicyTests": "the policies of CPython",
    "test_*.*EPollEventLoopTests": "a class of tier A on a selector of its own",
    "test_*.*PollEventLoopTests": "a class of tier A on a selector of its own",
    "test_*.*SelectEventLoopTests": "a class of tier A on a selector of its own",
    "test_buffered_proto.*": "a class of tier A on CPython's own loops",
    "test_sslproto.*StartTLSTests": "a class of tier A on CPython's own loops",
    "test_server_context.*": "a class of tier B on a loop that it names",
    "test_server.ProactorStartServerTests": "Windows",
    "test_subprocess.Subprocess*WatcherTests": "a class of tier A on CPython's own loops",
    "test_subprocess.*WatcherTests": "a child watcher, no loop",
    "test_subprocess.SubprocessTransportTests": "a transport on a mocked loop",
    "test_sslproto.SslProtoHandshakeTests": "SSLProtocol on a mocked loop",
    "test_tasks.*Task*_Tests": "the virtual clock of CPython's own TestLoop",
    "test_tasks.CTask_CFuture_SubclassTests": "the virtual clock of CPython's own TestLoop",
    "test_tasks.PyTask_PyFuture_SubclassTests": "the virtual clock of CPython's own TestLoop",
    "test_tasks.*GatherTests": "the virtual clock of CPython's own TestLoop",
    "test_tasks.GenericTaskTests": "tasks, no loop that runs",
    "test_futures*.*": "futures, no loop that runs",
    "test_pep492.*": "a BaseEventLoop that cannot run",
    "test_runners.*": "replaces the loop by mocks, through a policy of its own",
    "test_events.AbstractEventLoopTests": "abstract methods",
    "test_events.TestAbstractServer": "abstract methods",
    "test_events.HandleTests": "CPython's Handle on mocked loops",
    "test_events.TimerTests": "CPython's TimerHandle on mocked loops",
    "test_events.PolicyTests": "the policies of CPython",
    "test_protocols.*": "protocols, no loop",
    "test_transports.*": "transports, no loop",
    "test_tools.*": "the asyncio command line tools",
}
