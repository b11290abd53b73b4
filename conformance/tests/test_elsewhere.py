"""Questions asked elsewhere get the verdicts that they get here, whoever answers and however."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from conformance_testing import HERE

from loopgauge.conformance import lanes, session, store
from loopgauge.conformance.asking import Asking, Here
from loopgauge.conformance.case import all_cases
from loopgauge.conformance.lanes import Question
from loopgauge.conformance.lanes.differential import kept
from loopgauge.conformance.model import Header, Lane, Subject
from loopgauge.conformance.runner import batch
from loopgauge.conformance.runner import elsewhere as elsewhere_module
from loopgauge.conformance.runner.batch import Batch
from loopgauge.conformance.runner.elsewhere import Elsewhere
from loopgauge.conformance.runner.messages import Target
from loopgauge.conformance.runner.pool import Pool
from loopgauge.conformance.session import Request

PERFORM = """
import sys
from loopgauge.conformance.runner.batch import perform
sys.stdout.buffer.write(perform(sys.stdin.buffer.read()))
"""
PYTHON = sys.version_info[:3]
LOOPS = ("asyncio:SelectorEventLoop", "conformance_testing.bad_loops:WrongOrder",
         "conformance_testing.bad_loops:Aborts")  # fmt: skip


class Listening:
    """What a user would be told of what could not be asked."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def begin(self, loop, lane, questions) -> None:
        pass

    def tried(self, loop, lane) -> None:
        pass

    def verdict(self, verdict) -> None:
        pass

    def missing(self, lane, reason) -> None:
        self.missed.append(f"{lane}: {reason}")


def answered(payload: bytes, verdict: str = "PASS", **members: object) -> bytes:
    """Without asking any loop."""
    asked = msgspec.json.decode(payload, type=Batch)
    return msgspec.json.encode(
        [{"question": name, "outcome": {"verdict": verdict, **members}} for name in asked.questions]
    )


def in_a_process(payload: bytes) -> bytes:
    """What a worker does."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", PERFORM],
        input=payload,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), HERE])},
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def listed(*lane_names: Lane) -> dict[Lane, Sequence[Question] | str]:
    return {name: lanes.lane_module(name).questions(PYTHON) for name in lane_names}


def request(selection: Sequence[str], loops: Sequence[str], repeat: int = 1) -> Request:
    header = Header(created="", python="3.13.0", lanes=["rules"], repeat=repeat)
    header.selection = [*selection]
    names = ["asyncio", *loops]
    factories = [LOOPS[0], *loops]
    header.subjects = [
        Subject(loop=name, factory=made) for name, made in zip(names, factories, strict=True)
    ]
    targets = [Target(name=name, factory=made) for name, made in zip(names, factories, strict=True)]
    return Request(header=header, targets=targets, selection=[*selection])


def run(path: Path, asked: Request, asking: Asking, earlier: store.Results | None = None):
    listening = Listening()
    with store.Writer(path) as writer:
        session.run(asked, asking, writer, listening, earlier)
    return store.read(path), listening


def told(results: store.Results) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Every verdict, with what does not depend on the moment."""
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    for one in results.verdicts:
        assert (one.loop, one.case) not in found
        found[one.loop, one.case] = one.verdict, one.status, one.stock
    return found


def test_an_area_elsewhere_gets_the_verdicts_of_here(
    tmp_path: Path, workers: ThreadPoolExecutor
) -> None:
    asked = request(["SOON-00*"], LOOPS[1:])
    with Pool(1, path=[HERE]) as pool:
        here, _ = run(tmp_path / "here.jsonl", asked, Here(pool))
    elsewhere = Elsewhere(
        lambda payload, alone: workers.submit(in_a_process, payload), listed("rules"), 2
    )
    there, listening = run(tmp_path / "there.jsonl", asked, elsewhere)
    assert listening.missed == []
    assert there.end is not None
    assert there.end.complete
    assert there.end.duration_s.keys() == {"asyncio", *LOOPS[1:]}
    assert told(there) == told(here)
    assert {kind for kind, _, _ in told(here).values()} >= {"PASS", "FAIL", "CRASH"}


def test_a_batch_that_fails_is_asked_again(tmp_path: Path, workers: ThreadPoolExecutor) -> None:
    sent: list[bytes] = []
    failed: list[str] = []

    def dies_first(payload: bytes) -> bytes:
        sent.append(payload)
        if sent.count(payload) == 1:
            raise RuntimeError("the worker is gone")
        return answered(payload)

    elsewhere = Elsewhere(
        lambda payload, alone: workers.submit(dies_first, payload),
        listed("rules"),
        2,
        failed=lambda future, error: not failed.append(str(error)),
    )
    results, listening = run(tmp_path / "r.jsonl", request(["SOON"], []), elsewhere)
    assert {kind for kind, _, _ in told(results).values()} == {"PASS"}
    assert len(told(results)) == len(session.chosen(["SOON"], ["rules"])["rules"])
    assert failed == ["the worker is gone"] * (len(sent) // 2)
    assert listening.missed == []


def full(payload: bytes) -> bytes:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (full, "No space left on device"),
        (lambda payload: b"", "cannot be read"),
        (lambda payload: answered(payload, "GREAT"), "cannot be read"),
        (lambda payload: answered(payload, duration_s=-1.0), "took -1 s"),
        (lambda payload: answered(payload, reason="x" * (5 << 20)), "bytes for 1 questions"),
        (lambda payload: b"[]", "other questions"),
        (lambda payload: answered(payload)[:-1] + b"," + answered(payload)[1:], "other questions"),
        (lambda payload: answered(payload).replace(b"SOON-001", b"SOON-002"), "other questions"),
        (lambda payload: "PASS", "no bytes"),
    ],
)
def test_what_is_no_answer_is_told_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: ThreadPoolExecutor, what, words: str
) -> None:
    monkeypatch.setitem(elsewhere_module.SIZES, "rules", 1)

    def half(payload: bytes) -> bytes:
        return what(payload) if b'"SOON-001.three"' in payload else answered(payload)

    elsewhere = Elsewhere(lambda payload, alone: workers.submit(half, payload), listed("rules"), 2)
    asked = request(["SOON-001.three", "TIME-001*"], [])
    results, listening = run(tmp_path / "r.jsonl", asked, elsewhere)
    (missed,) = listening.missed
    assert "SOON-001.three could not be asked" in missed
    assert words in missed
    assert results.end is not None
    assert not results.end.complete
    assert ("asyncio", "SOON-001.three") not in told(results)
    assert len(told(results)) > 1


def test_where_nobody_answers_it_soon_ends(tmp_path: Path, workers: ThreadPoolExecutor) -> None:
    elsewhere = Elsewhere(lambda payload, alone: workers.submit(full, payload), listed("rules"), 2)
    results, listening = run(tmp_path / "r.jsonl", request([], []), elsewhere)
    assert results.verdicts == []
    (missed,) = listening.missed
    assert f"{len(all_cases()) - 1} more could not be asked" in missed


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path, workers: ThreadPoolExecutor) -> None:
    """By a scheduler that is lost, first; each question has one verdict in the end, and those that
    had one are not asked again."""

    class SchedulerLost(Exception):
        pass

    asked_of: list[tuple[str, str]] = []
    budget = [3]

    def perform_some(payload: bytes) -> bytes:
        if not budget[0]:
            raise SchedulerLost
        budget[0] -= 1
        some = msgspec.json.decode(payload, type=Batch)
        asked_of.extend((some.target.name, name) for name in some.questions)
        return answered(payload)

    def elsewhere() -> Elsewhere:
        return Elsewhere(
            lambda payload, alone: workers.submit(perform_some, payload),
            listed("rules"),
            1,
            fatal=(SchedulerLost,),
        )

    path, asked = tmp_path / "r.jsonl", request(["SOON"], LOOPS[1:2])
    with pytest.raises(SchedulerLost):
        run(path, asked, elsewhere())
    first = store.read(path)
    assert first.end is not None
    assert not first.end.complete
    assert first.verdicts
    with path.open("ab") as file:
        file.write(b'{"record":"verdict","sch')  # what kill -9 leaves
    budget[0] = 1 << 10
    results, _ = run(path, request(["SOON"], LOOPS[1:2]), elsewhere(), store.read(path))
    assert results.end is not None
    assert results.end.complete
    assert len(told(results)) == 2 * len(session.chosen(["SOON"], ["rules"])["rules"])
    assert results.verdicts[: len(first.verdicts)] == first.verdicts
    assert len(asked_of) == len({*asked_of}) == len(results.verdicts)


def test_to_be_stopped_ends_it_at_once(workers: ThreadPoolExecutor) -> None:
    never: Future[bytes] = Future()
    never.set_running_or_notify_cancel()
    sent = threading.Event()

    def submit(payload: bytes, alone: bool) -> Future[bytes]:
        sent.set()
        return never

    elsewhere = Elsewhere(submit, listed("rules"), 2)
    target = Target(name="asyncio", factory=LOOPS[0])
    answering = workers.submit(
        elsewhere.answer, "rules", elsewhere.questions("rules"), target, lambda question, got: None
    )
    assert sent.wait(60)
    elsewhere.stop()
    assert isinstance(answering.exception(60), KeyboardInterrupt)


def test_who_needs_the_machine_goes_last_and_by_itself() -> None:
    sent: list[tuple[bool, list[str]]] = []

    def submit(payload: bytes, alone: bool) -> Future[bytes]:
        sent.append((alone, msgspec.json.decode(payload, type=Batch).questions))
        future: Future[bytes] = Future()
        future.set_result(answered(payload))
        return future

    elsewhere = Elsewhere(submit, listed("rules"), 1)
    target = Target(name="asyncio", factory=LOOPS[0])
    elsewhere.answer("rules", elsewhere.questions("rules"), target, lambda question, got: None)
    apart = [name for name, case in all_cases().items() if case.alone]
    assert [names for alone, names in sent if alone] == [[name] for name in apart]
    assert [alone for alone, _ in sent] == sorted(alone for alone, _ in sent)
    asked = [name for _, names in sent for name in names]
    assert sorted(asked) == sorted(all_cases())


def test_a_lane_that_is_missing_there_is_told(tmp_path: Path, workers: ThreadPoolExecutor) -> None:
    def submit(payload: bytes, alone: bool) -> Future[bytes]:
        return workers.submit(answered, payload)

    asked = request(["SOON-001*"], [])
    asked.header.lanes = ["rules", "differential"]
    there = Elsewhere(submit, {**listed("rules"), "differential": "no Hypothesis on it"}, 1)
    _, listening = run(tmp_path / "r.jsonl", asked, there)
    assert listening.missed == ["differential: no Hypothesis on it"]


def test_programs_travel_with_their_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: ThreadPoolExecutor
) -> None:
    """What once made a difference is tried first, wherever; what is found is kept here."""
    pytest.importorskip("hypothesis")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    wanted = "differential:callbacks"
    target = Target(name="mine", factory="conformance_testing.bad_loops:Swaps")
    outcomes = []

    def ask() -> None:
        elsewhere = Elsewhere(
            lambda payload, alone: workers.submit(in_a_process, payload), listed("differential"), 1
        )
        questions = [q for q in elsewhere.questions("differential") if q.id == wanted]
        elsewhere.answer("differential", questions, target, lambda q, got: outcomes.append(got))

    ask()
    (program,) = kept.programs("callbacks")
    ask()
    assert [outcome.verdict for outcome in outcomes] == ["FAIL", "FAIL"]
    assert outcomes[1].evidence.notes["programs tried"] == "1"
    assert json.loads(outcomes[1].evidence.notes["program"]) == program
    assert [path.name for path in here.iterdir()] == [".bench"]


def test_on_a_full_disk_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A case whose words cannot be written would be taken for crashed."""
    monkeypatch.setattr(batch, "LEAST_FREE", 1 << 60)
    with pytest.raises(OSError, match=r"its disk is full, with \d+ MiB left"):
        batch.perform(b"")
