"""What changes the clock rate, and what lets a CPU sleep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loopgauge.harness.doctor.finding import Finding, cpu_list
from loopgauge.harness.kernel_files import CPU, Files
from loopgauge.harness.model import Machine

DEEP_US = 50  # latency of an idle state from which on it shows in timers; the timer slack
SAVING = frozenset({"power", "balance_power"})
QUIET = frozenset({"low-power", "quiet", "cool"})
PROFILE = "sys/firmware/acpi/platform_profile"
NO_TURBO = f"{CPU}/intel_pstate/no_turbo"
BOOST = f"{CPU}/cpufreq/boost"


@dataclass(frozen=True)
class IdleState:
    name: str
    latency_us: int
    enabled: bool


@dataclass(frozen=True)
class Power:
    """Texts as the kernel has them; by CPU where each has its own."""

    governors: Mapping[int, str] = field(default_factory=dict)
    preferences: Mapping[int, str] = field(default_factory=dict)  # of energy against speed
    limits_khz: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # set, possible
    idle: tuple[IdleState, ...] = ()  # of the first CPU
    overheated: int = 0  # times since boot
    profile: str = ""
    on_battery: bool = False
    turbo_file: str = ""  # which of the two there is


def power(files: Files, cpus: list[int]) -> Power:
    highest = files.of_cpus(cpus, "cpufreq/cpuinfo_max_freq")
    limit = files.of_cpus(cpus, "cpufreq/scaling_max_freq")
    counts = files.each(f"{CPU}/cpu*/thermal_throttle/core_throttle_count")
    return Power(
        governors=files.of_cpus(cpus, "cpufreq/scaling_governor"),
        preferences=files.of_cpus(cpus, "cpufreq/energy_performance_preference"),
        limits_khz={
            cpu: (int(text), int(highest[cpu]))
            for cpu, text in limit.items()
            if text.isdigit() and highest.get(cpu, "").isdigit()
        },
        idle=idle_states(files, cpus),
        overheated=sum(int(text) for text in counts.values() if text.isdigit()),
        profile=files.text(PROFILE),
        on_battery=on_battery(files),
        turbo_file=next((name for name in (NO_TURBO, BOOST) if files.text(name)), ""),
    )


def idle_states(files: Files, cpus: list[int]) -> tuple[IdleState, ...]:
    folder = f"{CPU}/cpu{min(cpus, default=0)}/cpuidle"
    states = []
    for path, name in files.each(f"{folder}/state*/name").items():
        of_state = f"{folder}/{path.parent.name}"
        latency = files.number(f"{of_state}/latency")
        states.append(IdleState(name, latency or 0, files.text(f"{of_state}/disable") != "1"))
    return tuple(states)


def on_battery(files: Files) -> bool:
    """A laptop that is not plugged in; a keyboard's battery is none of ours."""
    supplies = "sys/class/power_supply"
    kinds = {path.parent.name: text for path, text in files.each(f"{supplies}/*/type").items()}
    mains = [name for name, kind in kinds.items() if kind in ("Mains", "USB")]
    return bool(mains) and all(files.text(f"{supplies}/{name}/online") == "0" for name in mains)


def power_findings(machine: Machine, found: Power) -> Iterator[Finding]:
    yield from governor_findings(machine, found)
    yield from turbo_findings(machine, found)
    yield from saving_findings(found)
    yield from idle_findings(found)


def governor_findings(machine: Machine, found: Power) -> Iterator[Finding]:
    governors = {*found.governors.values()} or {machine.governor} - {""}
    if not governors:
        yield Finding(
            check="governor",
            level="info",
            found="the CPU's frequency can neither be seen nor set from here",
            meaning="Whoever runs the hypervisor decides; pairing cancels what lasts longer than "
            "a slot",
        )
    elif governors == {"performance"}:
        yield Finding(check="governor", level="ok", found="CPU frequency governor performance")
    else:
        yield Finding(
            check="governor",
            level="warning",
            found=f"CPU frequency governor {', '.join(sorted(governors))}",
            meaning="The clock rate follows the load, late and by its own rules: slots after a "
            "pause are slower",
            cure="sudo cpupower frequency-set -g performance",
        )
    lowered = {cpu: pair for cpu, pair in found.limits_khz.items() if pair[0] < pair[1]}
    if lowered:
        set_khz, possible = min(lowered.values())
        yield Finding(
            check="frequency limit",
            level="info",
            found=f"CPUs {cpu_list(lowered)} are held at {set_khz / 1e6:.1f} of "
            f"{possible / 1e6:.1f} GHz",
            meaning="Figures are steadier, and not those of this CPU elsewhere",
            cure=f"To lift it: sudo cpupower frequency-set -u {possible}",
        )


def turbo_findings(machine: Machine, found: Power) -> Iterator[Finding]:
    if machine.turbo == "on":
        word, name = ("0", BOOST) if found.turbo_file == BOOST else ("1", NO_TURBO)
        yield Finding(
            check="turbo",
            level="info",
            found="turbo is on",
            meaning="The clock rate depends on temperature and on the other cores; pairing "
            "cancels most of it",
            cure=f"echo {word} | sudo tee /{name}",
        )
    elif machine.turbo == "off":
        yield Finding(check="turbo", level="ok", found="turbo is off")
    if found.overheated:
        yield Finding(
            check="temperature",
            level="info",
            found=f"a core was slowed down by its heat {found.overheated} times since boot",
            meaning="If it happens during a run, everything gets slower for a while",
            cure=f"Cool it; watch: grep . /{CPU}/cpu*/thermal_throttle/core_throttle_count",
        )


def saving_findings(found: Power) -> Iterator[Finding]:
    preferences = {*found.preferences.values()} & SAVING
    if preferences:
        yield Finding(
            check="power saving",
            level="warning",
            found=f"the CPU prefers {', '.join(sorted(preferences))}",
            meaning="It raises its clock rate late, and differently from slot to slot",
            cure=f"echo performance | sudo tee /{CPU}/cpu*/cpufreq/energy_performance_preference",
        )
    if found.profile in QUIET:
        yield Finding(
            check="power saving",
            level="warning",
            found=f"platform profile {found.profile}",
            meaning="The firmware lowers power and clock rate when it likes",
            cure=f"powerprofilesctl set performance (or: echo performance | sudo tee /{PROFILE})",
        )
    if found.on_battery:
        yield Finding(
            check="power saving",
            level="warning",
            found="running on battery",
            meaning="Firmware and kernel save power, and more so as it empties",
            cure="Plug it in",
        )


def idle_findings(found: Power) -> Iterator[Finding]:
    deep = [state for state in found.idle if state.enabled and state.latency_us >= DEEP_US]
    if deep:
        deepest = max(deep, key=lambda state: state.latency_us)
        yield Finding(
            check="idle states",
            level="info",
            found=f"an idle CPU sleeps as deep as {deepest.name}, {deepest.latency_us} µs away",
            meaning="Timers, signals and the first packet after a pause come that much later",
            cure=f"sudo cpupower idle-set -D {DEEP_US - 1} (undone by: sudo cpupower idle-set -E)",
        )
