"""The io family: who moves bytes badly is caught, what is lacking is said, nothing stays behind."""

from __future__ import annotations

import asyncio
import gc
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scenario_testing import cheats, io_cheats
from scenario_testing.drive import LIBRARIES, cheat_from, measure, operations, ready, slow_ones
from scenario_testing.generators import generator

from loopgauge.scenarios.io import http
from loopgauge.scenarios.io.connections import ConnectionMemory
from loopgauge.scenarios.io.descriptors import IdleFds, IdlePool
from loopgauge.scenarios.io.echo import BusyThread, TcpEcho
from loopgauge.scenarios.io.floor import Floor
from loopgauge.scenarios.model import BadParam, CheckFailed, Lacking
from loopgauge.scenarios.registry import all_scenarios, parse_benchmark_id

ECHO = (io_cheats.SpoilsBytes, io_cheats.DropsWrites, io_cheats.SendsTwice, io_cheats.Misreads)

CAUGHT = {
    "io.tcp_echo": ECHO,
    "io.tcp_echo[transport=unix]": (io_cheats.SpoilsBytes,),
    "io.tcp_echo[transport=tls]": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.tcp_echo[api=buffered]": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.tcp_echo[api=streams]": ECHO,
    "io.tcp_pipelined": ECHO,
    "io.tcp_pipelined[api=streams]": ECHO,
    "io.tcp_readline": ECHO,
    "io.writelines": (io_cheats.LosesPieces, io_cheats.ReordersPieces, io_cheats.Misreads),
    "io.unix_echo": ECHO,
    "io.split_write": ECHO,
    "io.connection_fairness": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.echo_beside_busy_thread": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.tcp_bulk": (io_cheats.SpoilsBytes, io_cheats.NeverPauses),
    "io.tcp_bulk[way=receive]": (io_cheats.Misreads,),
    "io.accept_rate": (io_cheats.ForgetsConnections,),
    "io.connect_rate": (io_cheats.DoesNotConnect,),
    "io.open_loop_latency": ECHO,
    "io.udp_echo": (io_cheats.LosesDatagrams,),
    "io.udp_flood": (io_cheats.DropsDatagrams, io_cheats.MisreadsDatagrams),
    "io.websocket_broadcast": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.pipe_throughput": (io_cheats.SpoilsPipes, io_cheats.NeverPausesPipes),
    "io.getaddrinfo_literal": (io_cheats.RemembersAddresses,),
    "io.getaddrinfo_localhost": (io_cheats.RemembersAddresses,),
    "io.add_reader_churn": (cheats.IsDeaf, io_cheats.KeepsReaders),
    "io.idle_fds": (io_cheats.ReportsTwice,),
    "io.subprocess_pipe": (io_cheats.SpoilsPipes,),
    "io.sendfile": (io_cheats.SendsOtherPart, io_cheats.SendsLess),
    "io.tls_handshake": (io_cheats.ForgetsConnections,),
    "io.start_tls": (io_cheats.StaysPlain,),
    "io.streams_backpressure": (
        io_cheats.NeverPauses,
        io_cheats.NeverPausesReading,
        io_cheats.SpoilsBytes,
    ),
    "io.file_read_executor": (io_cheats.SkipsThreads,),
    "io.file_copy": (io_cheats.SkipsThreads,),
    "io.http_aiohttp": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.http_aiohttp[side=client]": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
    "io.http_uvicorn": (io_cheats.SpoilsBytes, io_cheats.DropsWrites),
}


# What a run cannot show, because it looks the same there, is shown in the setup.
CAUGHT_IN_SETUP = {
    "io.subprocess_spawn": (io_cheats.ReportsSuccess,),
    "io.add_reader_churn": (cheats.IsDeaf, io_cheats.ReportsAtOnce),
    "io.idle_fds": (cheats.IsDeaf, io_cheats.ReportsAtOnce),
    "io.file_read_executor": (cheats.RunsExecutorInline,),
    "io.file_copy": (cheats.RunsExecutorInline,),
}


def scenario_of(benchmark: str) -> Any:
    scenario, params = parse_benchmark_id(benchmark)
    if scenario in LIBRARIES:
        pytest.importorskip(LIBRARIES[scenario])
    return all_scenarios()[scenario](**params)


@pytest.mark.filterwarnings("ignore")  # abandoned tasks and transports are what cheating leaves
@pytest.mark.parametrize(
    ("moment", "benchmark", "cheat"),
    [
        pytest.param(moment, benchmark, cheat, id=f"{benchmark}-{cheat.__name__}-{moment}")
        for moment, table in (("setup", CAUGHT_IN_SETUP), ("run", CAUGHT))
        for benchmark, caught in table.items()
        for cheat in caught
    ],
)
def test_bytes_that_are_moved_badly_are_caught(moment, benchmark, cheat) -> None:
    scenario = scenario_of(benchmark)
    loop = cheat()
    try:
        with pytest.raises(CheckFailed):
            cheat_from(moment, scenario, loop)
    finally:
        loop.close()


def test_every_scenario_of_the_family_is_cheated() -> None:
    family = {name for name in all_scenarios() if name.startswith("io.")}
    # Its value is read once, in the setup, from the kernel.
    cheated = {parse_benchmark_id(name)[0] for name in (*CAUGHT, *CAUGHT_IN_SETUP)}
    assert cheated | {ConnectionMemory.id} == family


@pytest.mark.parametrize(
    ("benchmark", "method"),
    [
        ("io.tcp_echo", "create_server"),
        ("io.tcp_echo", "add_reader"),
        ("io.tcp_echo[transport=unix]", "create_unix_server"),
        ("io.tcp_echo[api=sock]", "sock_accept"),
        ("io.tcp_echo[api=sock]", "sock_sendall"),
        ("io.udp_echo", "create_datagram_endpoint"),
        ("io.udp_flood", "create_datagram_endpoint"),
        ("io.websocket_broadcast", "create_server"),
        ("io.connect_rate", "create_connection"),
        ("io.pipe_throughput", "connect_read_pipe"),
        ("io.pipe_throughput", "connect_write_pipe"),
        ("io.subprocess_spawn", "subprocess_exec"),
        ("io.getaddrinfo_literal", "getaddrinfo"),
        ("io.getaddrinfo_localhost", "getaddrinfo"),
        ("io.unix_echo", "create_unix_server"),
        ("io.add_reader_churn", "add_reader"),
        ("io.idle_fds", "remove_reader"),
        ("io.subprocess_pipe", "subprocess_exec"),
        ("io.sendfile", "sendfile"),
        ("io.start_tls", "start_tls"),
        ("io.streams_backpressure", "create_server"),
        ("io.file_read_executor", "run_in_executor"),
        ("io.file_copy", "run_in_executor"),
        ("io.http_aiohttp[side=client]", "create_connection"),
    ],
)
def test_what_a_loop_lacks_is_unsupported(benchmark, method) -> None:
    def lacking(self, *args, **options):
        raise NotImplementedError

    loop = type("Incomplete", (asyncio.SelectorEventLoop,), {method: lacking})()
    scenario = scenario_of(benchmark)
    scenario.patience = 1.0
    try:
        with pytest.raises(NotImplementedError):
            measure(scenario, loop)
    finally:
        loop.close()


@pytest.mark.parametrize(
    ("benchmark", "capability"),
    [
        ("io.tcp_echo", "tcp"),
        ("io.tcp_echo[transport=unix]", "unix"),
        ("io.tcp_echo[transport=tls]", "tls"),
        ("io.tcp_echo[api=sock]", "sock"),
        ("io.tcp_bulk[transport=tls]", "tls"),
        ("io.udp_echo", "udp"),
        ("io.udp_flood", "udp"),
        ("io.pipe_throughput", "pipe"),
        ("io.subprocess_spawn", "subprocess"),
        ("io.subprocess_pipe", "subprocess"),
        ("io.unix_echo", "unix"),
        ("io.unix_echo[api=sock]", "sock"),
        ("io.add_reader_churn", "fd"),
        ("io.sendfile", "sendfile"),
        ("io.sendfile[transport=tls]", "tls"),
        ("io.tls_handshake", "tls"),
        ("io.start_tls", "start_tls"),
        ("io.file_copy", "executor"),
    ],
)
def test_capabilities_are_asked_for_by_variant(benchmark, capability) -> None:
    scenario, params = parse_benchmark_id(benchmark)
    assert capability in all_scenarios()[scenario](**params).requires


def test_no_tls_for_plain_sockets() -> None:
    with pytest.raises(BadParam, match="TLS"):
        TcpEcho(api="sock", transport="tls")


def test_a_datagram_of_a_flood_is_one_packet() -> None:
    with pytest.raises(BadParam, match="at most 1472"):
        all_scenarios()["io.udp_flood"](size=1473)


def test_echo_is_swept_along_every_axis() -> None:
    swept = [TcpEcho(**params).values for params in TcpEcho.full]
    for api in ("protocol", "buffered", "streams", "sock"):
        mine = [values for values in swept if values["api"] == api]
        assert {64, 1024, 10_240, 102_400} <= {values["size"] for values in mine}
        assert {1, 10, 100, 1000} <= {values["connections"] for values in mine}
        transports = {"tcp", "unix"} if api == "sock" else {"tcp", "unix", "tls"}
        assert transports == {values["transport"] for values in mine}


def test_without_a_generator_it_says_so(loop) -> None:
    with pytest.raises(NotImplementedError, match="load generator"):
        TcpEcho().setup(loop)


@pytest.mark.parametrize("name", ["aiohttp", "uvicorn", "websockets"])
def test_a_web_server_that_is_not_installed_is_named_with_the_cure(monkeypatch, name) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NotImplementedError, match=f"pip install {name}"):
        http.optional(name, name)


@pytest.mark.parametrize("benchmark", [*LIBRARIES, "io.http_aiohttp[side=client]"])
def test_a_library_changes_nothing_process_wide(benchmark) -> None:
    """In a fresh process, where its modules are not loaded yet."""
    scenario_of(benchmark)
    program = f"""
import asyncio
from loopgauge.harness.worker.engine import load_engine
from loopgauge.harness.worker.generator import WorkerGenerator
from loopgauge.harness.worker.guard import Guard
from loopgauge.scenarios.registry import all_scenarios, parse_benchmark_id

native, generator, loop = load_engine(), WorkerGenerator(), asyncio.SelectorEventLoop()
guard = Guard()
name, params = parse_benchmark_id("{benchmark}")
made = all_scenarios()[name](**params)
made.generator = generator
made.setup(loop, native)
assert made.run(loop, 64) == 64
made.teardown(loop)
generator.close()
print(guard.changes())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr


def test_nothing_stays_open(loop) -> None:
    def descriptors() -> list[str]:
        names = []
        for entry in Path("/proc/self/fd").iterdir():
            try:
                names.append(str(entry.readlink()).partition(":")[0])
            except OSError:  # that of the listing itself
                continue
        return sorted(names)

    measure(TcpEcho(), loop)
    gc.collect()
    before = descriptors()
    for benchmark in ("io.tcp_echo[transport=unix]", "io.udp_echo", "io.pipe_throughput"):
        measure(scenario_of(benchmark), loop)
    measure(TcpEcho(api="sock"), loop)
    measure(TcpEcho(api="streams"), loop)
    gc.collect()
    assert descriptors() == before


def test_the_generator_is_free_again_after_a_run_that_failed() -> None:
    loop = io_cheats.DropsWrites()
    with pytest.raises(CheckFailed):
        cheat_from("run", TcpEcho(), loop)
    loop.close()
    honest = asyncio.SelectorEventLoop()
    assert measure(TcpEcho(), honest) > 0
    honest.close()


def test_two_loops_take_turns() -> None:
    loops = [asyncio.SelectorEventLoop(), asyncio.SelectorEventLoop()]
    with ready(TcpEcho(), loops[0]) as first, ready(TcpEcho(), loops[1]) as second:
        for _ in range(3):
            assert first.run(loops[0], 64) == 64
            assert second.run(loops[1], 96) == 96
    for loop in loops:
        loop.close()


@pytest.mark.parametrize(
    "benchmark",
    [
        "io.tcp_echo",
        "io.tcp_echo[size=102400]",
        "io.tcp_echo[transport=unix]",
        "io.tcp_pipelined",
        "io.tcp_readline",
        "io.split_write",
        "io.writelines",
        "io.unix_echo",
        "io.tcp_bulk",
        "io.tcp_bulk[way=receive]",
        "io.udp_echo",
        "io.udp_flood",
        "io.sendfile",
        "io.idle_fds",
        "io.add_reader_churn",
        "io.file_read_executor",
        "io.file_copy",
    ],
)
def test_the_floor_does_the_same_work(benchmark) -> None:
    loop = Floor()
    scenario = scenario_of(benchmark)
    assert scenario.has_floor
    assert measure(scenario, loop) == operations(scenario, slow_ones(scenario))
    loop.close()
    assert loop.is_closed()


@pytest.mark.parametrize(
    "benchmark",
    ["io.tcp_echo[transport=tls]", "io.sendfile[transport=tls]", "io.connection_fairness"],
)
def test_where_there_is_no_floor_it_is_unsupported(benchmark) -> None:
    loop = Floor()
    with pytest.raises(NotImplementedError):
        measure(scenario_of(benchmark), loop)


def test_too_few_descriptors_are_said_with_the_cure(loop, monkeypatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 1024))
    scenario = ConnectionMemory(connections=10_000)
    scenario.generator = generator()
    with pytest.raises(
        Lacking, match=r"ulimit -n 10[12]00. as root, or choose --param connections=[89]"
    ):
        scenario.setup(loop)


@pytest.mark.parametrize("name", ["io.idle_fds", "io.add_reader_churn"])
def test_too_few_descriptors_for_idle_ones_are_said_with_the_cure(loop, monkeypatch, name) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 1024))
    scenario = all_scenarios()[name](idle=10_000)
    with pytest.raises(NotImplementedError, match=r"ulimit -n 10[12]00.*idle=[89]"):
        scenario.setup(loop)


def test_idle_descriptors_are_shared_and_the_limit_is_given_back() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    first, second = asyncio.SelectorEventLoop(), asyncio.SelectorEventLoop()
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        with ready(IdleFds(idle=1000), first) as one:
            with ready(IdleFds(idle=1000), second) as other:
                assert len(IdlePool.descriptors) == 1000
                assert one.run(first, 5) == other.run(second, 5) == 5
            assert one.run(first, 5) == 5
        assert not IdlePool.descriptors
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        first.close()
        second.close()


def test_the_limit_of_descriptors_is_given_back(loop) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        scenario = ConnectionMemory(connections=100)
        assert measure(scenario, loop) > 0
        assert scenario.take_value() > 0
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_busy_thread_rests_between_runs() -> None:
    busy = BusyThread()
    for _ in range(2):
        before = busy.steps
        with busy:
            while busy.steps == before:
                pass
        assert busy._parked.is_set()
    busy.close()
    assert not busy._thread.is_alive()
