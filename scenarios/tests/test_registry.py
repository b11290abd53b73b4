"""Names, globs, suggestions and benchmark ids."""

from __future__ import annotations

import re

import pytest

from loopgauge.loops.spec import CAPABILITIES
from loopgauge.scenarios.model import BadParam
from loopgauge.scenarios.registry import (
    UnknownScenario,
    all_scenarios,
    benchmark_id,
    parse_benchmark_id,
    select,
)

THROUGHPUT = [
    "call_soon_chain",
    "call_soon_batch",
    "call_soon_args",
    "call_soon_context",
    "call_soon_cancel",
    "call_soon_threadsafe",
    "threadsafe_wakeup",
    "sleep0",
    "task_spawn",
    "gather",
    "as_completed",
    "wait_first",
    "task_group",
    "async_tree",
    "future_chain",
    "queue_producer_consumer",
    "semaphore_contention",
    "lock_contention",
    "event_fanout",
    "cancellation_storm",
    "run_in_executor",
    "run_coroutine_threadsafe",
    "loop_lifecycle",
    "idle_turns",
    "task_queue",
    "fairness",
    "io_under_busy_loop",
]

TIMER = [
    "schedule_cancel",
    "million_timers",
    "timeout_wrap",
    "wait_for",
    "reschedule",
    "rate_limiter",
    "lateness",
    "sleep_jitter",
    "dense_deadlines",
    "sparse_deadlines",
]

SIGNAL = [
    "signal_roundtrip",
    "signal_burst",
    "signal_latency_idle",
    "signal_latency_busy",
    "handler_add_remove",
    "sigchld_storm",
    "sigint_cancel",
]

IO = [
    "tcp_echo",
    "tcp_pipelined",
    "tcp_bulk",
    "tcp_readline",
    "split_write",
    "writelines",
    "accept_rate",
    "connect_rate",
    "connection_memory",
    "add_reader_churn",
    "idle_fds",
    "udp_echo",
    "udp_flood",
    "unix_echo",
    "pipe_throughput",
    "subprocess_spawn",
    "subprocess_pipe",
    "sendfile",
    "getaddrinfo_literal",
    "getaddrinfo_localhost",
    "tls_handshake",
    "start_tls",
    "open_loop_latency",
    "http_aiohttp",
    "http_uvicorn",
    "websocket_broadcast",
    "streams_backpressure",
    "echo_beside_busy_thread",
    "connection_fairness",
    "file_read_executor",
    "file_copy",
]


def ids(*patterns: str) -> list[str]:
    return [scenario.id for scenario in select(patterns)]


def test_the_whole_throughput_family_is_there() -> None:
    assert ids("throughput") == [f"throughput.{name}" for name in THROUGHPUT]


def test_the_whole_timer_family_is_there() -> None:
    assert ids("timer") == [f"timer.{name}" for name in TIMER]


def test_the_whole_signal_family_is_there() -> None:
    assert ids("signal") == [f"signal.{name}" for name in SIGNAL]


def test_what_the_io_family_has() -> None:
    assert ids("io") == [f"io.{name}" for name in IO]


def test_a_name_an_id_and_a_glob_select() -> None:
    assert ids("sleep0") == ["throughput.sleep0"]
    assert ids("throughput.sleep0") == ["throughput.sleep0"]
    assert ids("timer.s*l") == ["timer.schedule_cancel"]
    assert ids("*_contention") == [
        "throughput.semaphore_contention",
        "throughput.lock_contention",
    ]
    assert ids("throughput.call_soon_[ab]*") == [
        "throughput.call_soon_batch",
        "throughput.call_soon_args",
    ]


def test_several_patterns_select_once_and_in_catalogue_order() -> None:
    assert ids("sleep0", "call_soon_chain", "throughput.sleep0") == [
        "throughput.call_soon_chain",
        "throughput.sleep0",
    ]


def test_no_pattern_selects_all() -> None:
    assert ids() == list(all_scenarios())


@pytest.mark.parametrize(
    ("pattern", "suggestion"),
    [("slep0", "sleep0"), ("troughput", "throughput"), ("throughput.gathr", "throughput.gather")],
)
def test_an_unknown_name_suggests_the_nearest(pattern, suggestion) -> None:
    with pytest.raises(UnknownScenario) as caught:
        select([pattern])
    assert caught.value.name == pattern
    assert suggestion in caught.value.suggestions
    assert suggestion in str(caught.value)


def test_a_glob_that_matches_nothing_is_unknown() -> None:
    with pytest.raises(UnknownScenario, match=r"oi\.\*"):
        select(["sleep0", "oi.*"])


def test_benchmark_ids_sort_keys_and_leave_defaults_out() -> None:
    tree = all_scenarios()["throughput.async_tree"]
    assert benchmark_id(tree()) == "throughput.async_tree"
    assert benchmark_id(tree(work="none", eager=False)) == "throughput.async_tree"
    made = tree(work="memoization", eager=True)
    assert benchmark_id(made) == "throughput.async_tree[eager=true,work=memoization]"


def test_benchmark_ids_read_back() -> None:
    for scenario in all_scenarios().values():
        for params in (*scenario.quick, *scenario.full):
            name = benchmark_id(scenario(**params))
            found, given = parse_benchmark_id(name)
            assert benchmark_id(all_scenarios()[found](**given)) == name


def test_benchmark_ids_are_unique_within_a_setting() -> None:
    for setting in ("quick", "full"):
        names = [
            benchmark_id(scenario(**params))
            for scenario in all_scenarios().values()
            for params in getattr(scenario, setting)
        ]
        assert len(names) == len(set(names))


def test_malformed_benchmark_ids() -> None:
    for text in ("throughput.slep0", "throughput.sleep0[", "sleep0[a=1][b=2]", ""):
        with pytest.raises(UnknownScenario):
            parse_benchmark_id(text)
    with pytest.raises(BadParam, match="not name=value"):
        parse_benchmark_id("throughput.gather[size]")
    with pytest.raises(BadParam, match="no parameter count"):
        parse_benchmark_id("throughput.gather[count=3]")


def test_descriptions_are_complete() -> None:
    for scenario in all_scenarios().values():
        assert scenario.summary, scenario.id
        assert scenario.unit, scenario.id
        assert scenario.rules, scenario.id
        assert all(re.fullmatch(r"[A-Z]{3,4}-\d{3}", rule) for rule in scenario.rules), scenario.id
        assert scenario.requires <= CAPABILITIES, scenario.id
        assert {} in scenario.quick, scenario.id
        for param in scenario.params:
            assert param.default in param.values, (scenario.id, param.name)
            assert param.help, (scenario.id, param.name)


def test_a_full_run_of_the_family_stays_affordable() -> None:
    family = select(["throughput"])
    assert sum(len(scenario.quick) for scenario in family) <= 30
    assert sum(len(scenario.full) for scenario in family) <= 48
