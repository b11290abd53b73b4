"""Every test of CPython that can be pointed at the loop under test, one pytest item each.

Tier A: classes with a hook for the loop. Tier B: classes that take the loop from the policy.
Each has a process of its own; `--no-isolate` makes that one for each class, which is quicker.
`--white-box` runs the annotated ones too. `scripts/dev cpython` prints the outcome as a table.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from loop_testing import process, target

from loopgauge.conformance.lanes.cpython import annotations, parent
from loopgauge.conformance.lanes.cpython.catalogue import TIERS
from loopgauge.conformance.lanes.cpython.messages import Listed
from loopgauge.conformance.runner.messages import Target

#: What tier A holds on 3.11. Later versions have more; fewer means that a class was lost.
TIER_A_AT_LEAST = 148

#: Groups of tier A that 3.11 does not have.
RECENT = {"Pipe"}


def listed() -> list[Listed]:
    try:
        return parent.list_tests()
    except LookupError as error:
        pytest.skip(f"CPython's test package is not usable here: {error}", allow_module_level=True)


LISTED = listed()
TESTS = {tier: [test for test in LISTED if test.tier == tier] for tier in TIERS}
ANNOTATIONS = annotations.read()
TARGET = Target(name=target.target_name(), factory=target.target_name())
FOREIGN = parent.probe(TARGET, process.environment()).foreign


def selected(items: list[pytest.Item], tier: str, white_box: bool) -> list[Listed]:
    """The tests that this session will ask for, so that no process runs anything else."""
    wanted = {
        item.callspec.params["test"]
        for item in items
        if isinstance(item, pytest.Function)
        and item.function in (test_tier_a, test_tier_b)
        and item.callspec.params["tier"] == tier
    }
    return [
        test
        for test in TESTS[tier]
        if test.id in wanted
        and (white_box or not annotations.excuse(test.id, ANNOTATIONS, FOREIGN))
    ]


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest) -> Iterator[dict[str, parent.Run]]:
    config = request.config
    lanes = {
        tier: parent.Run(
            TARGET,
            selected(request.session.items, tier, config.getoption("--white-box")),
            isolate=config.getoption("--isolate"),
            jobs=config.getoption("--lane-jobs"),
            environment=process.environment(),
        )
        for tier in TIERS
    }
    yield lanes
    for lane in lanes.values():
        lane.close()


def judge(lane: parent.Run, test: str, config: pytest.Config) -> None:
    reason = annotations.excuse(test, ANNOTATIONS, FOREIGN)
    if reason and not config.getoption("--white-box"):
        pytest.skip(reason)
    result = lane.outcome(test)
    if result.ending == "skipped":
        pytest.skip(f"by CPython: {result.detail}")
    if result.ending != "passed":
        pytest.fail(f"{result.ending}\n{result.detail}", pytrace=False)


def groups() -> list[object]:
    return [
        pytest.param(tier, entry.name, id=f"{tier}-{entry.name}")
        for tier, entries in TIERS.items()
        for entry in entries
        if entry.loops and any(test.group == entry.name for test in TESTS[tier])
    ]


def test_no_class_is_lost() -> None:
    assert len(TESTS["a"]) >= TIER_A_AT_LEAST
    assert {test.group for test in TESTS["a"]} >= {entry.name for entry in TIERS["a"]} - RECENT


def test_no_class_is_forgotten() -> None:
    assert parent.forgotten_classes() == []


def test_annotations_name_existing_tests() -> None:
    known = {test.id for tests in TESTS.values() for test in tests}
    binding = {
        annotation.test
        for entries in ANNOTATIONS.values()
        for annotation in entries
        if annotation.binds()
    }
    assert binding <= known


def parameters(tier: str) -> list[object]:
    return [pytest.param(tier, test.id, id=test.id) for test in TESTS[tier]]


@pytest.mark.parametrize(("tier", "test"), parameters("a"))
def test_tier_a(
    tier: str, test: str, lanes: dict[str, parent.Run], pytestconfig: pytest.Config
) -> None:
    judge(lanes[tier], test, pytestconfig)


@pytest.mark.parametrize(("tier", "test"), parameters("b"))
def test_tier_b(
    tier: str, test: str, lanes: dict[str, parent.Run], pytestconfig: pytest.Config
) -> None:
    judge(lanes[tier], test, pytestconfig)


@pytest.mark.parametrize(("tier", "group"), groups())
def test_the_loop_under_test_was_used(
    tier: str, group: str, lanes: dict[str, parent.Run], request: pytest.FixtureRequest
) -> None:
    """A hook that is not reached would let a whole class pass on the wrong loop."""
    asked = {test.id for test in selected(request.session.items, tier, white_box=False)}
    tests = [test.id for test in TESTS[tier] if test.group == group and test.id in asked]
    if not tests:
        pytest.skip("no test of this class was selected")
    assert lanes[tier].loops_made(tests) > 0
