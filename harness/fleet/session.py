"""A run on a fleet: every host measures the whole plan from the same seed, each in its own file.

A thread per host does what `bench run` does on one machine (harness/manager.py), with the host as
its runner. So whatever a run can bear, a host's run can: it is resumed from its file alone, and a
host that is lost takes nothing from the others.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness import environment, manager, planning
from loopgauge.harness.errors import (
    HarnessError,
    NotARunFile,
    NothingToMeasure,
    PlaceTaken,
    SchedulerLost,
    StoreFull,
)
from loopgauge.harness.fleet import folder as folders
from loopgauge.harness.fleet.folder import FleetFile
from loopgauge.harness.fleet.model import Asked, FleetHeader
from loopgauge.harness.fleet.register import Register, described
from loopgauge.harness.fleet.remote import Remote
from loopgauge.harness.fleet.side_by_side import SideBySide
from loopgauge.harness.packed import is_packed
from loopgauge.harness.progress import Tracker
from loopgauge.harness.record_lines import cut_partial_line
from loopgauge.harness.request import Progress, RunRequest

if TYPE_CHECKING:
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.hosts import Host

# A host is at work (Progress), or has come to its end, in words.
Listener = Callable[[str, Progress | str], None]


def run(request: RunRequest, fleet: Fleet, listener: Listener) -> Path:
    """The folder of a new fleet run. Hosts that are lost are recorded, and the rest goes on. Raises
    SchedulerLost, StoreFull or KeyboardInterrupt with everything finished on disk; then `resume`
    goes on."""
    folder = request.out or folders.new_folder()
    require_place(folder)
    seed = secrets.randbits(32) if request.seed is None else request.seed
    with Register(folder) as register:
        register.append(header_of(request, folder, seed))
        for one in fleet.left_out:
            register.left_out(one)
        for host in fleet.hosts:
            register.append(described(host))
        FleetSession(replace(request, seed=seed), fleet, register, listener).measure(fleet.hosts)
    return folder


def resume(path: Path, request: RunRequest, fleet: Fleet, listener: Listener) -> Path:
    """Goes on with every host that is there and has not finished. One that has joined the cluster
    since measures everything. Of `request` only the path counts: the rest is in the folder."""
    before = read_for_resume(path)
    with Register(before.path) as register:
        cut_partial_line(folders.fleet_file(before.path))
        before = folders.read_register(before.path)
        for known in before.hosts.values():
            register.know(known)
        register.event("resumed")
        present = {host.key for host in fleet.hosts}
        for known in before.hosts.values():
            if known.key not in present and known.state in ("planned", "measuring"):
                register.absent(known)
        for host in fleet.hosts:
            if host.key not in before.hosts:
                register.event("joined", host.key)
                register.append(described(host))
        left = [host for host in fleet.hosts if not finished(before, host.key)]
        again = request_of(before.header, request.path)
        FleetSession(again, fleet, register, listener).measure(left)
    return before.path


def require_place(folder: Path) -> None:
    """Raises PlaceTaken."""
    if folders.is_fleet(folder) or (folder.exists() and not folder.is_dir()):
        raise PlaceTaken(
            f"{folder} exists already, and a run is never overwritten",
            f"Choose another --out, or go on with --resume {folder}",
        )


def read_for_resume(path: Path) -> FleetFile:
    """Raises NotARunFile and NewerSchema, also for a folder whose files were packed."""
    found = folders.read_register(path)
    if is_packed(folders.fleet_file(found.path)):
        raise NotARunFile(
            f"{found.path} is packed, so that nothing can be added to it",
            "Unpack its files first: gzip -d or xz -d",
        )
    return found


def finished(before: FleetFile, key: str) -> bool:
    return key in before.hosts and before.hosts[key].state == "done"


def header_of(request: RunRequest, folder: Path, seed: int) -> FleetHeader:
    return FleetHeader(
        run=folder.name,
        created=environment.utc_now(),
        command=list(request.command),
        seed=seed,
        asked=Asked(
            benchmarks=[(scenario, dict(params)) for scenario, params in request.benchmarks],
            arms=list(request.arms),
            setting=request.setting,
            tiers=list(request.tiers),
            natives=list(request.natives),
            cpus=None if request.cpus is None else list(request.cpus),
            rounds=request.rounds,
        ),
    )


def request_of(header: FleetHeader, path: Sequence[str]) -> RunRequest:
    asked = header.asked
    return RunRequest(
        benchmarks=asked.benchmarks,
        arms=asked.arms,
        setting=asked.setting,
        tiers=asked.tiers,
        natives=asked.natives,
        seed=header.seed,
        cpus=asked.cpus,
        rounds=asked.rounds,
        path=path,
        command=header.command,
    )


class FleetSession:
    """The hosts at work. What ends one of them is recorded; what ends the run is raised."""

    def __init__(
        self, request: RunRequest, fleet: Fleet, register: Register, listener: Listener
    ) -> None:
        self._request = request
        self._fleet = fleet
        self._register = register
        self._listener = listener
        self._at_work: dict[str, Remote] = {}

    def measure(self, hosts: Sequence[Host]) -> None:
        """Returns when every host has come to its end."""
        self._at_work = {host.key: Remote(self._fleet, host) for host in hosts}
        SideBySide(self._register, self._measure, self._stop_all).run(hosts)

    def _measure(self, host: Host) -> None:
        """Raises what ends the whole run, and records what ends this host's."""
        self._register.host(host, "measuring")
        try:
            file = self._register.folder / f"{host.key}.jsonl"
            self._measure_file(file, host, self._at_work[host.key])
        except (SchedulerLost, StoreFull):
            raise
        except HarnessError as error:
            self._register.host(host, "lost", error.cause)
            self._listener(host.name, str(error))
        else:
            self._register.host(host, "done")
            self._listener(host.name, "done")

    def _measure_file(self, file: Path, host: Host, remote: Remote) -> None:
        budget_s = planning.limits_of(self._request).budget_s
        tracker = Tracker(partial(self._at_work_on, host), budget_s, remote.clock)
        if file.is_file() and file.stat().st_size:
            manager.resume(file, tracker, remote)
            return
        request = replace(
            self._request,
            out=file,
            run=f"{self._register.folder.name}-{host.key}",
            cpus=cpus_on(host, self._request.cpus),
        )
        manager.run_subject(request, remote.resolve(request), tracker, remote)

    def _at_work_on(self, host: Host, progress: Progress) -> None:
        """Hosts of one machine take turns, so that what is left takes as much longer."""
        beside = [
            one for one in self._at_work.values() if one.host.facts.boot_id == host.facts.boot_id
        ]
        remaining_s = progress.remaining_s * len(beside)
        self._listener(host.name, replace(progress, remaining_s=remaining_s))

    def _stop_all(self) -> None:
        for remote in self._at_work.values():
            remote.stop()


def cpus_on(host: Host, wanted: Sequence[int] | None) -> list[int] | None:
    """Raises NothingToMeasure for a host that has none of them."""
    if wanted is None:
        return None
    found = [cpu for cpu in wanted if cpu in host.facts.cpus]
    if not found:
        have = ",".join(map(str, host.facts.cpus))
        raise NothingToMeasure(f"its worker may use none of the CPUs of --cpus, but {have}")
    return found
