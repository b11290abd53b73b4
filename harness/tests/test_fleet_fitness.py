"""Who is fit to measure: judged by what hosts tell, and said by `bench doctor --on`."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from fleet_testing import Cluster

from loopgauge.harness.cli import doctor_fleet
from loopgauge.harness.cli.doctor import doctor
from loopgauge.harness.cli.errors import explain
from loopgauge.harness.doctor import Finding
from loopgauge.harness.errors import CallFailed, NoHost
from loopgauge.harness.fleet import fitness, roll_call
from loopgauge.harness.fleet.fleet import open_fleet
from loopgauge.harness.fleet.hosts import Host, HostFacts, host_key
from loopgauge.harness.fleet.place import place_of
from loopgauge.harness.model import Interpreter, Machine


def facts(**members: Any) -> HostFacts:
    python = {"executable": "x", "version": "3.14.1", "optimized": True, "build_hash": "abc"}
    python.update(members.pop("python", {}))
    good: dict[str, Any] = {
        "machine": Machine(cpu_model="A CPU", kernel="6.1"),
        "interpreter": Interpreter(**python),
        "boot_id": "boot",
        "source": "source",
        "free_bytes": 10 << 30,
    }
    return HostFacts(**{**good, **members})


@pytest.mark.parametrize("members", [{}, {"utc_offset_s": 4.0}, {"utc_offset_s": -30.0}])
def test_who_is_fit(members: dict[str, Any]) -> None:
    assert fitness.fitness(facts(**members)) is None


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"utc_offset_s": 3600.0}, "its clock is 60 min ahead"),
        ({"utc_offset_s": -90.0}, "its clock is 90 s behind"),
        ({"utc_offset_s": 86400.0}, "its clock is 24.0 h ahead"),
        ({"lock_refused": "/x: Permission denied"}, "cannot take the lock of its machine"),
        ({"free_bytes": 5 << 20}, "5 MiB left"),
        ({"python": {"debug": True}}, "a debug build"),
        ({"python": {"build_hash": ""}}, "extension modules are not there"),
    ],
)
def test_who_is_not_fit_and_the_cure(members: dict[str, Any], words: str) -> None:
    found = fitness.fitness(facts(**members))
    assert found is not None
    assert words in found.found
    assert found.cure


def test_every_reason_is_told() -> None:
    found = fitness.fitness(facts(utc_offset_s=90.0, free_bytes=0))
    assert found is not None
    assert found.found.startswith("its clock is 90 s ahead; 0 MiB left")


def test_a_clock_that_is_a_little_off_is_a_warning() -> None:
    levels = {found.check: found.level for found in fitness.judged(facts(utc_offset_s=30.0))}
    assert levels["time"] == "warning"


def test_no_words_of_a_host_steer_a_terminal() -> None:
    told = [Finding(check="\x1b[2Jload", level="ok", found="a\nb\x07" + "c" * 5000)]
    (found, *_) = fitness.together(facts(), told)
    assert (found.check, found.found[:3], len(found.found)) == ("[2Jload", "abc", 1000)


# --- bench doctor --on ----------------------------------------------------------------------


def answered(result: bytes | Exception) -> Future[bytes]:
    future: Future[bytes] = Future()
    if isinstance(result, bytes):
        future.set_result(result)
    else:
        future.set_exception(result)
    return future


def host(**members: Any) -> Host:
    known = facts(**members)
    return Host(key=host_key(known), name="one", facts=known, executable="x", workers=["a"])


LOAD = Finding(check="load", level="warning", found="others use 80% of a CPU", cure="wait")


def test_a_host_is_shown_with_its_own_findings() -> None:
    answer = answered(msgspec.json.encode([LOAD]))
    seen = doctor_fleet.host_examined(host(), answer)
    assert (seen.fit, seen.reason) == (True, "")
    assert [found.check for found in seen.findings] == ["load", "python", "time", "disk"]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (CallFailed("one", "Died", "was killed by signal 9"), "was killed by signal 9"),
        (b"garbage", "it answers what makes no sense"),
        (b'[{"check": "x"}]', "it answers what makes no sense"),
    ],
)
def test_a_host_that_does_not_answer_is_not_fit(result: bytes | Exception, words: str) -> None:
    seen = doctor_fleet.host_examined(host(), answered(result))
    assert not seen.fit
    assert words in seen.reason


def test_a_host_that_is_busy_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_fleet, "EXAMINED_S", 0.0)
    waiting: Future[bytes] = Future()
    seen = doctor_fleet.host_examined(host(), waiting)
    assert "something else runs there" in seen.reason
    assert waiting.cancelled()


def test_doctor_tells_who_is_fit_and_who_is_left_out(empty_cluster: Cluster) -> None:
    empty_cluster.start_worker("fine")
    empty_cluster.start_worker("bare", resources="")
    empty_cluster.start_worker("locked", variables={"LOOPGAUGE_LOCK": "/proc/none/x.lock"})
    empty_cluster.ready(3)
    words = ["--on", empty_cluster.on]
    done = CliRunner().invoke(doctor, [*words, "--json"], prog_name="bench doctor")
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.exit_code == 6
    (seen,) = document["hosts"]
    assert (seen["name"], seen["workers"], seen["fit"]) == ("fine", 1, True)
    assert {"load", "cpu", "clock", "time", "disk"} <= {one["check"] for one in seen["findings"]}
    reasons = {one["name"]: (one["reason"], one["cure"]) for one in document["left_out"]}
    assert "has no resource" in reasons["bare"][0]
    assert "is unfit: cannot take the lock" in reasons["locked"][0]
    assert "--unfit" in reasons["locked"][1]


def test_doctor_has_a_word_for_each_of_them_where_nobody_is_fit(empty_cluster: Cluster) -> None:
    empty_cluster.start_worker("bare", resources="")
    empty_cluster.ready(1)
    done = CliRunner().invoke(doctor, ["--on", empty_cluster.on], prog_name="bench doctor")
    assert done.exit_code == 8
    lines = done.stdout.splitlines()
    assert lines[0].startswith("bare: left out, it has no resource")
    assert lines[1] == 'cure: Start it with --resources "loopgauge=1"'
    assert lines[-1] == "0 of 1 host fit to measure."


def test_a_clock_that_is_wrong_by_an_hour_leaves_its_host_out_unless_asked(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is this command's clock that is turned here."""
    early = SimpleNamespace(
        time=lambda: time.time() - 3600, monotonic=time.monotonic, sleep=time.sleep
    )
    monkeypatch.setattr(roll_call, "time", early)
    with (
        pytest.raises(NoHost, match="one is unfit: its clock is 60 min ahead") as caught,
        open_fleet(place_of(cluster.on)),
    ):
        pass
    problem = explain(caught.value)
    assert problem is not None
    assert "timedatectl" in problem.cure
    with open_fleet(place_of(cluster.on, unfit=True)) as fleet:
        assert len(fleet.hosts) == 1
