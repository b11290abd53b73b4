"""What head breaks is held against it when it does so again, and nothing else is."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loopgauge.harness.errors import BadSettings, NotARunFile, NothingToMeasure
from loopgauge.harness.gate import promises
from loopgauge.harness.gate.model import Settings, Side
from loopgauge.harness.verdicts import Verdict

LOOPS = """
import asyncio

class Plain(asyncio.SelectorEventLoop):
    pass

class Deaf(asyncio.SelectorEventLoop):
    def call_soon(self, callback, *args, context=None):
        return super().call_soon(callback, *args)
"""
CONTEXT = "SOON-007.given-soon"


def side(name: Any, **fields: Any) -> Side:
    given = {"origin": "factory", "loop": "mine:Plain", "executable": sys.executable}
    return Side(name=name, given="", **{**given, **fields})


def verdict(case: str, kind: str, **fields: Any) -> Verdict:
    given = {"level": "MUST", "reason": f"why {kind}", "loop": "mine:Loop", "factory": "mine:Loop"}
    return Verdict(
        case=case, rule=case.partition(".")[0], verdict=kind, python="3", **{**given, **fields}
    )


def write(folder: Path, name: str, *verdicts: Verdict) -> None:
    stock = verdict("A-001.a", "PASS", loop="asyncio")
    lines = [b'{"record": "header"}', *map(msgspec.json.encode, (stock, *verdicts))]
    (folder / f"promises-{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def decided(folder: Path) -> dict[str, tuple[str, str]]:
    return {one.subject: (one.verdict, one.reason) for one in promises.decisions(folder)}


@pytest.mark.parametrize("fault", ["FAIL", "ERROR", "HANG", "CRASH", "LEAK", "UNIMPLEMENTED"])
def test_what_head_breaks_twice_is_broken(tmp_path: Path, fault: str) -> None:
    write(tmp_path, "base", verdict("A-001.a", "PASS"), verdict("A-002.a", "FAIL"))
    write(tmp_path, "head", verdict("A-001.a", fault), verdict("A-002.a", "FAIL"))
    write(tmp_path, "base-again", verdict("A-001.a", "PASS", tries={"PASS": 3}))
    write(tmp_path, "head-again", verdict("A-001.a", fault, tries={fault: 3}))
    assert decided(tmp_path) == {
        "A-001.a": ("BROKEN", f"PASS on base, {fault} on head: why {fault}")
    }


def test_another_fault_at_the_second_time_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path, "base", verdict("A-001.a", "PASS"))
    write(tmp_path, "head", verdict("A-001.a", "HANG"))
    write(tmp_path, "base-again", verdict("A-001.a", "FLAKY", tries={"PASS": 2, "NON_STRICT": 1}))
    write(tmp_path, "head-again", verdict("A-001.a", "FLAKY", tries={"HANG": 1, "FAIL": 2}))
    assert decided(tmp_path)["A-001.a"][0] == "BROKEN"


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"PASS": 3}, {"PASS": 3}),
        ({"PASS": 3}, {"PASS": 1, "FAIL": 2}),
        ({"PASS": 2, "FAIL": 1}, {"FAIL": 3}),
        ({"PASS": 3}, {"HARNESS": 3}),
    ],
)
def test_what_comes_and_goes_is_inconclusive(
    tmp_path: Path, base: dict[str, int], head: dict[str, int]
) -> None:
    write(tmp_path, "base", verdict("A-001.a", "PASS"))
    write(tmp_path, "head", verdict("A-001.a", "FAIL"))
    write(tmp_path, "base-again", verdict("A-001.a", "FLAKY", tries=base))
    write(tmp_path, "head-again", verdict("A-001.a", "FLAKY", tries=head))
    judged, reason = decided(tmp_path)["A-001.a"]
    assert judged == "INCONCLUSIVE"
    assert reason.startswith("comes and goes: PASS on base, FAIL on head")
    assert all(f"{count} x {kind}" in reason for kind, count in [*base.items(), *head.items()])


def test_what_was_not_asked_again_is_no_fault_yet(tmp_path: Path) -> None:
    write(tmp_path, "base", verdict("A-001.a", "PASS"))
    write(tmp_path, "head", verdict("A-001.a", "FAIL"))
    judged, reason = decided(tmp_path)["A-001.a"]
    assert (judged, reason[:15]) == ("INCONCLUSIVE", "not asked again")


def test_what_head_repairs(tmp_path: Path) -> None:
    write(tmp_path, "base", verdict("A-001.a", "CRASH"), verdict("A-002.a", "FAIL"))
    write(tmp_path, "head", verdict("A-001.a", "PASS"), verdict("A-002.a", "PASS"))
    write(tmp_path, "base-again", verdict("A-001.a", "CRASH"), verdict("A-002.a", "PASS"))
    write(tmp_path, "head-again", verdict("A-001.a", "PASS"), verdict("A-002.a", "PASS"))
    assert decided(tmp_path)["A-001.a"][0] == "REPAIRED"
    assert decided(tmp_path)["A-002.a"][0] == "EQUIVALENT"


def test_other_levels_never_fail_a_gate(tmp_path: Path) -> None:
    should, may = {"level": "SHOULD"}, {"level": "MAY"}
    for suffix in ("", "-again"):
        base = verdict("A-001.a", "PASS", **should), verdict("A-002.a", "PASS", **may)
        head = verdict("A-001.a", "FAIL", **should), verdict("A-002.a", "FAIL", **may)
        write(tmp_path, f"base{suffix}", *base)
        write(tmp_path, f"head{suffix}", *head)
    ((case, (judged, reason)),) = decided(tmp_path).items()
    assert (case, judged) == ("A-001.a", "EQUIVALENT")
    assert reason.startswith("only a SHOULD rule: PASS on base")


@pytest.mark.parametrize(
    ("base", "head"),
    [("HARNESS", "FAIL"), ("PASS", "HARNESS"), ("NOT_APPLICABLE", "FAIL"), ("PASS", "INFO")],
)
def test_what_says_nothing_is_no_difference(tmp_path: Path, base: str, head: str) -> None:
    write(tmp_path, "base", verdict("A-001.a", base))
    write(tmp_path, "head", verdict("A-001.a", head))
    assert decided(tmp_path) == {}


def test_a_case_of_one_suite_only_is_told(tmp_path: Path) -> None:
    write(tmp_path, "base", verdict("A-001.a", "PASS"), verdict("A-002.a", "HARNESS"))
    write(
        tmp_path,
        "head",
        verdict("A-001.a", "PASS"),
        verdict("A-002.a", "FAIL"),
        verdict("A-003.a", "FAIL"),
    )
    assert decided(tmp_path) == {}
    assert promises.notes(tmp_path) == [
        "1 cases of MUST rules are kept by both sides, and 0 by neither",
        "1 cases say nothing here, since stock asyncio fails them, too",
        "1 cases were asked on one side only: the suites differ",
    ]


def test_what_fails_the_gate_comes_first(tmp_path: Path) -> None:
    for suffix in ("", "-again"):
        base = verdict("A-001.a", "PASS", level="SHOULD"), verdict("B-001.a", "PASS")
        head = verdict("A-001.a", "FAIL", level="SHOULD"), verdict("B-001.a", "FAIL")
        write(tmp_path, f"base{suffix}", *base, verdict("A-009.a", "FAIL"))
        write(tmp_path, f"head{suffix}", *head, verdict("A-009.a", "PASS"))
    assert [*decided(tmp_path)] == ["B-001.a", "A-001.a", "A-009.a"]


def test_a_foreign_file(tmp_path: Path) -> None:
    write(tmp_path, "base", verdict("A-001.a", "PASS"))
    (tmp_path / "promises-head.jsonl").write_text("what is this\nno result\n")
    with pytest.raises(NotARunFile, match="line 1"):
        promises.decisions(tmp_path)


def test_no_files_no_decisions(tmp_path: Path) -> None:
    assert promises.decisions(tmp_path) == []
    assert promises.notes(tmp_path) == []


def test_nobody_is_asked_where_nothing_can_differ(tmp_path: Path) -> None:
    same = side("base"), side("head")
    assert promises.nothing_to_ask(*same) == "both sides are one loop on one Python"
    promises.compare(*same, Settings(), tmp_path, lambda line: None)
    assert [*tmp_path.iterdir()] == []
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    stock = side("base", loop="asyncio"), side("head", loop="asyncio", executable=str(link))
    assert "stock asyncio of one Python" in promises.nothing_to_ask(*stock)
    assert promises.nothing_to_ask(side("base"), side("head", loop="mine:Deaf")) == ""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    (made / "mine.py").write_text(LOOPS)
    return made


def test_two_loops_of_one_project(tmp_path: Path, project: Path) -> None:
    base = side("base", path=[str(project)])
    head = side("head", path=[str(project)], loop="mine:Deaf")
    said: list[str] = []
    settings = Settings(areas=[CONTEXT, "SOON-001.three"])
    promises.compare(base, head, settings, tmp_path, said.append)
    (found,) = promises.decisions(tmp_path)
    assert (found.subject, found.verdict, found.tier) == (CONTEXT, "BROKEN", "promises")
    assert len(said) == 2
    kept = sorted(path.name for path in tmp_path.glob("promises-*"))
    assert kept == [
        "promises-base-again.jsonl",
        "promises-base.jsonl",
        "promises-head-again.jsonl",
        "promises-head.jsonl",
    ]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("promises-*")}
    promises.compare(base, head, settings, tmp_path, said.append)  # as a gate that is resumed
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("promises-*")} == before


def test_sides_that_cannot_share_a_run(tmp_path: Path, project: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.py").write_text(LOOPS.replace("class Deaf", "class _").replace("Plain", "Deaf"))
    base = side("base", path=[str(other)], loop="mine:Deaf")
    head = side("head", path=[str(project)], loop="mine:Deaf")
    promises.compare(base, head, Settings(areas=[CONTEXT]), tmp_path, lambda line: None)
    assert decided(tmp_path)[CONTEXT][0] == "BROKEN"


def test_a_loop_that_is_not_there(tmp_path: Path, project: Path) -> None:
    base = side("base", path=[str(project)])
    head = side("head", path=[str(project)], loop="nowhere:loop")
    with pytest.raises(NothingToMeasure, match="head has no loop 'nowhere:loop'"):
        promises.compare(base, head, Settings(areas=[CONTEXT]), tmp_path, lambda line: None)
    assert not [*tmp_path.glob("promises-*.jsonl")]


def test_an_area_that_is_not_there(tmp_path: Path, project: Path) -> None:
    base = side("base", path=[str(project)])
    head = side("head", path=[str(project)], loop="mine:Deaf")
    with pytest.raises(BadSettings, match="no area, rule or case is called 'SOOON'"):
        promises.compare(base, head, Settings(areas=["SOOON"]), tmp_path, lambda line: None)


def test_the_sources_do_not_stand_before_what_is_installed(tmp_path: Path) -> None:
    """`click` stands for a module that the side's environment has."""
    (tmp_path / "project").mkdir()
    path = [str(tmp_path / "project")]
    built = side("base", origin="environment", loop="click:Loop", path=path)
    assert promises._where([built], tmp_path) == tmp_path
    ours = side("base", origin="environment", loop="mine:Loop", path=path)
    assert promises._where([ours], tmp_path) == Path(path[0])
    named = side("base", origin="environment", loop="epoll", path=path)
    assert promises._where([named], tmp_path) == tmp_path


def test_no_suite_outlives_a_gate_that_is_killed(tmp_path: Path) -> None:
    """A named pipe that the suite holds open closes with it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    suite = f"import os, time; os.write(os.open({str(pipe)!r}, os.O_WRONLY), b'.'); time.sleep(600)"
    source = (
        "import sys; from pathlib import Path; from loopgauge.harness.gate import promises; "
        f"promises._run([sys.executable, '-c', {suite!r}], Path({str(tmp_path)!r}))"
    )
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with subprocess.Popen([sys.executable, "-c", source]) as gate:
            assert select.select([reading], [], [], 60)[0]
            assert os.read(reading, 1) == b"."
            gate.kill()
        assert select.select([reading], [], [], 60)[0]
        assert os.read(reading, 1) == b""
    finally:
        os.close(reading)
