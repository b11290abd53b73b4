"""The services of deploy/ as processes: the fleet of compose.yaml, and the pods, which talk TLS."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from deploy_testing import certificates, services
from deploy_testing.files import compose_command, here, page_commands, pod_command
from deploy_testing.listening import beyond_loopback, listening


@dataclass
class Fleet:
    """A scheduler and its workers, and the processes of each."""

    address: str
    scheduler: services.Service
    workers: list[services.Service] = field(default_factory=list)

    def processes(self) -> list[psutil.Process]:
        running = (self.scheduler, *self.workers)
        return [process for service in running for process in service.processes()]


def started(
    scheduler: list[str], workers: list[list[str]], folder: Path, tls: Path | None = None
) -> Fleet:
    service, address = services.scheduler(here(scheduler, tls=tls), folder / "scheduler.log")
    fleet = Fleet(address, service)
    for number, command in enumerate(workers):
        log = folder / f"worker-{number}.log"
        fleet.workers.append(services.worker(here(command, address, tls), log))
    return fleet


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    workers = [compose_command(name) for name in ("worker-1", "worker-2")]
    fleet = started(compose_command("scheduler"), workers, tmp_path_factory.mktemp("compose"))
    yield fleet
    services.end(fleet.scheduler, fleet.workers)


@pytest.fixture(scope="module")
def documented(tmp_path_factory):
    scheduler, worker = page_commands()
    fleet = started(scheduler, [worker], tmp_path_factory.mktemp("documented"))
    yield fleet
    services.end(fleet.scheduler, fleet.workers)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificates.write(tmp_path_factory.mktemp("certificates") / "tls")


@pytest.fixture(scope="module")
def pods(tmp_path_factory, tls):
    folder = tmp_path_factory.mktemp("pods")
    fleet = started(pod_command("scheduler"), [pod_command("worker")], folder, tls)
    yield fleet
    services.end(fleet.scheduler, fleet.workers)


def client(address: str, tls: Path | None = None):
    from distributed import Client
    from distributed.security import Security

    security = None
    if tls is not None:
        names = {name: str(tls / f"{name}.pem") for name in ("cert", "key")}
        security = Security(
            tls_ca_file=str(tls / "ca.pem"),
            tls_client_cert=names["cert"],
            tls_client_key=names["key"],
            require_encryption=True,
        )
    return Client(address, security=security, timeout=60, set_as_default=False)


def workers(connected) -> list[dict]:
    return [*connected.scheduler_info(n_workers=-1)["workers"].values()]


def test_the_workers_of_compose_are_called_as_they_are_and_measure_one_at_a_time(composed):
    with client(composed.address) as connected:
        found = workers(connected)
    assert {worker["name"] for worker in found} == {"worker-1", "worker-2"}
    assert [worker["resources"] for worker in found] == [{"loopgauge": 1.0}] * 2


def test_a_pod_is_reached_with_the_fleet_s_certificate(pods, tls):
    assert pods.address.startswith("tls://127.0.0.1:")
    with client(pods.address, tls) as connected:
        assert connected.submit(pow, 2, 10).result(timeout=60) == 1024
        assert [worker["name"] for worker in workers(connected)] == ["pod"]


def test_who_talks_plain_to_the_pods_is_refused(pods):
    plain = pods.address.replace("tls://", "tcp://")
    with pytest.raises(OSError, match="Connection"), client(plain):
        pass


def test_a_certificate_of_somebody_else_is_refused(pods, tmp_path):
    stranger = certificates.write(tmp_path / "stranger")
    with pytest.raises(OSError, match="certificate"), client(pods.address, stranger):
        pass


def bench(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "loopgauge.harness.cli", *map(str, words)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_on_the_fleet_of_compose_gets_into_the_team_s_history(
    composed, postgres_url, tmp_path
):
    on = composed.address.replace("tcp://", "dask://")
    asked = ("throughput.sleep0", "--loop", "asyncio", "--quick", "--seed", "1")
    ran = bench("run", *asked, "--on", on, "--out", "run", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "worker-1" in ran.stderr
    store = ("--store", postgres_url)
    assert bench("history", "init", *store, folder=tmp_path).returncode == 0
    for said in ("1 new", "1 there already"):
        done = bench("history", "import", "run", *store, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout + done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_the_command_gets_to_the_pods_with_a_certificate_and_not_without(pods, tls, tmp_path):
    on = pods.address.replace("tls://", "dask://")
    files = [f"--tls-{name}={tls / name}.pem" for name in ("ca", "cert", "key")]
    known = bench("doctor", "--json", "--on", on, *files, folder=tmp_path)
    assert [host["name"] for host in json.loads(known.stdout)["hosts"]] == ["pod"], known.stderr
    refused = bench("doctor", "--on", on, folder=tmp_path)
    assert refused.returncode == 8
    assert "no Dask scheduler answers" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_local_cluster_listens_on_the_loopback_only(tmp_path):
    program = (
        "from loopgauge.harness.fleet.fleet import open_fleet\n"
        "from loopgauge.harness.fleet.place import place_of\n"
        "with open_fleet(place_of('local:2')) as fleet:\n"
        "    print('hosts:', len(fleet.hosts), flush=True)\n"
        "    input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "hosts: 1\n"
        processes = services.tree(process.pid)
        assert len(listening(processes)) > 3
        assert beyond_loopback(processes) == set()
        process.communicate("\n")


@pytest.mark.parametrize("fleet", ["composed", "documented", "pods"])
def test_nothing_listens_beyond_the_loopback(fleet, request):
    """With `--host` and addresses as given: Dask's own defaults are all interfaces, also for the
    HTTP server that runs without a dashboard."""
    processes = request.getfixturevalue(fleet).processes()
    assert len(listening(processes)) > 3
    assert beyond_loopback(processes) == set()


def test_what_listens_everywhere_would_be_noticed():
    with socket.socket() as everywhere:
        everywhere.bind(("", 0))
        everywhere.listen()
        own = services.tree(os.getpid())[:1]
        assert ("0.0.0.0", everywhere.getsockname()[1]) in beyond_loopback(own)
