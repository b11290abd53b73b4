"""On which cases of its rules a figure does not rest: existing ones, and never on all of a rule."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from loopgauge.conformance.case import all_cases
from loopgauge.scenarios.model import Scenario
from loopgauge.scenarios.registry import all_scenarios, benchmark_id
from loopgauge.scenarios.reliance import ASIDE, CARRIED, SCHEDULED

BENCHMARKS = [
    scenario(**params)
    for scenario in all_scenarios().values()
    for params in {str(params): params for params in (*scenario.quick, *scenario.full)}.values()
]


def rests_on(benchmark: Scenario) -> set[str]:
    """Ids of cases that void its figure in a loop that fails them."""
    return {
        name
        for name, case in all_cases().items()
        if case.rule.id in benchmark.rules
        and not any(fnmatchcase(name, pattern) for pattern in benchmark.irrelevant)
    }


def made(name: str, **params: object) -> Scenario:
    return all_scenarios()[name](**params)


def test_every_pattern_matches_a_case() -> None:
    """A case that was renamed would void figures again without a word."""
    patterns = {pattern for patterns in ASIDE.values() for pattern in patterns}
    patterns |= {p for ends in (*CARRIED.values(), *SCHEDULED.values()) for p in ends}
    patterns |= {pattern for benchmark in BENCHMARKS for pattern in benchmark.aside}
    names = all_cases()
    assert not [p for p in sorted(patterns) if not any(fnmatchcase(name, p) for name in names)]


def test_patterns_are_of_their_rule() -> None:
    for rule, patterns in ASIDE.items():
        assert all(pattern.startswith(f"{rule}.") for pattern in patterns), rule


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=benchmark_id)
def test_something_is_left_of_every_rule(benchmark: Scenario) -> None:
    """Without any case the rule had no business to be named, and pages would name it."""
    asked = {case.rule.id for case in all_cases().values()}
    left = {name.partition(".")[0] for name in rests_on(benchmark)}
    assert [rule for rule in benchmark.rules if rule in asked and rule not in left] == []


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=benchmark_id)
def test_what_a_scenario_leaves_aside_is_of_its_rules(benchmark: Scenario) -> None:
    rules = type(benchmark).rules
    assert {pattern.partition(".")[0] for pattern in benchmark.aside} <= set(rules)
    assert set(benchmark.rules) <= set(rules)  # the catalogue shows those of the class
    assert set(benchmark.carriers) <= set(CARRIED)
    assert set(benchmark.schedules) <= set(SCHEDULED)


@pytest.mark.parametrize(
    ("benchmark", "on", "not_on"),
    [
        (made("io.tcp_echo"), "served", ["-tls", "-unix"]),
        (made("io.tcp_echo", transport="tls"), "served-tls", ["-tcp", "-unix", "-served"]),
        (made("io.unix_echo"), "unix", ["-tls", "-tcp", "-served"]),
        (made("io.connect_rate"), "tcp", ["-tls", "-unix", "-served"]),
        (made("io.udp_echo"), "udp", ["-unix"]),
        (made("io.pipe_throughput"), "pipe", ["-socket", "-tcp"]),
    ],
)
def test_another_transport_voids_nothing(benchmark: Scenario, on: str, not_on: list[str]) -> None:
    found = rests_on(benchmark)
    assert any(name.endswith(f"-{on}") for name in found)
    assert not [name for name in found if name.endswith(tuple(not_on))]


def test_refusals_void_no_work() -> None:
    assert "TRAN-001.other-types-tcp" not in rests_on(made("io.tcp_echo"))
    assert "TRAN-001.kinds-tcp" in rests_on(made("io.tcp_echo"))
    assert "UDPD-001.in-use" not in rests_on(made("io.udp_echo"))
    assert "UDPD-001.local" in rests_on(made("io.udp_echo"))


def test_parameters_tell_what_is_done() -> None:
    assert "TASK-011" not in made("throughput.async_tree").rules
    assert "TASK-011" in made("throughput.async_tree", eager=True).rules
    assert "TCPC-001" not in made("io.http_aiohttp").rules
    assert "SRVR-001" not in made("io.http_aiohttp", side="client").rules
    assert not rests_on(made("io.tcp_bulk", way="receive")) & {"PROT-004.sent-tcp"}
    assert {rule[:4] for rule in made("io.tcp_echo", api="sock").rules} == {"SOCK"}
