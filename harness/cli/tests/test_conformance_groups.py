"""Hosts that differ make results of their own; one that lies is named, and the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from loopgauge.conformance.runner.batch import Batch
from loopgauge.harness.cli import main, on, survey
from loopgauge.harness.errors import CallFailed, HostLost
from loopgauge.harness.fleet.fleet import Fleet
from loopgauge.harness.fleet.hosts import Host, LeftOut

Answer = Callable[[bytes], bytes]


def passed(payload: bytes) -> bytes:
    """Without asking any loop."""
    questions = msgspec.json.decode(payload, type=Batch).questions
    return msgspec.json.encode(
        [{"question": name, "outcome": {"verdict": "PASS"}} for name in questions]
    )


def told(payload: bytes) -> bytes:
    return survey.tell(payload)


def told_as(**members: Any) -> Answer:
    """A host that is like this one but for its header."""

    def tell(payload: bytes) -> bytes:
        said = json.loads(survey.tell(payload))
        said["header"] |= members
        return json.dumps(said).encode()

    return tell


class FakeFleet:
    """Each host is two functions: what it says of itself, and how it answers a batch."""

    def __init__(self, **hosts: tuple[Answer, Answer]) -> None:
        self.does = hosts
        self.hosts = [Host(f"{n:08x}", name, None, "", 1, [name]) for n, name in enumerate(hosts)]  # type: ignore[arg-type]
        self.left_out: list[LeftOut] = []
        self.sent: list[str] = []

    def submit(
        self, hosts: Sequence[Host], function: str, payload: bytes, *, exclusive: bool
    ) -> Future[bytes]:
        name = hosts[len(self.sent) % len(hosts)].name
        self.sent.append(name)
        tell, perform = self.does[name]
        future: Future[bytes] = Future()
        try:
            future.set_result((tell if function == survey.TELL else perform)(payload))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command on a cluster of such hosts, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(fleet: FakeFleet, *words: str) -> Result:
        @contextmanager
        def opened(place: object, told: object = None) -> Iterator[Fleet]:
            yield fleet  # type: ignore[misc]

        monkeypatch.setattr(on, "fleet", opened)
        return CliRunner().invoke(main, [*words, "--on", "dask://cluster:1"])

    return run


AREA = ("conformance", "SOON-00*", "--loop", "asyncio")


def results() -> dict[str, list[dict[str, Any]]]:
    """By Python."""
    found = {}
    for path in Path(".bench/conformance").glob("*.jsonl"):
        header, *lines = [json.loads(line) for line in path.read_text().splitlines()]
        found[header["python"]] = lines
    return found


def test_two_pythons_make_two_results(bench: Callable[..., Result]) -> None:
    fleet = FakeFleet(
        old=(told_as(python="3.12.1"), passed),
        new=(told_as(python="3.13.1", kernel="6.1"), passed),
        beside=(told_as(python="3.13.1", kernel="6.2"), passed),
    )
    done = bench(fleet, *AREA, "--json")
    assert done.exit_code == 0, done.stderr
    found = results()
    assert {*found} == {"3.12.1", "3.13.1"}
    assert all(lines[-1]["complete"] for lines in found.values())
    cases = [{line["case"] for line in lines[:-1]} for lines in found.values()]
    assert cases[0] == cases[1]
    assert {"old", "new", "beside"} == {*fleet.sent}
    document = json.loads(done.stdout)
    assert sorted(one["python"] for one in document["results"]) == ["3.12.1", "3.13.1"]
    assert "asyncio on Python 3.12.1: rules" in done.stderr


def test_what_can_be_one_file_only_is_refused_for_two(bench: Callable[..., Result]) -> None:
    fleet = FakeFleet(
        old=(told_as(python="3.12.1"), passed), new=(told_as(python="3.13.1"), passed)
    )
    for option in ("--out", "--junit"):
        done = bench(fleet, *AREA, option, "r.xml")
        assert done.exit_code == 2
        assert f"{option} is one file" in done.stderr
        assert "Python 3.12.1: old; Python 3.13.1: new" in done.stderr
    assert not Path(".bench").exists()


def fails(payload: bytes) -> bytes:
    raise CallFailed("bad", "OSError", "No space left on device")


def lost(payload: bytes) -> bytes:
    raise HostLost("bad", "bad has had no worker for 60 s", "Start it again")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (fails, "No space left on device"),
        (lambda payload: b"\x80\x04garbage", "sent what makes no sense"),
        (lambda payload: b"[" * 100_000, "sent what makes no sense"),
        (told_as(subjects=[]), "loops that it cannot make"),
        (told_as(lanes=["cpython"]), "other lanes than were asked for"),
        (lambda payload: told(payload).replace(b'"loop":"asyncio"', b'"loop":"x"'), "loops"),
    ],
)
def test_a_host_that_cannot_say_what_it_is(
    bench: Callable[..., Result], bad: Answer, words: str
) -> None:
    done = bench(FakeFleet(bad=(bad, passed), good=(told, passed)), *AREA)
    assert done.exit_code == 6, done.output
    assert "left out: bad" in done.stderr
    assert words in done.stderr
    (lines,) = results().values()
    assert lines[-1]["complete"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (fails, "bad: No space left on device"),
        (lambda payload: b"", "the answer cannot be read"),
        (lambda payload: passed(payload).replace(b"SOON-001", b"TIME-001"), "other questions"),
        (lambda payload: passed(payload).replace(b"PASS", b"\x1b[2J"), "cannot be read"),
    ],
)
def test_a_host_whose_answers_are_of_no_use(
    bench: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, bad: Answer, words: str
) -> None:
    """It is asked no more, and every question has its verdict from the others."""
    from loopgauge.conformance.runner import elsewhere

    monkeypatch.setitem(elsewhere.SIZES, "rules", 1)
    done = bench(FakeFleet(bad=(told, bad), good=(told, passed)), *AREA)
    assert done.exit_code == 6, done.output
    assert words in done.stderr
    assert "bad: asked no more" in done.stderr
    assert "\x1b" not in done.output
    (lines,) = results().values()
    assert lines[-1]["complete"]


def test_a_reason_moves_no_cursor(bench: Callable[..., Result]) -> None:
    def steers(payload: bytes) -> bytes:
        return passed(payload).replace(b'"PASS"', b'"FAIL","reason":"\\u001b[2J<script>"')

    done = bench(FakeFleet(bad=(told, steers)), *AREA)
    assert done.exit_code == 5
    assert "<script>" in done.output
    assert "\x1b" not in done.output


def test_nobody_answers(bench: Callable[..., Result]) -> None:
    done = bench(FakeFleet(bad=(told, fails)), *AREA)
    assert done.exit_code == 6
    assert "could not be asked: bad: No space left on device" in done.stderr
    assert "bench conformance --resume .bench/conformance/" in done.stderr
    assert "--on dask://cluster:1" in done.stderr


def test_what_workers_die_of_is_sent_to_no_more_of_them(bench: Callable[..., Result]) -> None:
    def dies(payload: bytes) -> bytes:
        if b"SOON-001.three" in payload:
            raise CallFailed("bad", "DiedTooOften", "the workers died of it, one after the other")
        return passed(payload)

    fleet = FakeFleet(bad=(told, dies))
    done = bench(fleet, *AREA)
    assert done.exit_code == 6
    assert "could not be asked: bad: the workers died of it" in done.stderr
    (lines,) = results().values()
    batches = len(fleet.sent) - 1
    assert len(lines) - 1 > 24 * (batches - 2)  # all others have their verdicts


def test_a_group_that_is_lost_ends_and_the_others_go_on(bench: Callable[..., Result]) -> None:
    fleet = FakeFleet(bad=(told_as(python="3.12.1"), lost), good=(told_as(python="3.13.1"), passed))
    done = bench(fleet, *AREA)
    assert done.exit_code == 6, done.output
    assert "left out: bad has had no worker for 60 s" in done.stderr
    found = results()
    assert found["3.13.1"][-1]["complete"]
    assert not found["3.12.1"][-1]["complete"]


def test_a_result_goes_on_with_its_own_kind_of_host(bench: Callable[..., Result]) -> None:
    old, new = (told_as(python="3.12.1"), passed), (told_as(python="3.13.1"), passed)
    bench(FakeFleet(bad=(told_as(python="3.12.1"), fails)), *AREA)
    (path,) = Path(".bench/conformance").glob("*.jsonl")
    done = bench(FakeFleet(new=new), "conformance", "--resume", str(path))
    assert done.exit_code == 4
    assert "Python (3.12.1 then, 3.13.1 now)" in done.stderr
    fleet = FakeFleet(new=new, old=old)
    done = bench(fleet, "conformance", "--resume", str(path))
    assert done.exit_code == 0, done.output
    assert results()["3.12.1"][-1]["complete"]
    assert {*fleet.sent[2:]} == {"old"}
