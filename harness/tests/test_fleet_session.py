"""A run on several hosts: what becomes of one does not touch the others, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from manager_testing import runs
from manager_testing.standin import Deed, Scripted, StandIn

from loopgauge.harness import manager
from loopgauge.harness.cli.on import names
from loopgauge.harness.errors import CallFailed, HostLost, PlaceTaken, SchedulerLost, StoreFull
from loopgauge.harness.fleet import host_work, session, side_by_side
from loopgauge.harness.fleet.folder import FILE, FleetFile, read_fleet
from loopgauge.harness.fleet.hosts import LeftOut
from loopgauge.harness.model import Sample
from loopgauge.harness.request import Progress, RunRequest

if TYPE_CHECKING:
    from loopgauge.harness.fleet.fleet import Fleet

ROUNDS = 3
REQUEST = RunRequest(
    benchmarks=[("throughput.sleep0", {}), ("throughput.call_soon_chain", {})],
    arms=["asyncio"],
    setting="quick",
    rounds=ROUNDS,
    seed=7,
    command=["bench", "run"],
)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real registries and interpreters, with processes that measure nothing."""
    monkeypatch.setattr(host_work, "Local", Scripted)


class Heard:
    """What the user is told, by host."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Progress | str]] = []

    def __call__(self, name: str, what: Progress | str) -> None:
        self.said.append((name, what))

    def words(self, name: str) -> list[str]:
        return [what for who, what in self.said if who == name and isinstance(what, str)]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "fleet"


def measured(
    out: Path, stand_in: StandIn, heard: Heard, request: RunRequest = REQUEST
) -> FleetFile:
    return read_fleet(session.run(replace(request, out=out), stand_in.fleet, heard))


def resumed(out: Path, stand_in: StandIn, heard: Heard) -> FleetFile:
    return read_fleet(session.resume(out, REQUEST, stand_in.fleet, heard))


def keys(samples: list[Sample]) -> list[tuple[int, str, str]]:
    return runs.keys(samples)


WHOLE = sorted(
    (number, benchmark, arm)
    for number in range(ROUNDS)
    for benchmark in ("throughput.sleep0", "throughput.call_soon_chain")
    for arm in ("asyncio", "asyncio~aa")
)


def fails_on(name: str, function: str, nth: int, error: Callable[[], BaseException]) -> Deed:
    """The n-th call (from 1) of this function on this host."""
    seen: list[str] = []

    def deed(who: str, what: str) -> None:
        if (who, what) == (name, function):
            seen.append(what)
            if len(seen) == nth:
                raise error()

    return deed


# --- a fleet that works


def test_every_host_measures_the_whole_plan_by_one_seed(out: Path, heard: Heard) -> None:
    found = measured(out, StandIn(["one", "two"]), heard)
    assert found.complete
    assert found.header.seed == 7
    assert [host.state for host in found.hosts.values()] == ["done", "done"]
    first, second = found.runs.values()
    assert keys(first.samples) == keys(second.samples) == WHOLE
    assert first.header.seed == second.header.seed == 7
    schedules = [
        {(s.round, s.benchmark, s.arm): s.slot for s in run.samples} for run in (first, second)
    ]
    assert schedules[0] == schedules[1]
    assert [first.header.run, second.header.run] == [f"fleet-{key}" for key in found.runs]
    assert heard.words("one") == heard.words("two") == ["done"]
    last = [what for who, what in heard.said if who == "one" and isinstance(what, Progress)][-1]
    assert last.fraction == pytest.approx(1.0)


def test_no_file_names_a_host(out: Path, heard: Heard) -> None:
    stand_in = StandIn(["secret-host-a", "secret-host-b"])
    stand_in.left_out = [
        LeftOut(
            name="tcp://192.0.2.1:7",
            reason="has no resource at tcp://192.0.2.1:7",
            cure="Start it with one",
        )
    ]
    stand_in.deed = fails_on(
        "secret-host-b", "measure", 2,
        lambda: CallFailed("secret-host-b", "OSError", "no space left on device"),
    )  # fmt: skip
    found = measured(out, stand_in, heard)
    text = b"".join(file.read_bytes() for file in out.iterdir()).decode()
    assert "secret-host" not in text
    assert "192.0.2.1" not in text
    assert len({host.name_hash for host in found.hosts.values()}) == 3
    states = {host.state: host.reason for host in found.hosts.values()}
    assert states["left_out"] == "has no resource at the host. Start it with one"
    assert states["lost"] == "the host: no space left on device"
    known = names(cast("Fleet", stand_in))  # for the terminal of who measures
    assert sorted(known[key] for key in found.hosts) == [
        "secret-host-a", "secret-host-b", "tcp://192.0.2.1:7",
    ]  # fmt: skip


def test_a_folder_is_never_overwritten(out: Path, heard: Heard) -> None:
    measured(out, StandIn(["one"]), heard)
    had = (out / FILE).read_bytes()
    with pytest.raises(PlaceTaken, match="never overwritten"):
        measured(out, StandIn(["one"]), heard)
    assert (out / FILE).read_bytes() == had


def test_workers_are_pinned_where_the_host_has_the_cpus(out: Path, heard: Heard) -> None:
    stand_in = StandIn(["one", "two"])
    stand_in.hosts[0].facts.cpus = [0, 1]
    stand_in.hosts[1].facts.cpus = [4]
    found = measured(out, stand_in, heard, replace(REQUEST, cpus=[0]))
    one, two = (found.hosts[host.key] for host in stand_in.hosts)
    assert found.runs[one.key].header.cpus == [0]
    assert two.state == "lost"
    assert "CPU" in two.reason
    assert two.key not in found.runs


# --- hosts that are lost


@pytest.mark.parametrize(
    ("function", "nth"), [("resolve", 1), ("measure", 1), ("load", 1), ("measure", 3)]
)
@pytest.mark.parametrize(
    "error",
    [
        lambda: HostLost("one", "one has had no worker for 60 s", "Start it again"),
        lambda: CallFailed("one", "Died", "the agent was killed by signal 9"),
        lambda: CallFailed("one", "OSError", "[Errno 28] No space left on device"),
    ],
)
def test_a_host_that_is_lost_is_named_and_the_others_go_on(
    out: Path, heard: Heard, function: str, nth: int, error: Callable[[], BaseException]
) -> None:
    found = measured(out, StandIn(["one", "two"], fails_on("one", function, nth, error)), heard)
    one, two = found.hosts.values()
    assert (one.state, two.state) == ("lost", "done")
    assert one.reason
    assert keys(found.runs[two.key].samples) == WHOLE
    assert not found.complete
    assert heard.words("one") == [str(error())]


def test_a_lost_host_goes_on_where_it_was(out: Path, heard: Heard) -> None:
    error = HostLost("one", "gone")
    lost = StandIn(["one", "two"], fails_on("one", "measure", 3, lambda: error))
    before = measured(out, lost, heard).runs
    again = StandIn(["one", "two"])
    found = resumed(out, again, heard)
    assert found.complete
    for key, run in found.runs.items():
        assert keys(run.samples) == WHOLE
        assert run.samples[: len(before[key].samples)] == before[key].samples
    assert {name for name, _ in again.called} == {"one"}, "a host that had finished was asked again"
    assert [event.event for event in found.events] == ["ended", "resumed", "ended"]


def test_a_host_that_is_not_there_any_more_stays_lost(out: Path, heard: Heard) -> None:
    error = HostLost("one", "gone")
    measured(out, StandIn(["one", "two"], fails_on("one", "measure", 2, lambda: error)), heard)
    found = resumed(out, StandIn(["two"]), heard)
    assert [host.state for host in found.hosts.values()] == ["lost", "done"]


def test_a_host_that_joined_since_measures_everything(out: Path, heard: Heard) -> None:
    measured(out, StandIn(["one"]), heard)
    found = resumed(out, StandIn(["one", "two"]), heard)
    assert found.complete
    assert [keys(run.samples) for run in found.runs.values()] == [WHOLE, WHOLE]
    assert [event.event for event in found.events if event.host] == ["joined"]


def test_a_host_that_was_left_out_and_is_fit_now_measures_everything(
    out: Path, heard: Heard
) -> None:
    first = StandIn(["one"])
    first.left_out = [LeftOut(name="two", reason="its clock is wrong")]
    before = measured(out, first, heard)
    assert [host.state for host in before.hosts.values()] == ["left_out", "done"]
    found = resumed(out, StandIn(["one", "two"]), heard)
    assert [host.state for host in found.hosts.values()] == ["done", "done"]
    assert [keys(run.samples) for run in found.runs.values()] == [WHOLE, WHOLE]


# --- what ends the run


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_without_a_scheduler_everything_ends_and_is_kept(out: Path, heard: Heard, nth: int) -> None:
    """Every sample is there exactly once after going on."""
    stand_in = StandIn(
        ["one", "two"], fails_on("one", "measure", nth, lambda: SchedulerLost("it is gone"))
    )
    with pytest.raises(SchedulerLost):
        session.run(replace(REQUEST, out=out), stand_in.fleet, heard)
    assert not read_fleet(out).complete
    found = resumed(out, StandIn(["one", "two"]), heard)
    assert found.complete
    assert [keys(run.samples) for run in found.runs.values()] == [WHOLE, WHOLE]


def test_a_full_disk_here_ends_the_run(
    out: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = manager.RunWriter.append

    def fill(writer: manager.RunWriter, records: list[object], *, sync: bool = True) -> None:
        if any(isinstance(record, Sample) and record.round == 1 for record in records):
            raise StoreFull("the disk is full", "make room")
        append(writer, records, sync=sync)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(manager.RunWriter, "append", fill)
        with pytest.raises(StoreFull):
            session.run(replace(REQUEST, out=out), StandIn(["one", "two"]).fleet, heard)
    found = resumed(out, StandIn(["one", "two"]), heard)
    assert [keys(run.samples) for run in found.runs.values()] == [WHOLE, WHOLE]


def test_an_interruption_waits_for_no_host(
    out: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C meets the main thread while it waits; what was under way is not recorded by halves."""
    reached, free = threading.Event(), threading.Event()

    def deed(name: str, function: str) -> None:
        if function == "measure" and stand_in.called.count((name, function)) == 2:
            reached.set()
            assert free.wait(60)

    class Interrupted(side_by_side.queue.SimpleQueue):  # type: ignore[type-arg]
        waited = False

        def get(self, *options: object) -> object:  # type: ignore[override]
            if not self.waited:
                self.waited = True
                assert reached.wait(60)
                free.set()
                raise KeyboardInterrupt
            return super().get()

    stand_in = StandIn(["one"], deed)
    with monkeypatch.context() as patch:
        patch.setattr(side_by_side.queue, "SimpleQueue", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.run(replace(REQUEST, out=out), stand_in.fleet, heard)
    before = read_fleet(out)
    assert [event.event for event in before.events] == ["interrupted"]
    (run,) = before.runs.values()
    assert [event.event for event in run.events][-1] == "interrupted"
    found = resumed(out, StandIn(["one"]), heard)
    (run,) = found.runs.values()
    assert keys(run.samples) == WHOLE
