"""Which CPUs there are, which may be used, and who shares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loopgauge.harness.doctor.finding import Finding, cpu_list, cpu_set
from loopgauge.harness.kernel_files import CPU, Files
from loopgauge.harness.model import Machine

KINDS_DIFFER = 0.1  # capacity or clock rate; favoured cores of one kind differ by less
WORTH_ISOLATING = 4  # CPUs: with fewer there is none to spare


@dataclass(frozen=True)
class Topology:
    siblings: Mapping[int, str] = field(default_factory=dict)  # by CPU: those of its core
    strength: Mapping[int, int] = field(default_factory=dict)  # capacity, or highest clock rate
    isolated: str = ""
    no_ticks: str = ""  # CPUs without the timer interrupt (nohz_full)


def topology(files: Files, cpus: list[int]) -> Topology:
    strength = files.of_cpus(cpus, "cpu_capacity") or files.of_cpus(
        cpus, "cpufreq/cpuinfo_max_freq"
    )
    return Topology(
        siblings=files.of_cpus(cpus, "topology/thread_siblings_list"),
        strength={cpu: int(text) for cpu, text in strength.items() if text.isdigit()},
        isolated=files.text(f"{CPU}/isolated"),
        no_ticks=files.text(f"{CPU}/nohz_full"),
    )


def cpu_findings(machine: Machine, layout: Topology) -> Iterator[Finding]:
    yield Finding(
        check="cpu",
        level="info",
        found=f"{machine.cpu_model}, {len(machine.cpus_allowed)} of {machine.cpus_logical} CPUs"
        + (f", {machine.virtual}" if machine.virtual else ""),
    )
    yield from affinity_findings(machine)
    yield from sharing_findings(machine, layout)
    yield from kind_findings(layout)
    yield from isolation_findings(machine, layout)


def affinity_findings(machine: Machine) -> Iterator[Finding]:
    allowed, there = len(machine.cpus_allowed), machine.cpus_logical
    if allowed < 2:
        yield Finding(
            check="affinity",
            level="warning",
            found="only one CPU may be used",
            meaning="Scenarios with several threads measure the scheduler; the manager and the "
            "load generator interrupt the worker",
            cure=f"taskset -pc 0-{there - 1} $$ (in a container: a cpuset of two or more)"
            if there > 1
            else "Use a machine with two CPUs or more",
        )
    elif allowed < there:
        yield Finding(
            check="affinity",
            level="info",
            found=f"only CPUs {cpu_list(machine.cpus_allowed)} of {there} may be used",
            meaning="What else is confined to them shares them; elsewhere it does not disturb",
            cure=f"To use all: taskset -pc 0-{there - 1} $$",
        )


def sharing_findings(machine: Machine, layout: Topology) -> Iterator[Finding]:
    """Hyper-threading counts where two CPUs that may be used are halves of one core."""
    cores = {frozenset(cpu_set(text) & {*layout.siblings}) for cpu, text in layout.siblings.items()}
    shared = [core for core in cores if len(core) > 1]
    if not shared and machine.smt != "on":
        told = ", as far as a virtual machine is told" if machine.virtual else ""
        yield Finding(check="smt", level="ok", found=f"no CPU shares its core with another{told}")
        return
    whole = sorted(min(core) for core in cores if core)
    cure = f"echo off | sudo tee /{CPU}/smt/control"
    if len(whole) > 1:
        cure += f", or one CPU of each core: taskset -c {cpu_list(whole)} bench ..."
    elif machine.virtual:
        cure = "Ask for a machine whose CPUs are whole cores"
    yield Finding(
        check="smt",
        level="info",
        found="hyper-threading is on: "
        + (
            ", ".join(sorted(map(cpu_list, shared))) + " share a core" if shared else "see lscpu -e"
        ),
        meaning="Work on the sibling thread slows a core down, and counts as CPU time of whoever "
        "is slowed; pairing cancels what lasts longer than a slot",
        cure=cure,
    )


def kind_findings(layout: Topology) -> Iterator[Finding]:
    if not layout.strength:
        return
    strongest = max(layout.strength.values())
    strong = [
        cpu for cpu, value in layout.strength.items() if value > (1 - KINDS_DIFFER) * strongest
    ]
    weak = layout.strength.keys() - strong
    if weak:
        yield Finding(
            check="cpu kinds",
            level="warning",
            found=f"CPUs of two kinds: {cpu_list(strong)} are faster than {cpu_list(weak)}",
            meaning="A figure depends on where the scheduler puts the process",
            cure=f"taskset -c {cpu_list(strong)} bench ...",
        )


def isolation_findings(machine: Machine, layout: Topology) -> Iterator[Finding]:
    isolated, allowed = cpu_set(layout.isolated), {*machine.cpus_allowed}
    names = cpu_list(isolated)
    if isolated and allowed <= isolated and len(allowed) > 1:
        yield Finding(
            check="isolation",
            level="warning",
            found=f"everything runs on the isolated CPUs {cpu_list(allowed)}",
            meaning="Nothing is moved between isolated CPUs: manager, worker and load generator "
            "stay together on the first",
            cure=f"Start bench on another CPU, and pin the workers: bench run --cpus "
            f"{min(isolated)}",
        )
    elif isolated:
        ticks = "" if cpu_set(layout.no_ticks) & isolated else ", with their timer interrupts"
        yield Finding(
            check="isolation",
            level="info",
            found=f"CPUs {names} are isolated{ticks}",
            meaning="They are the quietest here, and nothing runs on them unless told to",
            cure=f"bench run --cpus {min(isolated)}",
        )
    elif machine.cpus_logical >= WORTH_ISOLATING:
        last = machine.cpus_logical - 1
        yield Finding(
            check="isolation",
            level="info",
            found="no CPU is isolated",
            meaning="The kernel may run anything on the CPU that measures",
            cure=f"Boot with isolcpus=domain,managed_irq,{last} nohz_full={last}, then bench run "
            f"--cpus {last}",
        )
