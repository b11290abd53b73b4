"""CPUs, clock rates, clocks and addresses: kernel texts in, findings out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from loopgauge.harness.doctor import clocks, cpu, power
from loopgauge.harness.doctor.clocks import Clocks
from loopgauge.harness.doctor.cpu import Topology
from loopgauge.harness.doctor.finding import Finding, cpu_list, cpu_set
from loopgauge.harness.doctor.power import IdleState, Power
from loopgauge.harness.kernel_files import Files
from loopgauge.harness.model import Machine

CPU = "sys/devices/system/cpu"
GOOD = Machine(
    cpu_model="x",
    cpus_logical=4,
    cpus_allowed=[0, 1, 2, 3],
    governor="performance",
    turbo="off",
    smt="off",
    aslr="2",
    clocksource="tsc",
)
APART = Topology(siblings={number: str(number) for number in range(4)})


def tree(root: Path, content: dict[str, str]) -> Files:
    for name, text in content.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Files(root)


def machine(**changed: object) -> Machine:
    return msgspec.structs.replace(GOOD, **changed)


def bad(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.level in ("warning", "problem")]


def only(findings: Iterable[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def test_a_good_machine_gives_no_warning() -> None:
    assert bad(cpu.cpu_findings(GOOD, APART)) == []
    assert bad(power.power_findings(GOOD, Power())) == []
    assert bad(clocks.clock_findings(GOOD, Clocks(slack_ns=50_000))) == []
    assert bad(clocks.address_findings(GOOD, Clocks(personality="00000000"))) == []


@pytest.mark.parametrize(
    ("text", "cpus"), [("0-3,8", {0, 1, 2, 3, 8}), ("0", {0}), ("", set()), ("(null)", set())]
)
def test_lists_of_cpus(text: str, cpus: set[int]) -> None:
    assert cpu_set(text) == cpus
    assert cpu_set(cpu_list(cpus)) == cpus


def test_the_kernels_way_to_write_a_list() -> None:
    assert cpu_list([8, 0, 1, 2, 5, 6]) == "0-2,5-6,8"


def test_one_cpu_is_too_few() -> None:
    found = only(cpu.cpu_findings(machine(cpus_allowed=[2]), APART), "affinity")
    assert found.level == "warning"
    assert "taskset -pc 0-3" in found.cure


def test_some_of_the_cpus_are_told() -> None:
    found = only(cpu.cpu_findings(machine(cpus_allowed=[0, 1]), APART), "affinity")
    assert (found.level, "CPUs 0-1 of 4" in found.found) == ("info", True)


def test_siblings_are_named_and_one_of_each_core_is_the_cure(tmp_path: Path) -> None:
    files = tree(
        tmp_path,
        {
            f"{CPU}/cpu{number}/topology/thread_siblings_list": f"{number % 2},{number % 2 + 2}\n"
            for number in range(4)
        },
    )
    found = only(cpu.cpu_findings(machine(smt="on"), cpu.topology(files, [0, 1, 2, 3])), "smt")
    assert "0,2, 1,3 share a core" in found.found
    assert "taskset -c 0-1 bench" in found.cure


def test_both_cpus_of_a_small_virtual_machine_may_be_one_core() -> None:
    small = machine(cpus_allowed=[0, 1], cpus_logical=2, virtual="Xen", smt="notsupported")
    found = only(cpu.cpu_findings(small, Topology(siblings={0: "0-1", 1: "0-1"})), "smt")
    assert "0-1 share a core" in found.found
    assert found.cure == "Ask for a machine whose CPUs are whole cores"


def test_a_sibling_that_may_not_be_used_is_no_matter() -> None:
    found = only(cpu.cpu_findings(machine(cpus_allowed=[0, 1]), Topology(
        siblings={0: "0,2", 1: "1,3"})), "smt")  # fmt: skip
    assert found.level == "ok"


@pytest.mark.parametrize("name", ["cpu_capacity", "cpufreq/cpuinfo_max_freq"])
def test_efficient_cores_are_told_from_fast_ones(tmp_path: Path, name: str) -> None:
    content = {
        f"{CPU}/cpu{number}/{name}": text
        for number, text in enumerate(["1024", "990", "640", "640"])
    }
    layout = cpu.topology(tree(tmp_path, content), [0, 1, 2, 3])
    found = only(cpu.cpu_findings(GOOD, layout), "cpu kinds")
    assert "0-1 are faster than 2-3" in found.found
    assert "taskset -c 0-1" in found.cure


def test_isolated_cpus_are_offered(tmp_path: Path) -> None:
    files = tree(tmp_path, {f"{CPU}/isolated": "2-3\n", f"{CPU}/nohz_full": "(null)\n"})
    layout = cpu.topology(files, [0, 1])
    found = only(cpu.cpu_findings(machine(cpus_allowed=[0, 1]), layout), "isolation")
    assert "CPUs 2-3 are isolated, with their timer interrupts" in found.found
    assert (found.level, found.cure) == ("info", "bench run --cpus 2")


def test_everything_on_isolated_cpus_stays_on_the_first() -> None:
    layout = Topology(isolated="1-3", no_ticks="1-3")
    assert bad(cpu.isolation_findings(machine(cpus_allowed=[2, 3]), layout)) == ["isolation"]
    assert bad(cpu.isolation_findings(machine(cpus_allowed=[0, 2, 3]), layout)) == []


def test_where_none_is_isolated_the_way_is_told_if_there_is_one_to_spare() -> None:
    assert (
        "isolcpus=domain,managed_irq,3"
        in only(cpu.isolation_findings(GOOD, Topology()), "isolation").cure
    )
    assert [*cpu.isolation_findings(machine(cpus_logical=2, cpus_allowed=[0, 1]), APART)] == []


def test_the_frequency_of_every_cpu_counts(tmp_path: Path) -> None:
    """A machine as a laptop has it, on battery, with one CPU that was set by hand."""
    content = {f"{CPU}/cpu{number}/cpufreq/scaling_governor": "powersave\n" for number in range(2)}
    files = tree(
        tmp_path,
        content
        | {
            f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n",
            f"{CPU}/cpu0/cpufreq/energy_performance_preference": "balance_power\n",
            f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "3500000\n",
            f"{CPU}/cpu0/cpufreq/scaling_max_freq": "2000000\n",
            f"{CPU}/intel_pstate/no_turbo": "0\n",
            f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "7\n",
            f"{CPU}/cpu1/thermal_throttle/core_throttle_count": "1\n",
            f"{CPU}/cpu0/cpuidle/state0/name": "POLL\n",
            f"{CPU}/cpu0/cpuidle/state0/latency": "0\n",
            f"{CPU}/cpu0/cpuidle/state1/name": "C6\n",
            f"{CPU}/cpu0/cpuidle/state1/latency": "133\n",
            f"{CPU}/cpu0/cpuidle/state1/disable": "0\n",
            f"{CPU}/cpu0/cpuidle/state2/name": "C8\n",
            f"{CPU}/cpu0/cpuidle/state2/latency": "500\n",
            f"{CPU}/cpu0/cpuidle/state2/disable": "1\n",
            "sys/firmware/acpi/platform_profile": "low-power\n",
            "sys/class/power_supply/AC/type": "Mains\n",
            "sys/class/power_supply/AC/online": "0\n",
            "sys/class/power_supply/BAT0/type": "Battery\n",
        },
    )
    facts = power.power(files, [0, 1])
    assert facts.limits_khz == {0: (2_000_000, 3_500_000)}
    assert facts.idle[1:] == (IdleState("C6", 133, True), IdleState("C8", 500, False))
    findings = [*power.power_findings(machine(turbo="on", governor="powersave"), facts)]
    assert bad(findings) == ["governor", "power saving", "power saving", "power saving"]
    assert "performance, powersave" in only(findings, "governor").found
    assert "2.0 of 3.5 GHz" in only(findings, "frequency limit").found
    assert "8 times" in only(findings, "temperature").found
    assert "C6, 133 µs" in only(findings, "idle states").found
    assert (
        "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
        in only(findings, "turbo").cure
    )
    assert all(finding.cure and finding.meaning for finding in findings)


def test_amd_says_turbo_with_the_opposite_sign(tmp_path: Path) -> None:
    facts = power.power(tree(tmp_path, {f"{CPU}/cpufreq/boost": "1\n"}), [0])
    found = only(power.power_findings(machine(turbo="on"), facts), "turbo")
    assert found.cure == "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"


def test_a_desktop_without_any_supply_is_not_on_battery(tmp_path: Path) -> None:
    assert not power.on_battery(Files(tmp_path))
    plugged = {
        "sys/class/power_supply/AC/type": "Mains\n",
        "sys/class/power_supply/AC/online": "1\n",
    }
    assert not power.on_battery(tree(tmp_path, plugged))


def test_a_frequency_that_cannot_be_seen_is_said() -> None:
    found = only(power.power_findings(machine(governor="", turbo=""), Power()), "governor")
    assert (found.level, "neither be seen nor set" in found.found) == ("info", True)


def test_a_slow_clock_source_has_its_cure_where_there_is_a_better_one(tmp_path: Path) -> None:
    slow = machine(clocksource="hpet")
    name = "sys/devices/system/clocksource/clocksource0/available_clocksource"
    facts = clocks.clocks(tree(tmp_path, {name: "tsc hpet acpi_pm \n"}))
    found = only(clocks.clock_findings(slow, facts), "clock")
    assert found.cure.startswith("echo tsc | sudo tee /sys/devices/system/clocksource/")
    assert bad(clocks.clock_findings(slow, Clocks())) == ["clock"]


@pytest.mark.parametrize(
    ("slack_ns", "level", "shown"),
    [(50_000, "info", "50 µs"), (1, "info", "0.001 µs"), (5_000_000, "warning", "5000 µs")],
)
def test_timer_slack(slack_ns: int, level: str, shown: str) -> None:
    found = only(clocks.clock_findings(GOOD, Clocks(slack_ns=slack_ns)), "timer slack")
    assert (found.level, shown in found.found) == (level, True)


def test_timers_that_only_tick() -> None:
    assert bad(clocks.clock_findings(GOOD, Clocks(resolution_s=0.004))) == ["timers"]


@pytest.mark.parametrize(
    ("aslr", "personality", "level"),
    [
        ("2", "00000000", "ok"),
        ("2", "00040000", "warning"),
        ("0", "00000000", "warning"),
        ("1", "00000000", "info"),
        ("2", "", "ok"),
    ],
)
def test_addresses(aslr: str, personality: str, level: str) -> None:
    (found,) = clocks.address_findings(machine(aslr=aslr), Clocks(personality=personality))
    assert (found.check, found.level) == ("aslr", level)


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    empty = Files(tmp_path)
    assert cpu.topology(empty, [0]) == Topology()
    assert power.power(empty, [0]) == Power()
    facts = clocks.clocks(empty)
    assert [*clocks.slack_findings(facts.slack_ns)] == []
