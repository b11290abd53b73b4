"""Histograms of several processes together, and what they may be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing.records import run_of, sample

from loopgauge.harness import latency
from loopgauge.harness.load import protocol
from loopgauge.harness.load.client import LoadGenerator, expect
from loopgauge.harness.model import Benchmark, OpenLoop
from loopgauge.harness.store import RunFile
from loopgauge.harness.summary import ArmSummary, summarise
from loopgauge.harness.worker import open_loop
from loopgauge.harness.worker.engine import load_engine

BENCHMARK = Benchmark(id="io.rate", scenario="io.rate", measure="value", unit="us")


def of(count: int, **fields: Any) -> OpenLoop:
    """So many operations a second in one second, all answered, of 1 to `count` ns."""
    given: dict[str, Any] = {
        "asked_per_second": count,
        "due": count,
        "answered": count,
        "seconds": 1.0,
        "late_max_ns": 7,
        "corrected": [(value, 1) for value in range(1, count + 1)],
        "service": [(1, count)],
        "corrected_max_ns": count,
        "service_max_ns": 1,
    }
    return OpenLoop(**{**given, **fields})


def summary_of(*processes: OpenLoop) -> ArmSummary:
    run = run_of({"asyncio": [1.0] * len(processes)}, BENCHMARK)
    samples = [
        sample("asyncio", number, [1.0] * 4, BENCHMARK.id, value=[1.0] * 4, open_loop=each)
        for number, each in enumerate(processes)
    ]
    [benchmark] = summarise(RunFile(Path("run.jsonl"), run.header, samples)).benchmarks
    return benchmark.arms[0]


@pytest.mark.parametrize(
    ("name", "samples"), [("p50", 20), ("p90", 100), ("p99", 1_000), ("p99.9", 10_000)]
)
def test_a_percentile_needs_ten_samples_beyond_it(name: str, samples: int) -> None:
    carried = latency.latencies([(1, samples)], 1)
    refused = latency.latencies([(1, samples - 1)], 1)
    assert carried.percentiles[name] == 1
    assert refused.percentiles[name] is None


def test_percentiles_are_those_of_the_samples() -> None:
    found = latency.latencies([(value, 1) for value in range(1, 1_001)], 1_000)
    assert found.percentiles["p50"] == 500
    assert found.percentiles["p99"] == 990
    assert found.count == 1_000


def test_the_buckets_are_the_load_generators() -> None:
    """Against its own figures, of real latencies, which spread over powers of two."""
    native: Any = load_engine()
    server = native.FloorServer("tcp")
    with LoadGenerator() as generator:
        for command in (
            protocol.Open(address=server.address, connections=3),
            protocol.Rate(per_second=20_000, seconds=0.1, drain_s=60, histogram=True),
        ):
            generator.send(command)
            server.serve_until(generator.fileno())
            answer = generator.receive()
    server.close()
    done = expect(answer, protocol.Done)
    recorded = open_loop.of_slot(done)
    theirs = done.latency
    assert theirs is not None
    found = latency.latencies(recorded.corrected, recorded.corrected_max_ns)
    assert found.count == theirs.count == 2_000
    assert found.percentiles == {
        "p50": theirs.p50_ns,
        "p90": theirs.p90_ns,
        "p99": theirs.p99_ns,
        "p99.9": None,
        "p99.99": None,
    }


def test_slots_add_up_to_a_sample() -> None:
    both = latency.merged([of(1_000), of(1_000, late_max_ns=9, service_max_ns=5)])
    assert (both.due, both.answered, both.seconds, both.late_max_ns) == (2_000, 2_000, 2.0, 9)
    assert both.corrected == [(value, 2) for value in range(1, 1_001)]
    assert (both.service, both.service_max_ns) == ([(1, 2_000)], 5)


def test_processes_add_up_and_carry_more_than_each() -> None:
    arm = summary_of(*[of(1_000)] * 10)
    assert arm.status == "ok"
    assert arm.arrivals is not None
    assert latency.arrivals([of(1_000)]).corrected.percentiles["p99.9"] is None  # type: ignore[union-attr]
    assert arm.arrivals.corrected.percentiles["p99.9"] == 999
    assert arm.arrivals.corrected.percentiles["p99.99"] is None
    assert arm.arrivals.service.percentiles["p99"] == 1
    assert arm.arrivals.achieved_per_second == 1_000


def test_a_rate_that_was_not_reached_makes_its_latencies_invalid() -> None:
    arm = summary_of(of(1_000), of(1_000, answered=400, seconds=1.0))
    assert arm.status == "invalid"
    assert "700 of 1,000 per second, 600 of 2,000 messages were never sent" in arm.reason
    assert arm.arrivals is not None  # they stay to be looked at


def test_one_late_end_does_not_void_a_run() -> None:
    assert summary_of(*[of(1_000)] * 5, of(1_000, answered=500)).status == "ok"


def test_it_survives_the_run_file() -> None:
    record = sample(open_loop=of(100))
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record


def test_the_curve_ends_where_the_samples_do() -> None:
    buckets = [(value, 1) for value in range(1, 1001)]
    curve = latency.latencies(buckets, 1000).curve
    assert curve[0] == (0.0, 1)
    assert curve[-1][0] == pytest.approx(0.99)
    assert curve == sorted(curve)
    by_share = {round(share, 6): ns for share, ns in curve}
    assert by_share[0.9] == latency.percentile(buckets, 0.9, 1000)


def test_the_curve_of_nothing_is_empty() -> None:
    assert latency.latencies([], 0).curve == []
