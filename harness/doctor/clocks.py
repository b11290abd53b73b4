"""What tells the time, and how late a sleeper wakes up; and how addresses are drawn."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from loopgauge.harness.doctor.finding import Finding
from loopgauge.harness.kernel_files import Files
from loopgauge.harness.model import Machine

GOOD_CLOCKS = frozenset({"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"})
CLOCKS = "sys/devices/system/clocksource/clocksource0"
USUAL_SLACK_NS = 50_000
COARSE_S = 1e-6  # clocks of a kernel with high-resolution timers have 1 ns
NO_RANDOMIZE = 0x0040000  # personality(2): ADDR_NO_RANDOMIZE


@dataclass(frozen=True)
class Clocks:
    available: str = ""  # clock sources, separated by blanks
    slack_ns: int | None = None
    resolution_s: float = 1e-9
    personality: str = ""  # hexadecimal


def clocks(files: Files) -> Clocks:
    return Clocks(
        available=files.text(f"{CLOCKS}/available_clocksource"),
        slack_ns=files.number("proc/self/timerslack_ns"),
        resolution_s=time.clock_getres(time.CLOCK_MONOTONIC),
        personality=files.text("proc/self/personality"),
    )


def clock_findings(machine: Machine, found: Clocks) -> Iterator[Finding]:
    good = [name for name in found.available.split() if name in GOOD_CLOCKS]
    if machine.clocksource in GOOD_CLOCKS:
        yield Finding(check="clock", level="ok", found=f"clock source {machine.clocksource}")
    elif machine.clocksource:
        yield Finding(
            check="clock",
            level="warning",
            found=f"clock source {machine.clocksource}",
            meaning="Reading the time is a slow system call, and loops read it every turn",
            cure=f"echo {good[0]} | sudo tee /{CLOCKS}/current_clocksource"
            if good
            else "Boot with clocksource=tsc if the CPU has a stable one",
        )
    if found.resolution_s > COARSE_S:
        yield Finding(
            check="timers",
            level="warning",
            found=f"timers have a resolution of {found.resolution_s * 1e3:.3g} ms",
            meaning="Everything that sleeps wakes up at a tick: timers measure the kernel",
            cure="Boot without highres=off, or with a kernel that has CONFIG_HIGH_RES_TIMERS",
        )
    yield from slack_findings(found.slack_ns)


def slack_findings(slack_ns: int | None) -> Iterator[Finding]:
    if slack_ns is None:
        return
    usual = slack_ns <= USUAL_SLACK_NS
    yield Finding(
        check="timer slack",
        level="info" if usual else "warning",
        found=f"timer slack {slack_ns / 1e3:g} µs",
        meaning="The kernel may wake a sleeping loop that much later, and a loop that asks for "
        "less has an advantage in timers (the built-in one does)",
        cure="To see loops without it: echo 1 > /proc/$$/timerslack_ns"
        if usual
        else f"echo {USUAL_SLACK_NS} > /proc/$$/timerslack_ns",
    )


def address_findings(machine: Machine, found: Clocks) -> Iterator[Finding]:
    meaning = "Every process gets the same layout, and its luck looks like a result"
    if machine.aslr == "0":
        yield Finding(
            check="aslr",
            level="warning",
            found="address space randomisation is off",
            meaning=meaning,
            cure="sudo sysctl kernel.randomize_va_space=2",
        )
    elif switched_off(found.personality):
        yield Finding(
            check="aslr",
            level="warning",
            found="address space randomisation is off for this process and what it starts",
            meaning=meaning,
            cure="Start bench without setarch -R, outside the debugger",
        )
    elif machine.aslr == "1":
        yield Finding(
            check="aslr",
            level="info",
            found="address space randomisation leaves the heap out",
            meaning="Fewer layouts are drawn, so processes differ less than on other machines",
            cure="sudo sysctl kernel.randomize_va_space=2",
        )
    elif machine.aslr:
        yield Finding(check="aslr", level="ok", found="addresses are drawn for every process")


def switched_off(personality: str) -> bool:
    try:
        return bool(int(personality, 16) & NO_RANDOMIZE)
    except ValueError:
        return False
