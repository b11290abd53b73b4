"""What a container, a service or the shell takes away."""

from __future__ import annotations

import resource
from collections.abc import Iterator

from loopgauge.harness.control_groups import Limits
from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.model import Machine

FILES_NEEDED = 4096  # a scenario with a thousand connections has both ends in one machine


def limit_findings(machine: Machine, before: Limits, now: Limits) -> Iterator[Finding]:
    """Of the control groups, looked at twice."""
    if now.quota is None:
        yield Finding(check="cgroup", level="ok", found="no CPU quota")
    else:
        yield quota_finding(machine, now)
    just_now = now.throttled - before.throttled
    if just_now > 0 or (now.quota is not None and now.throttled):
        share = now.throttled / now.periods if now.periods else 0.0
        yield Finding(
            check="throttling",
            level="warning",
            found=f"the quota stopped everything {now.throttled} times so far, in {share:.0%} of "
            f"its periods, for {now.throttled_s:.3g} s"
            + (f"; {just_now} times just now" if just_now > 0 else ""),
            meaning="A slot that is hit takes up to a period longer (100 ms by default)",
            cure="Run without the quota (docker: no --cpus; Kubernetes: no CPU limit)",
        )
    if now.killed:
        yield Finding(
            check="memory limit",
            level="info",
            found=f"{now.killed} processes were killed for want of memory in this group",
            meaning="A worker that is killed is reported as crashed",
            cure="Raise the limit (docker: --memory; systemd: MemoryMax=)",
        )
    if now.memory is not None and now.memory_used > 0.9 * now.memory:
        yield Finding(
            check="memory limit",
            level="warning",
            found=f"{now.memory_used >> 20} of {now.memory >> 20} MiB of the group are used",
            meaning="The kernel takes back pages in the middle of a slot; caches count, too",
            cure="Raise the limit (docker: --memory; systemd: MemoryMax=, MemoryHigh=)",
        )


def quota_finding(machine: Machine, now: Limits) -> Finding:
    assert now.quota is not None
    bites = now.quota < len(machine.cpus_allowed)
    return Finding(
        check="cgroup",
        level="warning" if bites else "info",
        found=f"a CPU quota of {now.quota:g} CPUs",
        meaning="When it is used up, everything stands still until the next period"
        if bites
        else "It allows all the CPUs there are",
        cure="Run without the quota (docker: no --cpus; Kubernetes: no CPU limit)" if bites else "",
    )


def descriptor_findings(most: int) -> Iterator[Finding]:
    """`most`: the hard limit; the soft one is raised where it is needed."""
    if most < FILES_NEEDED:
        yield Finding(
            check="descriptors",
            level="warning",
            found=f"a process may open {most} files at most",
            meaning="Scenarios with many connections fail",
            cure=f"sudo prlimit --nofile={FILES_NEEDED}:{FILES_NEEDED} --pid $$ (docker: "
            f"--ulimit nofile={FILES_NEEDED})",
        )


def descriptors() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FILES_NEEDED if hard == resource.RLIM_INFINITY else hard
