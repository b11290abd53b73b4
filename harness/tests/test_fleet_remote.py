"""A host as the runner of a run: what comes back is what a local run has, or is not believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from manager_testing import runs
from manager_testing.runs import arm, benchmark, subject
from manager_testing.standin import Scripted, StandIn

from loopgauge.harness import manager
from loopgauge.harness.errors import NonsenseFromHost, NothingToMeasure
from loopgauge.harness.fleet import believing, host_work
from loopgauge.harness.fleet.remote import Remote
from loopgauge.harness.model import Event, Metric
from loopgauge.harness.orders import Orders
from loopgauge.harness.progress import Tracker
from loopgauge.harness.request import RunRequest
from loopgauge.harness.store import RunFile, read_run
from loopgauge.harness.subject import Subject
from loopgauge.harness.summary import summarise

SLEEP0 = ("throughput.sleep0", {})


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_work, "Local", Scripted)


def remote_run(what: Subject, out: Path, **request: Any) -> RunFile:
    stand_in = StandIn(["far"])
    runner = Remote(stand_in.fleet, stand_in.hosts[0])
    asked = RunRequest(out=out, seed=1, setting="quick", rounds=runs.ROUNDS, **request)
    tracker = Tracker(lambda progress: None, 75.0, runner.clock)
    return read_run(manager.run_subject(asked, what, tracker, runner))


def started(run: RunFile) -> list[tuple[object, ...]]:
    """Everything that the schedule decides of a process."""
    workers = [event.worker for event in run.events if event.worker]
    return [(w.round, w.design, w.creation, w.benchmarks, w.hash_seed, w.padding) for w in workers]


def slots(run: RunFile) -> dict[tuple[int, str, str], list[int]]:
    return {(s.round, s.benchmark, s.arm): s.slot for s in run.samples}


def test_a_host_measures_by_the_schedule_of_a_local_run(tmp_path: Path) -> None:
    what = subject([arm("fast")], [benchmark("fake.a"), benchmark("fake.b", "process")])
    here = runs.run(what, tmp_path / "here.jsonl", seed=1)
    there = remote_run(what, tmp_path / "there.jsonl")
    assert there.complete
    assert runs.keys(there.samples) == runs.all_keys(what)
    assert started(there) == started(here)
    assert slots(there) == slots(here)


@pytest.mark.parametrize("deed", ["SIGSEGV", "hang", "garbage", "lie", "error", "mute@measure"])
def test_a_loop_that_misbehaves_there_is_judged_as_here(tmp_path: Path, deed: str) -> None:
    marked = benchmark("fake.a", deeds={"bad": deed})
    what = subject([arm("bad")], [marked, benchmark("fake.b")])
    found = []
    for run in (runs.run(what, tmp_path / "here"), remote_run(what, tmp_path / "there")):
        summary = summarise(run)
        arms = [(a.arm, a.status, a.isolated) for b in summary.benchmarks for a in b.arms]
        told = [(e.event, e.arm, e.benchmark, e.reason, e.final) for e in run.events]
        found.append((arms, told, runs.keys(run.samples)))
    assert found[0] == found[1]


def test_the_budget_is_time_that_the_host_worked(tmp_path: Path) -> None:
    run = remote_run(subject([], [benchmark()]), tmp_path / "run")
    assert 0 < run.ends[0].wall_s < 60


# --- what is not believed


class Liar:
    """Answers a function with something else than it found out."""

    def __init__(self, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
        self.remote = Remote(stand_in.fleet, stand_in.hosts[0])
        self._monkeypatch = monkeypatch

    def answers(self, function: str, change: Callable[[Any], Any]) -> Remote:
        honest = getattr(host_work, function)

        def lie(payload: bytes) -> bytes:
            said = change(msgspec.json.decode(honest(payload)))
            return said if isinstance(said, bytes) else msgspec.json.encode(said)

        self._monkeypatch.setattr(host_work, function, lie)
        return self.remote


@pytest.fixture
def liar(monkeypatch: pytest.MonkeyPatch) -> Liar:
    return Liar(StandIn(["far"]), monkeypatch)


REQUEST = RunRequest(benchmarks=[SLEEP0], arms=["asyncio"])


def test_what_a_host_says_of_its_loops(liar: Liar) -> None:
    what = liar.remote.resolve(REQUEST)
    assert [one.label for one in what.arms] == ["asyncio", "asyncio~aa"]
    assert [one.executable for one in what.environment.interpreters.values()] == [""]
    asked = liar.remote.ask("", ["asyncio"], [])
    assert asked.interpreter.executable == ""
    assert asked.interpreter.version == next(iter(what.environment.interpreters.values())).version


LIES: list[Callable[[Any], Any]] = [
    lambda said: b"\x80\x04garbage",
    lambda said: b"[" * 100_000,
    lambda said: b"null",
    lambda said: {**said, "benchmarks": []},
    lambda said: {**said, "arms": []},
    lambda said: {**said, "arms": [*said["arms"], said["arms"][0]]},
    lambda said: {**said, "arms": [{**one, "label": "<b>x"} for one in said["arms"]]},
    lambda said: {**said, "arms": [{**one, "python": "other"} for one in said["arms"]]},
    lambda said: {**said, "arms": [{**one, "role": "native"} for one in said["arms"]]},
]


@pytest.mark.parametrize("lie", LIES)
def test_nonsense_about_loops_names_the_host(liar: Liar, lie: Callable[[Any], Any]) -> None:
    with pytest.raises(NonsenseFromHost, match="far"):
        liar.answers("resolve", lie).resolve(REQUEST)


def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(believing, "MOST_BYTES", 10)
    with pytest.raises(NonsenseFromHost, match="an answer of"):
        believing.decoded("far", b"x" * 11, dict)


def test_words_are_shown_without_what_moves_a_cursor(liar: Liar) -> None:
    remote = liar.answers("machine", lambda said: {**said, "cpu_model": "a\x1b[2J\nb\u202e"})
    assert remote.machine().cpu_model == "a\ufffd[2J\nb\ufffd"
    remote = liar.answers("load", lambda said: {**said, "utc": "x" * 100_000})
    assert len(remote.load().utc) == believing.MOST_CHARACTERS


def sample_lie(change: Callable[[dict[str, Any]], object]) -> Callable[[Any], Any]:
    """Changes every message with samples."""

    def lie(said: Any) -> Any:
        for worker in said["workers"]:
            for message in worker["messages"]:
                if message["t"] == "samples":
                    change(message)
        return said

    return lie


@pytest.mark.parametrize(
    "change",
    [
        lambda message: message.update(benchmark="fake.other"),
        lambda message: message.update(arm="../../x"),
        lambda message: message.update(n=[10**30] * len(message["n"])),
        lambda message: message.update(wall_ns=[2**70] * len(message["n"])),
        lambda message: message.update(slot=[-1 - slot for slot in message["slot"]]),
        lambda message: message.update(block=[10**12] * len(message["n"])),
        lambda message: message.update(wall_ns="1"),
        lambda message: message.update(process_ns=[]),
        lambda message: message.update(value=[1e308] * len(message["n"])),
        lambda message: message.update(value=[1e-308] * len(message["n"])),
    ],
)
def test_samples_that_cannot_be_are_no_samples(
    liar: Liar, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """The first two answers are honest: the probe, and the first round."""
    what = subject([], [benchmark()])
    remote = liar.answers("measure", lying_after(2, sample_lie(change)))
    request = RunRequest(out=tmp_path / "run", seed=1, setting="quick", rounds=6)
    tracker = Tracker(lambda progress: None, 75.0, remote.clock)
    run = read_run(manager.run_subject(request, what, tracker, remote))
    assert runs.keys(run.samples) == [(0, "fake.work", one) for one in ("asyncio", "asyncio~aa")]
    assert {event.arm for event in run.events if event.event == "protocol" and event.final} == {
        "asyncio",
        "asyncio~aa",
    }


def lying_after(calls: int, lie: Callable[[Any], Any]) -> Callable[[Any], Any]:
    seen = []

    def change(said: Any) -> Any:
        seen.append(said)
        return lie(said) if len(seen) > calls else said

    return change


def worker_lie(**fields: object) -> Callable[[Any], Any]:
    def lie(said: Any) -> Any:
        for worker in said["workers"]:
            worker.update(fields)
        return said

    return lie


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (worker_lie(messages=[]), "did not say so"),
        (worker_lie(end="crash"), "did not say so"),
        (
            worker_lie(messages=[{"t": "begin", "arm": "x", "benchmark": "", "phase": "slot"}]),
            "no arm",
        ),
        (worker_lie(messages=[{"t": "no such"}]), "Invalid value"),
    ],
)
def test_a_process_that_ended_otherwise_than_it_said(
    liar: Liar, lie: Callable[[Any], Any], told: str
) -> None:
    remote = liar.answers("measure", lie)
    orders = Orders(subject([], []).environment.interpreters, [], None, 10.0)
    order = orders.probe(arm("asyncio"), [benchmark()], 0.002)
    (outcome,) = remote.run([order], [lambda message: None], [lambda pid: None])
    assert outcome.end == "protocol"
    assert told in outcome.reason


def test_processes_that_were_not_ordered(liar: Liar) -> None:
    remote = liar.answers("measure", lambda said: {**said, "workers": said["workers"] * 2})
    orders = Orders(subject([], []).environment.interpreters, [], None, 10.0)
    order = orders.probe(arm("asyncio"), [benchmark()], 0.002)
    with pytest.raises(NonsenseFromHost, match="2 processes"):
        remote.run([order], [lambda message: None], [lambda pid: None])


# --- counts

PAIR = (benchmark("fake.a"), arm("asyncio"))


def metric(**fields: Any) -> Metric:
    given = {"benchmark": "fake.a", "arm": "asyncio", "metric": "syscalls", "unit": "x", "value": 1}
    return Metric(**{**given, **fields})


def test_counts_are_of_what_was_asked() -> None:
    left_out = Event(event="left_out", benchmark="fake.a", arm="asyncio", reason="\x1bwhy")
    kept = believing.records_of("far", [metric(), left_out], *PAIR)
    assert kept == [metric(), msgspec.structs.replace(left_out, reason="\ufffdwhy")]


@pytest.mark.parametrize(
    "record",
    [
        metric(benchmark="fake.b"),
        metric(arm="uvloop"),
        metric(value=1e308),
        metric(raw=[-1e-308]),
        metric(by_name=dict.fromkeys(map(str, range(20_000)), 1.0)),
        Event(event="error", benchmark="fake.b", arm="asyncio"),
    ],
)
def test_counts_of_anything_else_are_refused(record: Any) -> None:
    with pytest.raises(NonsenseFromHost, match="far"):
        believing.records_of("far", [record], *PAIR)


@pytest.mark.parametrize(
    "event", [Event(event="poison", arm="x"), Event(event="left_out", arm="x")]
)
def test_a_host_may_say_of_itself_only_what_it_lacks(event: Event) -> None:
    with pytest.raises(NonsenseFromHost, match="others"):
        believing.events_of("far", [event])


def test_a_host_counts_what_a_local_run_counts(tmp_path: Path) -> None:
    """The real tier and its real processes."""
    stand_in = StandIn(["far"])
    remote = Remote(stand_in.fleet, stand_in.hosts[0])
    request = RunRequest(benchmarks=[SLEEP0], arms=["asyncio"], tiers=["memory"], setting="quick")
    asked = replace(request, out=tmp_path / "run", seed=1)
    what = remote.resolve(asked)
    tracker = Tracker(lambda progress: None, 75.0, remote.clock)
    run = read_run(manager.run_subject(asked, what, tracker, remote))
    assert {(m.benchmark, m.arm, m.metric) for m in run.metrics} == {
        (b.id, "asyncio", "peak_rss") for b in what.benchmarks
    }
    assert "count" in [function for _, function in stand_in.called]


def test_an_application_that_is_not_on_the_host_is_named_with_the_cure() -> None:
    host_work.require_modules(["throughput.sleep0", "app:asyncio.tasks:sleep"])
    with pytest.raises(NothingToMeasure, match=r"no module 'their_app' .*--wheel"):
        host_work.require_modules(["app:their_app.feed:main"])
