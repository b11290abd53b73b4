"""Calls to hosts of a real cluster: answers, errors, and what happens when somebody dies."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet_testing import Cluster, is_running, kill, wait_until

from loopgauge.harness.errors import (
    CallFailed,
    FleetError,
    HostLost,
    NoHost,
    NoScheduler,
    SchedulerLost,
)
from loopgauge.harness.fleet.fleet import Fleet, open_fleet
from loopgauge.harness.fleet.place import place_of


@pytest.fixture(scope="module")
def fleet(cluster: Cluster) -> Iterator[Fleet]:
    with open_fleet(place_of(cluster.on)) as opened:
        yield opened


def test_two_workers_of_one_machine_and_python_are_one_host(fleet: Fleet) -> None:
    (host,) = fleet.hosts
    assert (host.name, len(host.workers), host.threads) == ("one", 2, 1)
    assert fleet.left_out == []
    assert len(host.key) == 8
    assert abs(host.facts.utc_offset_s) < 60


def test_bytes_go_there_and_come_back(fleet: Fleet) -> None:
    payload = bytes(range(256)) * 5000
    assert fleet.call(fleet.hosts[0], "fleet_calls:echo", payload, exclusive=True) == payload


def test_an_agent_is_kept_for_the_next_call(fleet: Fleet) -> None:
    def agents() -> dict[int, int]:
        said = [
            json.loads(fleet.call(fleet.hosts[0], "fleet_calls:whoami", b"", exclusive=True))
            for _ in range(8)
        ]
        return {one["worker"]: one["agent"] for one in said}

    first = agents()
    assert all(first.get(worker, agent) == agent for worker, agent in agents().items())


def test_an_error_comes_back_as_its_words(fleet: Fleet) -> None:
    with pytest.raises(CallFailed, match="one: no such thing") as caught:
        fleet.call(fleet.hosts[0], "fleet_calls:fail", b"no such thing", exclusive=True)
    assert caught.value.kind == "ValueError"
    assert "fleet_calls.py" in caught.value.trace


def test_what_a_call_prints_disturbs_nothing(fleet: Fleet) -> None:
    assert fleet.call(fleet.hosts[0], "fleet_calls:chatter", b"", exclusive=True) == b""


def test_a_call_finds_signals_and_memory_as_in_a_local_run(fleet: Fleet) -> None:
    said = json.loads(fleet.call(fleet.hosts[0], "fleet_calls:signals", b"", exclusive=True))
    assert said == {"sigint": True, "blocked": [], "variables": []}


def test_measurements_of_one_machine_never_run_beside_each_other(
    fleet: Fleet, tmp_path: Path
) -> None:
    host = fleet.hosts[0]
    calls = [
        fleet.submit([host], "fleet_calls:overlap", str(tmp_path).encode(), exclusive=True)
        for _ in range(6)
    ]
    assert [call.result() for call in calls] == [b"1"] * 6


def test_shared_calls_run_beside_each_other_but_not_beside_a_measurement(
    fleet: Fleet, tmp_path: Path
) -> None:
    """The first two wait for each other: were they not beside each other, they would never end."""
    host = fleet.hosts[0]
    waiting, alone = tmp_path / "waiting", tmp_path / "alone"
    waiting.mkdir()
    alone.mkdir()
    both = [
        fleet.submit([host], "fleet_calls:wait_for", str(waiting).encode(), exclusive=False)
        for _ in range(2)
    ]
    wait_until(lambda: len(list(waiting.glob("began-*[0-9]"))) == 2)
    measurement = fleet.submit([host], "fleet_calls:overlap", str(alone).encode(), exclusive=True)
    more = [
        fleet.submit([host], "fleet_calls:overlap", str(alone).encode(), exclusive=False)
        for _ in range(2)
    ]
    assert not measurement.done()
    (waiting / "go").touch()
    assert [call.result() for call in both] == [b"went", b"went"]
    assert measurement.result() == b"1"
    assert all(call.result() in (b"1", b"2") for call in more)


def test_a_machine_that_somebody_else_uses_is_waited_for_and_named(cluster: Cluster) -> None:
    told: list[str] = []
    with open_fleet(place_of(cluster.on), told.append) as fleet:
        with (cluster.folder / "machine.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            future = fleet.submit(fleet.hosts, "fleet_calls:echo", b"x", exclusive=True)
            wait_until(lambda: bool(told))
            assert not future.done()
        assert future.result() == b"x"
    assert told == ["one: waits for its machine, where something else is running"]


def test_a_killed_agent_is_replaced(fleet: Fleet, tmp_path: Path) -> None:
    payload = str(tmp_path / "died").encode()
    assert fleet.call(fleet.hosts[0], "fleet_calls:die_once", payload, exclusive=True) == b"lives"


def test_a_call_that_always_kills_its_agent_is_given_up(fleet: Fleet) -> None:
    with pytest.raises(CallFailed, match="one: was killed by signal 9") as caught:
        fleet.call(fleet.hosts[0], "fleet_calls:die", b"", exclusive=True)
    assert caught.value.kind == "Died"


def test_a_cancelled_call_ends_there_with_what_it_had_started(fleet: Fleet, tmp_path: Path) -> None:
    future = fleet.submit(
        fleet.hosts, "fleet_calls:wait_for", str(tmp_path).encode(), exclusive=True
    )
    agent, worker, child = began(tmp_path)
    future.cancel()
    wait_until(lambda: not is_running(agent) and not is_running(child))
    assert is_running(worker)
    assert fleet.call(fleet.hosts[0], "fleet_calls:echo", b"free", exclusive=True) == b"free"


def test_a_call_whose_worker_is_killed_is_answered_by_the_other_once(
    cluster: Cluster, fleet: Fleet, tmp_path: Path
) -> None:
    future = fleet.submit(
        fleet.hosts, "fleet_calls:wait_for", str(tmp_path).encode(), exclusive=True
    )
    agent, worker, child = began(tmp_path)
    (killed,) = [one for one in cluster.workers.values() if one.process.pid == worker]
    killed.kill()
    try:
        wait_until(lambda: not is_running(agent) and not is_running(child))
        wait_until(lambda: len(list(tmp_path.glob("began-*[0-9]"))) == 2)
        (tmp_path / "go").touch()
        assert future.result(60) == b"went"
    finally:
        cluster.start_worker(killed.name)
        wait_until(lambda: len(fleet.hosts[0].workers) == 2)


def test_a_host_that_comes_back_under_another_address_goes_on(
    empty_cluster: Cluster, tmp_path: Path
) -> None:
    empty_cluster.start_worker("only")
    told: list[str] = []
    with open_fleet(place_of(empty_cluster.on), told.append) as fleet:
        future = fleet.submit(
            fleet.hosts, "fleet_calls:wait_for", str(tmp_path).encode(), exclusive=True
        )
        _, worker, _ = began(tmp_path)
        kill(worker)
        empty_cluster.start_worker("again")
        wait_until(lambda: len(list(tmp_path.glob("began-*[0-9]"))) == 2)
        (tmp_path / "go").touch()
        assert future.result(60) == b"went"
    assert told == [
        "only: lost a worker; waiting 60 s for another",
        "only: has another worker",
    ]


def test_a_host_that_stays_away_is_named(empty_cluster: Cluster, tmp_path: Path) -> None:
    empty_cluster.start_worker("gone")
    with open_fleet(place_of(empty_cluster.on), patience_s=0) as fleet:
        future = fleet.submit(
            fleet.hosts, "fleet_calls:wait_for", str(tmp_path).encode(), exclusive=True
        )
        _, worker, _ = began(tmp_path)
        kill(worker)
        with pytest.raises(HostLost, match="gone has had no worker for 0 s") as caught:
            future.result(60)
    assert caught.value.name == "gone"
    assert "--resume" in caught.value.cure


def test_a_scheduler_that_is_killed_ends_all_calls(empty_cluster: Cluster, tmp_path: Path) -> None:
    empty_cluster.start_worker("one")
    with open_fleet(place_of(empty_cluster.on)) as fleet:
        future = fleet.submit(
            fleet.hosts, "fleet_calls:wait_for", str(tmp_path).encode(), exclusive=True
        )
        agent, _, child = began(tmp_path)
        assert empty_cluster.scheduler is not None
        empty_cluster.scheduler.kill()
        with pytest.raises(SchedulerLost, match="broke off"):
            future.result(60)
        with pytest.raises(FleetError):
            fleet.call(fleet.hosts[0], "fleet_calls:echo", b"", exclusive=True)
    wait_until(lambda: not is_running(agent) and not is_running(child))


def test_no_scheduler(empty_cluster: Cluster) -> None:
    assert empty_cluster.scheduler is not None
    empty_cluster.scheduler.kill()
    with (
        pytest.raises(
            NoScheduler,
            match=r"no Dask scheduler answers at dask://127.0.0.1:\d+ \(Connection refused\)",
        ),
        open_fleet(place_of(empty_cluster.on)),
    ):
        pass


def test_workers_that_cannot_be_used_are_named_with_the_cure(empty_cluster: Cluster) -> None:
    empty_cluster.start_worker("bare", resources="")
    broken = empty_cluster.folder / "broken" / "loopgauge"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no loopgauge here')")
    empty_cluster.start_worker("empty", variables={"PYTHONPATH": str(broken.parent)})
    empty_cluster.ready(2)
    with (
        pytest.raises(
            NoHost, match=r"bare has no resource 'loopgauge'.*empty cannot run"
        ) as caught,
        open_fleet(place_of(empty_cluster.on)),
    ):
        pass
    assert '--resources "loopgauge=1"' in caught.value.cure


def began(folder: Path) -> tuple[int, int, int]:
    """Agent, worker and child of the call that has begun there."""
    wait_until(lambda: bool(list(folder.glob("began-*[0-9]"))))
    (told,) = folder.glob("began-*[0-9]")
    agent, worker, child = map(int, told.read_text().split())
    return agent, worker, child
