"""The services of deploy/ as processes: the fleet of compose.yaml, and the pods, which talk TLS."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from deploy_testing import certificates, services
from deploy_testing.files import compose_command, here, pod_command
from deploy_testing.listening import beyond_loopback, listening


@dataclass
class Fleet:
    """A scheduler and its workers, and the processes of each."""

    address: str
    running: list[services.Service] = field(default_factory=list)

    def processes(self) -> list[psutil.Process]:
        return [process for service in self.running for process in service.processes()]

    def end(self) -> None:
        for service in reversed(self.running):
            service.end()


def started(
    scheduler: list[str], workers: list[list[str]], folder: Path, tls: Path | None = None
) -> Fleet:
    service, address = services.scheduler(here(scheduler, tls=tls), folder / "scheduler.log")
    fleet = Fleet(address, [service])
    for number, command in enumerate(workers):
        log = folder / f"worker-{number}.log"
        fleet.running.append(services.worker(here(command, address, tls), log))
    return fleet


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    workers = [compose_command(name) for name in ("worker-1", "worker-2")]
    fleet = started(compose_command("scheduler"), workers, tmp_path_factory.mktemp("compose"))
    yield fleet
    fleet.end()


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return certificates.write(tmp_path_factory.mktemp("certificates") / "tls")


@pytest.fixture(scope="module")
def pods(tmp_path_factory, tls):
    folder = tmp_path_factory.mktemp("pods")
    fleet = started(pod_command("scheduler"), [pod_command("worker")], folder, tls)
    yield fleet
    fleet.end()


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


@pytest.mark.parametrize("fleet", ["composed", "pods"])
def test_nothing_listens_beyond_the_loopback(fleet, request):
    """With `--host` and addresses as given: Dask's own defaults are all interfaces, also for the
    HTTP server that runs without a dashboard."""
    processes = request.getfixturevalue(fleet).processes()
    assert len(listening(processes)) > 3
    assert beyond_loopback(processes) == set()


def test_a_dask_command_without_our_options_would_be_noticed(tmp_path):
    command = ["dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    service, _ = services.scheduler(here(command), tmp_path / "log")
    try:
        assert {address for address, _ in beyond_loopback(service.processes())} == {"0.0.0.0"}
    finally:
        service.end()
