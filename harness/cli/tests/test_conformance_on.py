"""`bench conformance --on`: the verdicts of a cluster are those of this machine, whoever dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fleet_loops
import pytest
from fleet_testing import Cluster, wait_until

from loopgauge.harness.cli.errors import did_you_mean
from loopgauge.harness.fleet.agent import descendants

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

BAD = "fleet_loops:Deaf"
AREA = ("conformance", "SOON-00[5-9]*", "--loop", BAD)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def verdicts(path: Path) -> dict[tuple[str, str], tuple[str, str, str]]:
    """With what does not depend on the moment; each is there once."""
    found = [one for one in records(path) if one["record"] == "verdict"]
    counted = Counter((one["loop"], one["case"]) for one in found)
    assert {*counted.values()} == {1}
    return {
        (one["loop"], one["case"]): (one["verdict"], one["status"], one["stock"]) for one in found
    }


@pytest.fixture(scope="module")
def local(bench_in: type[Bench], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same questions, asked here."""
    bench = bench_in(tmp_path_factory.mktemp("local"))
    shutil.copy(fleet_loops.__file__, bench.folder)
    done = bench(*AREA, "--jobs", "1", "--out", "r.jsonl")
    assert done.returncode == 5, done.stderr
    return bench.folder / "r.jsonl"


def test_verdict_for_verdict(bench: Bench, cluster: Cluster, local: Path) -> None:
    done = bench(*AREA, "--on", cluster.on, "--out", "r.jsonl", "--json")
    assert done.returncode == 5, done.stderr
    there, here = records(bench.folder / "r.jsonl"), records(local)
    assert verdicts(bench.folder / "r.jsonl") == verdicts(local)
    assert {kind for kind, _, _ in verdicts(local).values()} >= {"PASS", "FAIL"}
    same = ("python", "build", "machine", "suite", "lanes", "selection", "subjects")
    assert {key: there[0][key] for key in same} == {key: here[0][key] for key in same}
    assert there[-1]["complete"]
    document = json.loads(done.stdout)
    assert (document["kind"], document["exit_code"]) == ("conformance-fleet", 5)
    (summary,) = document["results"]
    assert [loop["loop"] for loop in summary["loops"]] == ["asyncio", BAD]
    text = (bench.folder / "r.jsonl").read_text()
    assert os.uname().nodename not in text
    assert "127.0.0.1:" not in text.replace("127.0.0.1:0", "")


def test_a_worker_killed_in_the_middle_costs_no_verdict(
    bench: Bench, cluster: Cluster, local: Path
) -> None:
    with bench.started(*AREA, "--on", cluster.on, "--out", "r.jsonl") as process:
        assert process.stderr is not None
        bench.read_until(process.stderr, f"{BAD}: rules")
        cluster.workers["two"].kill()
        _, said = process.communicate(timeout=120)
    cluster.start_worker("two")
    cluster.ready(2)
    assert process.returncode == 5, said
    assert verdicts(bench.folder / "r.jsonl") == verdicts(local)


def test_a_scheduler_that_is_killed_loses_nothing(
    bench: Bench, empty_cluster: Cluster, local: Path
) -> None:
    empty_cluster.start_worker("one")
    with bench.started(*AREA, "--on", empty_cluster.on, "--out", "r.jsonl") as process:
        assert process.stderr is not None
        bench.read_until(process.stderr, f"{BAD}: rules")
        assert empty_cluster.scheduler is not None
        empty_cluster.scheduler.kill()
        _, said = process.communicate(timeout=120)
    assert process.returncode == 8, said
    assert "the connection to the Dask scheduler broke off" in said
    assert f"bench conformance --resume r.jsonl --on {empty_cluster.on}" in said
    assert "Traceback" not in said
    before = verdicts(bench.folder / "r.jsonl")
    assert before.items() <= verdicts(local).items()
    empty_cluster.workers["one"].end()
    empty_cluster.start_scheduler()
    empty_cluster.start_worker("one")
    done = bench("conformance", "--resume", "r.jsonl", "--on", empty_cluster.on)
    assert done.returncode == 5, done.stderr
    assert verdicts(bench.folder / "r.jsonl") == verdicts(local)
    assert records(bench.folder / "r.jsonl")[-1]["complete"]


def test_an_interruption_leaves_nothing_on_the_host(
    bench: Bench, empty_cluster: Cluster, local: Path
) -> None:
    """Neither folders nor processes; and the run goes on."""
    temporary = bench.folder / "t"
    temporary.mkdir()
    worker = empty_cluster.start_worker("one", variables={"TMPDIR": str(temporary)})
    with bench.started(*AREA, "--on", empty_cluster.on, "--out", "r.jsonl") as process:
        assert process.stderr is not None
        bench.read_until(process.stderr, "asyncio: rules")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert f"bench conformance --resume r.jsonl --on {empty_cluster.on}" in said
    assert "Traceback" not in said
    assert not records(bench.folder / "r.jsonl")[-1]["complete"]
    done = bench("conformance", "--resume", "r.jsonl", "--on", empty_cluster.on)
    assert done.returncode == 5, done.stderr
    assert verdicts(bench.folder / "r.jsonl") == verdicts(local)
    wait_until(lambda: not descendants(worker.process.pid))
    assert [path.name for path in temporary.glob("lg-*")] == []


def test_what_was_begun_here_goes_on_there(bench: Bench, cluster: Cluster, local: Path) -> None:
    lines = local.read_text().splitlines(keepends=True)
    half = bench.folder / "r.jsonl"
    half.write_text("".join(lines[: len(lines) // 2]))
    done = bench("conformance", "--resume", "r.jsonl", "--on", cluster.on)
    assert done.returncode == 5, done.stderr
    assert verdicts(half) == verdicts(local)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--on", "local:0"], 2, ["local:0"]),
        (["--on", "dask://127.0.0.1:1"], 8, ["no Dask scheduler answers", "dask scheduler"]),
        (["--on", "local:1", "--jobs", "3"], 2, ["leave it out with --on"]),
        (["--on", "local:1", "--in-process"], 2, ["--in-process is about this machine"]),
        (["--tls-ca", __file__], 2, ["needs --on"]),
    ],
)
def test_bad_words(bench: Bench, words: list[str], code: int, said: list[str]) -> None:
    done = bench("conformance", "SOON-001", *words)
    assert done.returncode == code, done.stderr
    for part in said:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / ".bench").exists()


def test_names_that_no_host_knows(bench: Bench, cluster: Cluster) -> None:
    done = bench("conformance", "SOON-001", "--loop", "nowhere:Loop", "--on", cluster.on)
    assert done.returncode == 4, done.stderr
    assert "nowhere" in done.stderr
    done = bench("conformance", "SON", "--loop", "epoll", "--on", cluster.on)
    assert done.returncode == 2, done.stderr
    assert "no area, rule or case is called 'SON'" in done.stderr
    assert not (bench.folder / ".bench").exists()


def test_a_name_that_several_hosts_know_is_proposed_once() -> None:
    assert did_you_mean("SON", ["SOON", "SOON"]) == "Did you mean 'SOON'?"


def test_on_this_machine_a_loop_of_this_folder_is_found(bench: Bench) -> None:
    shutil.copy(fleet_loops.__file__, bench.folder / "mine.py")
    done = bench("conformance", "SOON-007", "--loop", "mine:Deaf", "--on", "local:1")
    assert done.returncode == 5, done.stderr
    assert "mine:Deaf: SOON-007" in done.stderr
