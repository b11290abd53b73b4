"""`bench run --on` with a real scheduler and real workers: the same run as here, and whoever is
killed in the middle loses nothing that was finished."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from fleet_testing import Cluster, wait_until

from loopgauge.harness.errors import NoScheduler
from loopgauge.harness.fleet.folder import FILE, FleetFile, read_fleet
from loopgauge.harness.fleet.place import place_of
from loopgauge.harness.model import Header
from loopgauge.harness.store import RunFile, RunWriter, read_run

if TYPE_CHECKING:
    from loopgauge.harness.cli.tests.conftest import Bench

RUN = ("run", "sleep0", "call_soon_chain", "--quick", "--loop", "epoll", "--seed", "5")
ROUNDS = 6
ARMS = ("asyncio", "epoll", "asyncio~aa")
BENCHMARKS = ("throughput.call_soon_chain", "throughput.sleep0")
WHOLE = sorted((n, b, a) for n in range(ROUNDS) for b in BENCHMARKS for a in ARMS)


def folders(bench: Bench) -> list[Path]:
    return sorted(bench.folder.glob(".bench/fleets/*"))


def fleet_of(bench: Bench) -> FleetFile:
    (folder,) = folders(bench)
    return read_fleet(folder)


def only_run(bench: Bench) -> RunFile:
    (run,) = fleet_of(bench).runs.values()
    return run


def keys(run: RunFile) -> list[tuple[int, str, str]]:
    return sorted((s.round, s.benchmark, s.arm) for s in run.samples)


def schedule(run: RunFile) -> list[tuple[Any, ...]]:
    workers = [event.worker for event in run.events if event.worker]
    return [(w.round, w.creation, w.benchmarks, w.hash_seed, w.padding) for w in workers]


def measuring(cluster: Cluster) -> str:
    """The name of the Dask worker below which a measuring process runs; "" for none."""
    for name, member in cluster.workers.items():
        try:
            below = psutil.Process(member.process.pid).children(recursive=True)
            if any("loopgauge.harness.worker" in child.cmdline() for child in below):
                return name
        except psutil.Error:
            continue
    return ""


@pytest.fixture
def whole_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """For whoever kills a part of it: it is whole again afterwards."""
    yield cluster
    assert cluster.scheduler is not None
    if cluster.scheduler.process.poll() is not None:
        cluster.start_scheduler()
        for member in cluster.workers.values():
            member.end()
    for name, member in [*cluster.workers.items()]:
        if member.process.poll() is not None:
            cluster.start_worker(name)
    cluster.ready(2)


def restart(cluster: Cluster) -> None:
    cluster.start_scheduler()
    for name, member in [*cluster.workers.items()]:
        member.end()
        cluster.start_worker(name)
    cluster.ready(2)


def go_on(bench: Bench, cluster: Cluster) -> None:
    before = only_run(bench).samples
    done = bench("run", "--on", cluster.on, "--resume", "latest", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["complete"]
    run = only_run(bench)
    assert run.samples[: len(before)] == before
    assert keys(run) == WHOLE


def test_the_same_run_here_and_there(bench: Bench, cluster: Cluster) -> None:
    here = bench(*RUN, "--json", rounds=ROUNDS)
    there = bench(*RUN, "--json", "--on", cluster.on, rounds=ROUNDS)
    assert (here.returncode, there.returncode) == (0, 0), there.stderr
    assert "on one:" in there.stderr
    assert "one: done" in there.stderr
    local, remote = read_run(bench.runs()[0]), only_run(bench)
    assert schedule(remote) == schedule(local)
    assert keys(remote) == keys(local) == WHOLE
    told = json.loads(there.stdout)
    assert (told["kind"], told["exit_code"]) == ("fleet-summary", 0)
    assert [*told["names"].values()] == ["one"]
    for ours, theirs in zip(local_verdicts(here.stdout), remote_verdicts(told), strict=True):
        assert {ours, theirs} != {"faster", "slower"}


def local_verdicts(stdout: str) -> list[str]:
    benchmarks = sorted(json.loads(stdout)["benchmarks"], key=lambda one: one["id"])
    return [arm["verdict"] for one in benchmarks for arm in one["arms"] if arm["arm"] == "epoll"]


def remote_verdicts(told: dict[str, Any]) -> list[str]:
    benchmarks = sorted(told["benchmarks"], key=lambda one: one["id"])
    arms = [arm for one in benchmarks for arm in one["arms"] if arm["arm"] == "epoll"]
    return [verdict for arm in arms for verdict in arm["verdicts"].values()]


def test_no_file_says_where_the_hosts_are(bench: Bench, cluster: Cluster) -> None:
    done = bench(*RUN, "--on", cluster.on, "--report")
    assert done.returncode == 0, done.stderr
    (folder,) = folders(bench)
    assert f"report: .bench/fleets/{folder.name}/fleet.html" in done.stderr
    text = "".join(file.read_text() for file in folder.iterdir())
    assert "127.0.0.1" not in text
    assert str(cluster.folder) not in text
    assert str(bench.folder) not in text


def test_a_worker_that_is_killed_loses_its_process_alone(
    bench: Bench, whole_cluster: Cluster
) -> None:
    """The other worker of the host does it again; every sample is there once."""
    with bench.started(*RUN, "--on", whole_cluster.on, rounds=ROUNDS) as process:
        bench.read_until(process.stderr, "measuring 1/")
        wait_until(lambda: bool(measuring(whole_cluster)))
        whole_cluster.workers[measuring(whole_cluster) or "one"].kill()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "lost a worker" in err
    assert keys(only_run(bench)) == WHOLE
    assert fleet_of(bench).complete


def test_a_scheduler_that_is_killed_ends_the_command_and_nothing_else(
    bench: Bench, whole_cluster: Cluster
) -> None:
    with bench.started(*RUN, "--on", whole_cluster.on, rounds=ROUNDS) as process:
        bench.read_until(process.stderr, "measuring 1/")
        assert whole_cluster.scheduler is not None
        whole_cluster.scheduler.kill()
        _, err = process.communicate(timeout=120)
    assert process.returncode == 8, err
    assert "Traceback" not in err, err
    (folder,) = folders(bench)
    assert f"what was finished is kept in .bench/fleets/{folder.name}" in err
    again = f"bench run --on {whole_cluster.on} --resume .bench/fleets/{folder.name}"
    assert f"go on with: {again}" in err
    assert only_run(bench).samples
    restart(whole_cluster)
    go_on(bench, whole_cluster)


@pytest.mark.parametrize(("how", "code"), [("kill", -9), ("terminate", 143)])
def test_a_command_that_is_killed_goes_on_later(
    bench: Bench, cluster: Cluster, how: str, code: int
) -> None:
    """What it had started on the hosts ends by itself: the next one finds the machine free."""
    with bench.started(*RUN, "--on", cluster.on, rounds=ROUNDS) as process:
        bench.read_until(process.stderr, "measuring 1/")
        getattr(process, how)()
        _, err = process.communicate(timeout=120)
    assert process.returncode == code
    if how == "terminate":
        assert "terminated: what was finished is kept in .bench/fleets/" in err
    assert only_run(bench).samples
    go_on(bench, cluster)


def test_ctrl_c_ends_a_local_cluster_that_is_just_starting(bench: Bench) -> None:
    """A terminal sends it to all of its processes."""
    with bench.started(*RUN, "--on", "local:2") as process:
        command = psutil.Process(process.pid)
        wait_until(lambda: spawned(command))
        for one in [*spawned(command), command]:
            one.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == "interrupted: nothing had been measured yet.\n"


def spawned(command: psutil.Process) -> list[psutil.Process]:
    """Workers of its cluster, as soon as they are processes."""
    below = command.children(recursive=True)
    return [one for one in below if any("multiprocessing.spawn" in word for word in one.cmdline())]


def test_a_full_disk_on_a_host_is_named_and_what_it_finished_is_kept(
    bench: Bench, empty_cluster: Cluster
) -> None:
    """No file can grow there: for a process the same as a disk without room."""
    member = empty_cluster.start_worker("small")
    empty_cluster.ready(1)
    with bench.started(*RUN, "--on", empty_cluster.on, rounds=ROUNDS) as process:
        bench.read_until(process.stderr, "measuring 1/")
        there = psutil.Process(member.process.pid)
        for one in [there, *there.children()]:
            one.rlimit(resource.RLIMIT_FSIZE, (0, 0))
        _, err = process.communicate(timeout=120)
    assert process.returncode == 6, err
    assert "left out: small: the host: [Errno 27] File too large" in err
    fleet = fleet_of(bench)
    assert [host.state for host in fleet.hosts.values()] == ["lost"]
    kept = keys(only_run(bench))
    assert kept == WHOLE[: len(kept)]
    assert kept


# --- what is refused


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["sleep0", "--on", "local:1", "--python", "3.11"], 2, "Start a Dask worker for each"),
        (["sleep0", "--on", "local:1", "--report=/dev/null/x"], 8, "Nothing was measured"),
        (["sleep0", "--on", "local:0"], 2, "no number of workers"),
        (["--on", "local:1", "--resume", "latest"], 7, "there is no run on a fleet 'latest'"),
        (["--on", "local:1", "--resume", "run.jsonl"], 2, "without --on"),
        (["--resume", "fleet"], 2, "--on dask://HOST:PORT --resume fleet"),
        (["sleep0", "--on", "local:1", "--out", "fleet"], 2, "never overwritten"),
        (["sleep0", "--on", "dask://127.0.0.1:1"], 8, "no Dask scheduler answers"),
        (["sleep0", "--out", "."], 2, "is a folder"),
        (["--on", "local:1", "--dry-run", "--resume", "fleet"], 2, "bench list fleets"),
    ],
)
def test_words_that_cannot_be_meant(
    bench: Bench, build: Any, words: list[str], code: int, told: str
) -> None:
    header: Header = build.run_summary().header
    with RunWriter(bench.folder / "run.jsonl") as writer:
        writer.append([header])
    register(bench.folder / "fleet")
    done = bench("run", *words)
    assert done.returncode == code, done.stderr
    assert told in " ".join(done.stderr.split())


def test_a_cluster_of_ones_own_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from loopgauge.harness.fleet import connection

    def refuse(**options: object) -> object:
        raise RuntimeError("Nanny failed to start.")

    monkeypatch.setattr(connection, "LocalCluster", refuse)
    with (
        pytest.raises(NoScheduler, match="Nanny failed to start"),
        connection.connected(place_of("local:2")),
    ):
        pass


def register(folder: Path) -> None:
    from loopgauge.harness.fleet.model import Asked, FleetHeader

    asked = Asked(benchmarks=[], arms=[], setting="quick", tiers=["python"])
    with RunWriter(folder / FILE) as writer:
        writer.append([FleetHeader(run="f", created="2026-01-01T00:00:00Z", seed=1, asked=asked)])


def test_runs_on_fleets_are_listed(bench: Bench) -> None:
    for name in ("20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb"):
        (bench.folder / ".bench/fleets" / name).mkdir(parents=True)
        register(bench.folder / ".bench/fleets" / name)
    (bench.folder / ".bench/fleets/20260103T000000Z-cccccc").mkdir()  # ended before it began
    broken = bench.folder / ".bench/fleets/20260104T000000Z-dddddd"
    broken.mkdir()
    (broken / FILE).write_text("{}\n")
    items = json.loads(bench("list", "fleets", "--json").stdout)["items"]
    assert [(item["name"], item["readable"]) for item in items] == [
        ("latest", False),
        ("latest~1", True),
        ("latest~2", True),
    ]
    assert "not finished" in bench("list", "fleets").stdout
