"""A gate on every host of a fleet: each is an ordinary gate in a folder of its own, held by a
thread with the host as its ground. What one host cannot do stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loopgauge.harness import environment
from loopgauge.harness.errors import CallFailed, HarnessError, SchedulerLost, StoreFull
from loopgauge.harness.fleet import gate_decision
from loopgauge.harness.fleet.gate_ground import There
from loopgauge.harness.fleet.gate_model import FILE, KEPT, GatesFile, GatesHeader, read_gates
from loopgauge.harness.fleet.gate_sides import Brought
from loopgauge.harness.fleet.place import Place
from loopgauge.harness.fleet.register import Register
from loopgauge.harness.fleet.side_by_side import SideBySide
from loopgauge.harness.fleet.wheels import Wheel, goods_of
from loopgauge.harness.gate import session, shared
from loopgauge.harness.gate.model import GateHeader, Step
from loopgauge.harness.gate.store import FILE as GATE_FILE
from loopgauge.harness.gate.store import has_records, read_gate
from loopgauge.harness.record_lines import cut_partial_line
from loopgauge.harness.request import Progress

if TYPE_CHECKING:
    from loopgauge.harness.fleet.fleet import Fleet
    from loopgauge.harness.fleet.hosts import Host

Say = Callable[[str], None]


def begin(folder: Path, header: GatesHeader, fleet: Fleet) -> None:
    """Writes down what is asked, and who takes part."""
    with Register(folder, FILE, KEPT) as register:
        register.append(header)
        for one in fleet.left_out:
            register.left_out(one)
        for host in fleet.hosts:
            register.host(host, "planned")


def hold(
    folder: Path, fleet: Fleet, place: Place, sides: tuple[Brought, Brought], say: Say
) -> GatesFile:
    """Holds what is left of the gate in `folder` on the hosts that are there, and decides. Raises
    SchedulerLost, StoreFull or KeyboardInterrupt with everything finished in the files."""
    gates = read_gates(folder)
    cut_partial_line(folder / FILE)
    with Register(folder, FILE, KEPT) as register:
        for known in gates.hosts.values():
            register.know(known)
        present = {host.key for host in fleet.hosts}
        for known in gates.hosts.values():
            if known.key not in present and known.state in ("planned", "measuring"):
                register.absent(known)
        done = {key for key, known in gates.hosts.items() if known.state == "done"}
        left = [host for host in fleet.hosts if host.key not in done]
        Holding(gates.header, fleet, register, place, sides, say).hold(left)
        gates = read_gates(folder)
        gates.result, _ = gate_decision.decide_all(gates)
        register.append(gates.result)
    return gates


class Holding:
    """The hosts at work. What ends one of them is recorded; what ends the gate is raised."""

    def __init__(
        self,
        header: GatesHeader,
        fleet: Fleet,
        register: Register,
        place: Place,
        sides: tuple[Brought, Brought],
        say: Say,
    ) -> None:
        self._goods = goods_of(place.wheels, place.index)
        self._header = header
        self._fleet = fleet
        self._register = register
        self._sides = sides
        self._say = say
        self._grounds: dict[str, There] = {}

    def hold(self, hosts: Sequence[Host]) -> None:
        # First of all, because installing would disturb whoever measures on the same machine.
        ready = [host for host in hosts if self._prepare(host)]
        SideBySide(self._register, self._hold_apart, self._stop_all).run(ready)

    def _prepare(self, host: Host) -> bool:
        """Whether it has both sides' Pythons."""
        with self._kept_apart(host):
            pythons: dict[str, str] = {
                one.side.name: self._environment(host, one.wheel)
                for one in self._sides
                if one.wheel is not None
            }
            self._grounds[host.key] = There(self._fleet, host, pythons)
            return True
        return False

    def _environment(self, host: Host, wheel: Wheel) -> str:
        """With what was brought along for both sides. Raises CallFailed for a host on which the
        wheel does not fit."""
        others = tuple(one for one in self._goods.wheels if one.project != wheel.project)
        made = self._fleet.equip(host, replace(self._goods, wheels=(*others, wheel)))
        for one in made.unfitting:
            if one.project == wheel.project:
                raise CallFailed(host.name, "Undeliverable", one.words)
        return made.python

    def _hold_apart(self, host: Host) -> None:
        with self._kept_apart(host):
            self._register.host(host, "measuring")
            self._hold(host, self._grounds[host.key])
            self._register.host(host, "done")

    @contextmanager
    def _kept_apart(self, host: Host) -> Iterator[None]:
        """What ends this host's gate is recorded; what ends all is raised."""
        try:
            yield
        except (SchedulerLost, StoreFull):
            raise
        except HarnessError as error:
            reason = error.words if isinstance(error, CallFailed) else error.cause
            self._register.host(host, "lost", reason)
            self._say(f"{host.name}: {reason}")

    def _hold(self, host: Host, ground: There) -> None:
        folder = self._register.folder / host.key

        def say(line: str) -> None:
            self._say(f"{host.name}: {line}")

        @contextmanager
        def display(step: Step) -> Iterator[Callable[[Progress], None]]:
            say(step)
            yield lambda progress: None

        if has_records(folder / GATE_FILE):
            session.go_on(read_gate(folder), display, say, ground)
        else:
            session.start(folder, self._header_on(host, ground, say), display, say, ground)

    def _header_on(self, host: Host, ground: There, say: Say) -> GateHeader:
        ids = self._header.benchmarks
        base, head = (one.side for one in self._sides)
        checks = ground.check(base, head, shared.own_targets(ids))
        for line in checks.remarks:
            say(line)
        both, added, removed = shared.shared_benchmarks(ids, checks.on_base, checks.on_head)
        return GateHeader(
            gate=f"{self._header.gate}-{host.key}",
            created=environment.utc_now(),
            command=self._header.command,
            seed=self._header.seed,
            settings=self._header.settings,
            base=checks.base,
            head=checks.head,
            benchmarks=both,
            added=added,
            removed=removed,
        )

    def _stop_all(self) -> None:
        for ground in self._grounds.values():
            ground.remote.stop()
