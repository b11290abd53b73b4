"""The manager against a scripted worker that crashes, hangs and lies."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from manager_testing import runs
from manager_testing.runs import arm, benchmark, subject

from loopgauge.harness import environment, manager
from loopgauge.harness.cli import outcome
from loopgauge.harness.cli.exit_codes import ExitCode
from loopgauge.harness.counted import Pair
from loopgauge.harness.errors import (
    NothingToMeasure,
    PlaceTaken,
    ResumeMismatch,
    StoreFull,
    WorkerUnusable,
)
from loopgauge.harness.isolation import Roster
from loopgauge.harness.model import AnyRecord, Event, Header, Interpreter, Sample
from loopgauge.harness.request import Progress
from loopgauge.harness.store import RunFile, RunWriter, read_run
from loopgauge.harness.subject import Python
from loopgauge.harness.summary import summarise
from loopgauge.harness.worker.plan import Begin


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def events(run: RunFile, *kinds: str) -> list[Event]:
    return [event for event in run.events if event.event in kinds]


def rounds_of(run: RunFile, name: str, label: str, design: str = "") -> list[int]:
    return sorted(
        sample.round
        for sample in run.samples
        if (sample.benchmark, sample.arm) == (name, label) and design in ("", sample.design)
    )


ALL_ROUNDS = list(range(runs.ROUNDS))


# --- what a run holds


def test_every_planned_sample_is_there_once(out: Path) -> None:
    what = subject([arm("fast")], [benchmark("fake.a"), benchmark("fake.b")])
    run = runs.run(what, out)
    assert runs.keys(run.samples) == runs.all_keys(what)
    assert run.complete
    assert run.ends[0].samples == len(run.samples)


def test_each_round_is_a_process_of_its_own(out: Path) -> None:
    run = runs.run(subject([arm("fast")], [benchmark("fake.a"), benchmark("fake.b")]), out)
    started = [event.worker for event in events(run, "worker") if event.worker]
    assert [worker.round for worker in started] == ALL_ROUNDS
    assert len({worker.hash_seed for worker in started}) == runs.ROUNDS
    assert len({tuple(worker.creation) for worker in started}) > 1
    assert all(worker.pid for worker in started)
    by_round = {(sample.round, sample.process) for sample in run.samples}
    assert len(by_round) == runs.ROUNDS


def test_a_process_holds_one_block_of_every_arm_at_a_time(out: Path) -> None:
    run = runs.run(subject([arm("fast")], [benchmark()]), out)
    first = [sample for sample in run.samples if sample.round == 0]
    slots = sorted(slot for sample in first for slot in sample.slot)
    assert slots == list(range(len(slots)))
    for sample in first:
        assert [slot // len(first) for slot in sample.slot] == sample.block


def test_the_same_seed_gives_the_same_schedule(out: Path, tmp_path: Path) -> None:
    what = subject([arm("fast"), arm("slow")], [benchmark("fake.a"), benchmark("fake.b")])
    first = runs.run(what, out, seed=5)
    second = runs.run(what, tmp_path / "second", seed=5)
    third = runs.run(what, tmp_path / "third", seed=6)
    assert schedule_of(first) == schedule_of(second)
    assert schedule_of(first) != schedule_of(third)


def schedule_of(run: RunFile) -> dict[tuple[int, str, str], tuple[int, ...]]:
    return {(s.round, s.benchmark, s.arm): tuple(s.slot) for s in run.samples}


def test_a_process_design_runs_one_loop_per_process(out: Path) -> None:
    what = subject([arm("fast")], [benchmark("fake.a", "process"), benchmark("fake.b")])
    run = runs.run(what, out)
    alone = {s.process: set() for s in run.samples if s.benchmark == "fake.a"}
    for sample in run.samples:
        if sample.process in alone:
            alone[sample.process].add((sample.arm, sample.design))
    assert len(alone) == 3 * runs.ROUNDS
    assert all(len(arms) == 1 for arms in alone.values())
    assert {design for arms in alone.values() for _, design in arms} == {"process"}


def test_more_rounds_where_time_is_left(out: Path) -> None:
    what = subject([], [benchmark("fake.a"), benchmark("fake.b")])
    run = runs.run(what, out, rounds=None, budget_s=5, clock=lambda: 0.0)
    assert run.header.plan.rounds < run.header.plan.rounds_most
    done = list(range(run.header.plan.rounds_most))
    assert rounds_of(run, "fake.a", "asyncio") == rounds_of(run, "fake.b", "asyncio") == done
    assert "time was left" in events(run, "note")[-1].reason


def test_fewer_rounds_where_time_runs_short(out: Path) -> None:
    hours = itertools.count(step=3600.0)
    run = runs.run(subject([], [benchmark()]), out, rounds=None, clock=lambda: next(hours))
    done = list(range(run.header.plan.rounds_least))
    assert rounds_of(run, "fake.work", "asyncio") == done
    assert run.header.plan.rounds > len(done)
    assert run.complete
    assert "time ran short" in events(run, "note")[-1].reason


def test_the_first_guess_is_no_longer_than_the_run_could_be(out: Path) -> None:
    seen: list[Progress] = []
    runs.run(subject([], [benchmark()]), out, seen.append, clock=lambda: 0.0)
    plan = read_run(out).header.plan
    assert seen[0].phase == "probe"
    assert 0 < seen[0].remaining_s < plan.budget_s / 2
    assert seen[0].remaining_s == pytest.approx(plan.expected_s, rel=0.8)


def test_progress_never_falls_and_ends_at_one(out: Path) -> None:
    seen: list[Progress] = []
    runs.run(subject([], [benchmark("fake.a"), benchmark("fake.b")]), out, seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert seen[-1].remaining_s == pytest.approx(0.0)
    assert seen[-1].process == seen[-1].processes == runs.ROUNDS


@pytest.mark.usefixtures("same_circumstances")
def test_what_the_machine_lacks_is_in_the_file_once_however_often_it_is_found_out(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = CountsWithoutTools()
    monkeypatch.setattr(manager, "tiers_of", lambda header: [counted])
    seen: list[Progress] = []
    counted.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        runs.run(subject([], [benchmark()]), out, seen.append)
    counted.interrupts = False
    run = runs.resume(out)
    assert [event.reason for event in events(run, "left_out")] == ["no tool"]
    assert "left out: no tool" in [progress.notice for progress in seen]
    at_work = [progress for progress in seen if progress.phase == "count"]
    assert [(progress.benchmark, progress.arm) for progress in at_work] == [("fake.work", "a (x)")]


class CountsWithoutTools:
    """A counted tier that finds out anew in each session that something is missing."""

    interrupts = False

    def pending(self, file: RunFile, roster: Roster) -> list[Pair]:
        return []

    def expected_s(self, pairs: Sequence[Pair]) -> float:
        return 0.0

    def count(
        self,
        header: Header,
        pairs: Sequence[Pair],
        record: Callable[[Event], None],
        at: Callable[[str, str], None],
    ) -> Iterator[list[AnyRecord]]:
        record(Event(event="left_out", reason="no tool"))
        at("fake.work", "a (x)")
        if self.interrupts:
            raise KeyboardInterrupt
        yield []


# --- loops that cannot or may not


@pytest.mark.parametrize("status", ["unsupported", "invalid", "error"])
def test_who_fails_the_probe_is_not_measured(out: Path, status: str) -> None:
    what = subject([arm("odd")], [benchmark("fake.a", deeds={"odd": status}), benchmark("fake.b")])
    run = runs.run(what, out)
    assert rounds_of(run, "fake.a", "odd") == []
    assert rounds_of(run, "fake.b", "odd") == ALL_ROUNDS
    assert rounds_of(run, "fake.a", "asyncio") == ALL_ROUNDS
    summary = summarise(run).benchmarks[0].arms[1]
    assert (summary.status, summary.reason) == (status, f"it is {status}")


def test_work_that_turns_out_wrong_later_makes_all_of_it_invalid(out: Path) -> None:
    deeds = {"odd": "invalid@process3"}
    run = runs.run(subject([arm("odd")], [benchmark("fake.a", deeds=deeds)]), out)
    assert rounds_of(run, "fake.a", "odd") == [0, 1]
    odd = summarise(run).benchmarks[0].arms[1]
    assert odd.status == "invalid"
    assert odd.ratio is None
    assert rounds_of(run, "fake.a", "asyncio") == ALL_ROUNDS


@pytest.mark.parametrize(
    ("factory", "status"), [("x:raises", "unavailable"), ("x:dies", "crashed")]
)
def test_a_factory_that_fails(out: Path, factory: str, status: str) -> None:
    run = runs.run(subject([arm("bad", factory)], [benchmark()]), out)
    assert rounds_of(run, "fake.work", "asyncio") == ALL_ROUNDS
    bad = summarise(run).benchmarks[0].arms[1]
    assert bad.status == status
    assert bad.reason


def test_a_poisoner_is_measured_by_itself_everywhere(out: Path) -> None:
    marked = benchmark("fake.a", deeds={"mad": "poison"})
    run = runs.run(subject([arm("mad")], [marked, benchmark("fake.b")]), out)
    for name in ("fake.a", "fake.b"):
        assert rounds_of(run, name, "mad", "process") == ALL_ROUNDS
        assert rounds_of(run, name, "mad", "hybrid") == []
        assert rounds_of(run, name, "asyncio", "hybrid") == ALL_ROUNDS
    assert "time.sleep replaced" in events(run, "isolated")[0].reason
    assert summarise(run).benchmarks[0].arms[1].isolated


def test_what_is_too_much_beside_others_is_tried_alone(out: Path) -> None:
    marked = benchmark("fake.a", deeds={"big": "lacking@shared"})
    run = runs.run(subject([arm("big")], [marked, benchmark("fake.b")]), out)
    assert rounds_of(run, "fake.a", "big", "process") == ALL_ROUNDS
    assert rounds_of(run, "fake.b", "big", "hybrid") == ALL_ROUNDS
    assert not events(run, "lacking")


def test_what_this_machine_lacks_is_left_out_once_and_the_rest_goes_on(out: Path) -> None:
    said: list[str] = []
    lacking = dict.fromkeys(["asyncio", "asyncio~aa", "fast"], "lacking")
    what = subject([arm("fast")], [benchmark("fake.a", deeds=lacking), benchmark("fake.b")])
    run = runs.run(what, out, lambda progress: said.append(progress.notice))
    assert rounds_of(run, "fake.b", "fast") == ALL_ROUNDS
    assert [line for line in said if line] == ["not measured here: it is lacking"]
    summary = summarise(run)
    assert {arm.status for arm in summary.benchmarks[0].arms} == {"lacking"}
    assert outcome.left_out(summary, []) == ["fake.a: it is lacking"]
    assert outcome.exit_code(summary, []) == ExitCode.LEFT_OUT


def test_where_nothing_can_be_measured_the_reason_is_said_once(out: Path) -> None:
    lacking = dict.fromkeys(["asyncio", "asyncio~aa", "fast"], "lacking")
    what = subject([arm("fast")], [benchmark("fake.a", deeds=lacking)])
    with pytest.raises(NothingToMeasure) as caught:
        runs.run(what, out)
    assert str(caught.value).count("it is lacking") == 1


# --- deaths


@pytest.mark.parametrize(
    ("deed", "kind", "status"), [("SIGSEGV", "crash", "crashed"), ("hang", "hang", "hung")]
)
def test_who_dies_alone_twice_is_given_up(out: Path, deed: str, kind: str, status: str) -> None:
    marked = benchmark("fake.a", deeds={"bad": deed})
    run = runs.run(subject([arm("bad")], [marked, benchmark("fake.b")]), out)
    deaths = events(run, kind)
    assert [death.final for death in deaths] == [False, True]
    assert all((d.arm, d.benchmark, d.phase) == ("bad", "fake.a", "slot") for d in deaths)
    assert rounds_of(run, "fake.a", "bad") == []
    assert rounds_of(run, "fake.b", "bad") == ALL_ROUNDS
    assert rounds_of(run, "fake.a", "asyncio") == ALL_ROUNDS
    assert summarise(run).benchmarks[0].arms[1].status == status


def test_a_crash_names_its_signal_and_a_hang_its_stack(out: Path) -> None:
    deeds = {"bad": "SIGSEGV", "stuck": "hang"}
    run = runs.run(subject([arm("bad"), arm("stuck")], [benchmark(deeds=deeds)]), out)
    assert events(run, "crash")[0].signal == "SIGSEGV"
    assert "spin.py" in events(run, "hang")[0].detail


def test_who_brings_a_shared_process_down_is_isolated_and_the_others_go_on(out: Path) -> None:
    marked = benchmark("fake.a", deeds={"bad": "SIGSEGV@shared"})
    run = runs.run(subject([arm("bad")], [marked, benchmark("fake.b")]), out)
    assert [event.arm for event in events(run, "isolated")] == ["bad"]
    assert rounds_of(run, "fake.a", "bad", "process") == ALL_ROUNDS
    assert rounds_of(run, "fake.b", "bad", "hybrid") == ALL_ROUNDS
    assert rounds_of(run, "fake.a", "asyncio", "hybrid") == ALL_ROUNDS
    arms = {a.arm: a for a in summarise(run).benchmarks[0].arms}
    assert (arms["bad"].status, arms["bad"].isolated) == ("ok", True)
    assert arms["bad"].ratio is not None
    assert not arms["asyncio"].isolated


def test_what_was_measured_before_a_death_stays(out: Path) -> None:
    marked = benchmark("fake.a", deeds={"bad": "SIGSEGV@process4"})
    what = subject([arm("bad")], [marked, benchmark("fake.b")])
    run = runs.run(what, out)
    assert rounds_of(run, "fake.a", "bad", "hybrid") == [0, 1, 2]
    assert rounds_of(run, "fake.a", "bad", "process") == [3, 4, 5]
    assert runs.keys(run.samples) == runs.all_keys(what)


def test_samples_that_were_sent_before_a_death_count(out: Path) -> None:
    marked = benchmark("fake.a", deeds={"bad": "SIGSEGV-late"})
    run = runs.run(subject([arm("bad")], [marked]), out)
    second = [s for s in run.samples if s.process == 2]
    assert {s.arm for s in second} == {"asyncio", "bad", "asyncio~aa"}
    assert len({s.process for s in run.samples if s.arm == "asyncio"}) == runs.ROUNDS
    assert [event.arm for event in events(run, "isolated")] == ["bad"]


def test_a_worker_killed_from_outside_is_nobodys_fault(out: Path, tmp_path: Path) -> None:
    marked = benchmark("fake.a", deeds={"fine": "SIGKILL@process2"})
    what = subject([arm("fine")], [marked])
    run = runs.run(what, out)
    assert events(run, "crash")[0].signal == "SIGKILL"
    assert events(run, "isolated") == []
    assert runs.keys(run.samples) == runs.all_keys(what)


@pytest.mark.parametrize("deed", ["garbage", "lie"])
def test_nonsense_is_rejected_and_the_arm_isolated(out: Path, deed: str) -> None:
    run = runs.run(subject([arm("liar")], [benchmark(deeds={"liar": deed})]), out)
    assert [event.final for event in events(run, "protocol")] == [False, True]
    assert rounds_of(run, "fake.work", "liar") == []
    assert rounds_of(run, "fake.work", "asyncio") == ALL_ROUNDS
    assert summarise(run).benchmarks[0].arms[1].status == "error"


def test_an_arm_that_sends_neither_samples_nor_a_reason_is_an_error(out: Path) -> None:
    run = runs.run(subject([arm("shy")], [benchmark(deeds={"shy": "mute@measure"})]), out)
    assert "neither samples nor a reason" in summarise(run).benchmarks[0].arms[1].reason
    assert rounds_of(run, "fake.work", "asyncio") == ALL_ROUNDS


def test_a_worker_that_cannot_start_is_no_loops_fault(out: Path) -> None:
    with pytest.raises(WorkerUnusable, match="no such engine"):
        runs.run(subject([], [benchmark()]), out, path=["cannot start"])


def test_nobody_left_to_measure(out: Path) -> None:
    deeds = {"asyncio": "error"}
    with pytest.raises(NothingToMeasure, match="it is error"):
        runs.run(subject([], [benchmark(deeds=deeds)]), out)
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_found_before_the_probe(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFull):
        runs.run(subject([], [benchmark()]), tmp_path / "file" / "run.jsonl", path=["cannot start"])


# --- interruption and going on


@pytest.fixture
def same_circumstances(monkeypatch: pytest.MonkeyPatch) -> None:
    """The arms are made up, so an interpreter asked for them knows none."""
    loops = {name: {"version": "1", "available": True} for name in ("asyncio", "asyncio~aa", "x")}
    here = Python("3", Interpreter(executable=sys.executable, version="3"), loops)
    monkeypatch.setattr(manager.subject, "ask", lambda executable, names, path: here)
    monkeypatch.setattr(environment, "machine", lambda: subject([], []).environment.machine)


def test_ctrl_c_loses_no_finished_sample(out: Path) -> None:
    name, what = interrupted_subject(out, "SIGINT-manager@process3")
    with pytest.raises(KeyboardInterrupt):
        runs.run(what, out)
    run = read_run(out)
    assert rounds_of(run, "fake.calm", "x") in ([0, 1], [0, 1, 2])
    assert rounds_of(run, name, "x") == [0, 1]
    assert [event.event for event in run.events][-1] == "interrupted"
    assert not run.complete
    assert not is_alive(last_worker(run))


def test_ctrl_c_while_a_worker_tidies_up_keeps_what_it_sent(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, what = interrupted_subject(out, "")

    def interrupt(session: manager.Session, begin: Begin) -> None:
        if (session.process, begin.benchmark, begin.phase) == (3, name, "teardown"):
            raise KeyboardInterrupt

    monkeypatch.setattr(manager.Session, "_show", interrupt)
    with pytest.raises(KeyboardInterrupt):
        runs.run(what, out)
    assert rounds_of(read_run(out), name, "x") == [0, 1, 2]


def interrupted_subject(out: Path, deed: str) -> tuple[str, runs.Subject]:
    marked = benchmark("fake.marked", deeds={"x": deed})
    return marked.id, subject([arm("x")], [benchmark("fake.calm"), marked])


def last_worker(run: RunFile) -> int:
    return [event.worker.pid for event in run.events if event.worker][-1]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("same_circumstances")
def test_a_resumed_run_continues_the_same_schedule(out: Path, tmp_path: Path) -> None:
    _, what = interrupted_subject(out, "SIGINT-manager@process3")
    with pytest.raises(KeyboardInterrupt):
        runs.run(what, out)
    before = read_run(out).samples
    run = runs.resume(out)
    assert run.complete
    assert run.samples[: len(before)] == before
    assert runs.keys(run.samples) == runs.all_keys(what)
    _, undisturbed = interrupted_subject(out, "")
    assert schedule_of(run) == schedule_of(runs.run(undisturbed, tmp_path / "undisturbed"))


@pytest.mark.usefixtures("same_circumstances")
def test_ctrl_c_while_samples_are_written_does_not_write_them_twice(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = RunWriter.append

    def interrupted(self: RunWriter, records: list[AnyRecord], *, sync: bool = True) -> None:
        append(self, records, sync=sync)
        if any(isinstance(r, Sample) and r.round == 2 for r in records):
            patch.undo()
            signal.raise_signal(signal.SIGINT)

    what = subject([arm("x")], [benchmark("fake.a"), benchmark("fake.b")])
    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "append", interrupted)
        with pytest.raises(KeyboardInterrupt):
            runs.run(what, out)
    assert max(sample.round for sample in read_run(out).samples) == 2
    assert runs.keys(runs.resume(out).samples) == runs.all_keys(what)


@pytest.mark.usefixtures("same_circumstances")
def test_resume_remembers_who_was_isolated_and_given_up(out: Path) -> None:
    first = benchmark("fake.a", deeds={"x": "SIGSEGV", "asyncio~aa": "SIGINT-manager@process2"})
    with pytest.raises(KeyboardInterrupt):
        runs.run(subject([arm("x")], [first]), out)
    run = runs.resume(out)
    assert len(events(run, "crash")) == 2  # both in the probe: not tried again
    assert rounds_of(run, "fake.a", "x") == []
    assert rounds_of(run, "fake.a", "asyncio") == ALL_ROUNDS


@pytest.mark.usefixtures("same_circumstances")
def test_a_finished_run_has_nothing_to_resume(out: Path) -> None:
    what = subject([], [benchmark()])
    had = runs.run(what, out).samples
    assert runs.resume(out).samples == had


@pytest.mark.usefixtures("same_circumstances")
def test_resume_after_a_line_was_cut(out: Path) -> None:
    what = subject([], [benchmark()])
    runs.run(what, out)
    lines = out.read_bytes().splitlines(keepends=True)
    samples = [i for i, line in enumerate(lines) if b'"record":"sample"' in line]
    cut = samples[len(samples) // 2]
    out.write_bytes(b"".join(lines[:cut]) + lines[cut][:50])
    run = runs.resume(out)
    assert run.complete
    assert set(runs.keys(run.samples)) == set(runs.all_keys(what))


def test_resume_refuses_other_circumstances(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.run(subject([arm("x")], [benchmark()]), out)
    loops = {name: {"version": "2", "available": True} for name in ("asyncio", "asyncio~aa", "x")}
    here = Python("3", Interpreter(executable=sys.executable, version="3"), loops)
    monkeypatch.setattr(manager.subject, "ask", lambda executable, names, path: here)
    monkeypatch.setattr(environment, "machine", lambda: subject([], []).environment.machine)
    with pytest.raises(ResumeMismatch, match=r"x \(1 then, 2 now\)"):
        runs.resume(out)


COMMAND = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from manager_testing import runs
    deeds = {"x": sys.argv[3]}
    what = runs.subject([runs.arm("x")], [runs.benchmark("fake.marked", deeds=deeds)])
    runs.run(what, Path(sys.argv[2]))
    """
)


@pytest.mark.parametrize("death", ["SIGKILL", "SIGTERM"])
def test_a_killed_command_takes_its_worker_along_and_loses_nothing(out: Path, death: str) -> None:
    here = str(Path(__file__).parent)
    deed = "SIGKILL-manager@process3" if death == "SIGKILL" else "silence@process3"
    command = subprocess.Popen([sys.executable, "-c", COMMAND, here, str(out), deed])
    if death == "SIGTERM":
        wait_for_process(command, out, 3)
        command.terminate()
    assert command.wait() == -getattr(signal, death)
    run = read_run(out)
    assert rounds_of(run, "fake.marked", "x") == [0, 1]
    wait_until_gone(last_worker(run))


def wait_for_process(command: subprocess.Popen[bytes], out: Path, process: int) -> None:
    """Until the file says that this worker was started."""
    while f'"process":{process},' not in environment.read(out):
        assert command.poll() is None, "the command ended before it was to be killed"


def wait_until_gone(pid: int) -> None:
    """The kernel's own word, for a process that is not our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 30)[0]
    finally:
        os.close(handle)


# --- the store


def test_a_run_file_is_never_overwritten(out: Path) -> None:
    runs.run(subject([], [benchmark()]), out)
    had = out.read_bytes()
    with pytest.raises(PlaceTaken, match="never overwritten"):
        runs.run(subject([], [benchmark()]), out)
    assert out.read_bytes() == had


def test_a_full_disk_ends_the_run_and_kills_the_worker(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer's own behaviour on a real full disk is test_store's; here, what follows."""
    append = manager.RunWriter.append

    def fill(writer: manager.RunWriter, records: list[object], *, sync: bool = True) -> None:
        if any(isinstance(record, Sample) and record.round == 2 for record in records):
            raise StoreFull("the disk is full", "make room")
        append(writer, records, sync=sync)  # type: ignore[arg-type]

    monkeypatch.setattr(manager.RunWriter, "append", fill)
    with pytest.raises(StoreFull):
        runs.run(subject([arm("x")], [benchmark("fake.a"), benchmark("fake.b")]), out)
    run = read_run(out)
    assert sorted({sample.round for sample in run.samples}) == [0, 1]
    assert not is_alive(last_worker(run))
